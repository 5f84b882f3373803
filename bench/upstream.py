"""A stand-in upstream, as fast as an asyncio server of a few lines can be: `python -m bench.upstream PORT`.

It answers every POST like OpenAI's chat completions: 1 KB of JSON, or for `"stream": true` a stream of 50 events, each
in a write of its own, with `--pause SECONDS` between them; `In 500 events` in the prompt asks for as many. With `--mean
SECONDS --p99 SECONDS` it holds plain answers back, for times drawn from that lognormal distribution, and says in the
answer's id for how long it did. `GET /count` tells how many POSTs it has had.
"""

import argparse
import asyncio
import re
import time
from random import Random

from bench.asks import TOKENS
from bench.lognormal import Lognormal, lognormal
from bench.replies import held_back, plain_answer, stream_answer

STREAM = (b'"stream":true', b'"stream": true')
EVENTS = re.compile(rb" In (\d{1,6}) events\.")


class Upstream(asyncio.Protocol):
    """One connection, kept alive, without pipelining."""

    posts = 0
    pause = 0.0
    plain = plain_answer()
    delays: Lognormal | None = None
    random = Random(1)  # the same delays in every run

    def __init__(self) -> None:
        self._read = bytearray()
        self._wanted = 0  # bytes of the request under way, 0 while its head is not whole
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._read += data
        if not self._wanted:
            head_end = self._read.find(b"\r\n\r\n")
            if head_end < 0:
                return
            self._head = bytes(self._read[:head_end]).lower()
            at = self._head.find(b"\r\ncontent-length:")
            length = int(self._head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._wanted = head_end + 4 + length
        if len(self._read) < self._wanted:
            return
        body = bytes(self._read[len(self._head) + 4 : self._wanted])
        del self._read[: self._wanted]
        self._wanted = 0
        self._answer(self._head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if self._transport is None:
            return
        if head.startswith(b"get /count"):
            count = str(Upstream.posts).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(count), count))
            return
        Upstream.posts += 1
        if any(mark in body for mark in STREAM):
            asked = EVENTS.search(body)
            self._send(stream_answer(int(asked[1]) if asked else TOKENS), 0)
        elif self.delays is None:
            self._transport.write(self.plain)
        else:
            delay = self.delays.draw(self.random)
            asyncio.get_running_loop().call_later(delay, self._late, time.perf_counter())

    def _late(self, since: float) -> None:
        """With the time that it really was: timers are a little late themselves."""
        if self._transport is not None:
            self._transport.write(held_back(self.plain, int((time.perf_counter() - since) * 1e6)))

    def _send(self, pieces: tuple[bytes, ...], number: int) -> None:
        """Each event in its own turn of the loop, so that it leaves in a packet of its own."""
        if self._transport is not None:
            self._transport.write(pieces[number])
            if number + 1 < len(pieces):
                asyncio.get_running_loop().call_later(self.pause, self._send, pieces, number + 1)


async def serve(port: int) -> None:
    """Until it is terminated."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


def main() -> None:
    """Read the command line, then serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.upstream")
    parser.add_argument("port", type=int)
    parser.add_argument("--mean", type=float, metavar="SECONDS")
    parser.add_argument("--p99", type=float, metavar="SECONDS")
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="between two events of a stream")
    options = parser.parse_args()
    if options.mean:
        Upstream.delays = lognormal(options.mean, options.p99)
    Upstream.pause = options.pause
    asyncio.run(serve(options.port))


if __name__ == "__main__":
    main()
