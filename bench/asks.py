"""What is asked: bodies of chat requests, and under which keys. Pure.

`{nonce}` in a body is where the load writes a number that changes, always as wide, so that no two requests are alike.
"""

import json
from dataclasses import dataclass

PATH = "/v1/chat/completions"
TOKENS = 50  # what the stand-in says that every answer has, and the events of a stream unless a request names others
QUESTION = "Why do foxes hunt at dusk, and what does a grey fox eat? Answer in two sentences."
SYSTEM = "You are a patient zoologist who explains briefly and never guesses."


@dataclass(frozen=True)
class Ask:
    """One kind of request; the keys take turns."""

    body: str
    keys: tuple[str, ...] = ("none",)
    headers: tuple[tuple[str, str], ...] = ()


def body(*, unique: bool, stream: bool = False, events: int = TOKENS, size: int = 0, max_tokens: int = 64) -> str:
    """A chat request of some 400 bytes, or of `size` bytes; `unique` ones carry a nonce."""
    content = QUESTION + (" Case {nonce}." if unique else " Case of the bench.")
    if events != TOKENS:
        content += f" In {events} events."
    made = _body(content, stream, max_tokens)
    missing = size - len(made.replace("{nonce}", "0" * 12))
    return _body(filled(content, missing), stream, max_tokens) if missing > 0 else made


def filled(content: str, missing: int) -> str:
    """`content` with `missing` more characters of prose before it."""
    prose = "The grey fox climbs trees, sleeps in hollows and eats fruit, mice and beetles. "
    return (prose * (missing // len(prose) + 1))[:missing] + content


def _body(content: str, stream: bool, max_tokens: int) -> str:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
    return json.dumps({"model": "gpt-4o", "stream": stream, "messages": messages, "max_tokens": max_tokens})
