"""A stand-in upstream, as fast as an asyncio server of a few lines can be: `python -m bench.upstream PORT [PAUSE]`.

It answers every POST like OpenAI's chat completions: 1 KB of JSON, or for `"stream":true` a stream of EVENTS events,
each in a write of its own, PAUSE seconds after the one before (0). `GET /count` tells how many POSTs it has had.
"""

import asyncio
import json
import sys

EVENTS = 50
SIZE = 1_024  # bytes of a plain answer's body
USAGE = {"prompt_tokens": 30, "completion_tokens": EVENTS, "total_tokens": 30 + EVENTS}


def plain_answer() -> bytes:
    """Head and body, padded to SIZE."""
    answer = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_764_000_000,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    missing = SIZE - len(json.dumps(answer))
    answer["choices"] = [
        {"index": 0, "message": {"role": "assistant", "content": "x" * missing}, "finish_reason": "stop"}
    ]
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def stream_answer() -> list[bytes]:
    """The pieces of a chunked stream; the first has the head."""
    base = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_764_000_000, "model": "gpt-4o"}
    events = [
        base | {"choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}], "usage": None}
        for _ in range(EVENTS)
    ]
    events.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None})
    events.append(base | {"choices": [], "usage": USAGE})
    texts = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
    pieces = [f"{len(text):x}\r\n{text}\r\n".encode() for text in texts]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head + pieces[0], *pieces[1:], b"0\r\n\r\n"]


class Upstream(asyncio.Protocol):
    """One connection, kept alive, without pipelining."""

    posts = 0
    pause = 0.0
    plain = plain_answer()
    stream = stream_answer()

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        length = 0
        if (at := head.find(b"\r\ncontent-length:")) >= 0:
            length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        end = head_end + 4 + length
        if len(self._buffer) < end:
            return
        body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
        self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if self._transport is None:
            return
        if head.startswith(b"get /count"):
            count = str(Upstream.posts).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(count), count))
            return
        Upstream.posts += 1
        if b'"stream":true' in body.replace(b" ", b""):
            self._send(0)
        else:
            self._transport.write(self.plain)

    def _send(self, number: int) -> None:
        """Each event in its own turn of the loop, so that it leaves in a packet of its own."""
        if self._transport is not None:
            self._transport.write(self.stream[number])
            if number + 1 < len(self.stream):
                asyncio.get_running_loop().call_later(self.pause, self._send, number + 1)


async def serve(port: int) -> None:
    """Until it is terminated."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        Upstream.pause = float(sys.argv[2])
    asyncio.run(serve(int(sys.argv[1])))
