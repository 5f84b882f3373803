"""What the stand-in upstream answers, as bytes on the wire. Pure.

Each answer is 1 KB of JSON, or a stream of events; both say that they cost what `USAGE` has.
"""

import json
from functools import lru_cache

from bench.asks import TOKENS

SIZE = 1_024  # bytes of a plain answer's body
USAGE = {"prompt_tokens": 30, "completion_tokens": TOKENS, "total_tokens": 30 + TOKENS}
ID = "chatcmpl-{:012d}"  # the number is how long the answer was held back, in microseconds


def plain_answer() -> bytes:
    """Head and body, padded to SIZE; it was not held back."""
    missing = SIZE - len(_body(0, ""))
    body = _body(0, "x" * missing)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def held_back(answer: bytes, microseconds: int) -> bytes:
    """A plain answer that tells how long it was held back."""
    return answer.replace(ID.format(0).encode(), ID.format(microseconds).encode(), 1)


def holding(body: bytes) -> int:
    """How long the answer with that body was held back, in microseconds; 0 where it does not say."""
    _, found, after = body.partition(b'"chatcmpl-')
    return int(after[:12]) if found else 0


@lru_cache(maxsize=16)
def stream_answer(events: int) -> tuple[bytes, ...]:
    """The pieces of a chunked stream with so many words; the first has the head."""
    base = {"id": ID.format(0), "object": "chat.completion.chunk", "created": 1_764_000_000, "model": "gpt-4o"}
    word = {"choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}], "usage": None}
    stop = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None}
    said = [base | word] * events + [base | stop, base | {"choices": [], "usage": USAGE}]
    texts = [f"data: {json.dumps(event)}\n\n" for event in said] + ["data: [DONE]\n\n"]
    pieces = [f"{len(text):x}\r\n{text}\r\n".encode() for text in texts]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return (head + pieces[0], *pieces[1:], b"0\r\n\r\n")


def _body(microseconds: int, content: str) -> str:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    answer = {"id": ID.format(microseconds), "object": "chat.completion", "created": 1_764_000_000, "model": "gpt-4o"}
    return json.dumps(answer | {"choices": [choice], "usage": USAGE})
