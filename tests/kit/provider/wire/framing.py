"""JSON and event framing as the providers write them, and the figures that an answer states."""

import json
from typing import Any

from tests.kit.provider.answer import Answer


def dumps(value: Any) -> bytes:
    """Compact JSON, UTF-8 left as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sse(value: Any, event: str | None = None) -> bytes:
    """One server-sent event; `event` is the name line that OpenAI's responses and Anthropic send."""
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + dumps(value) + b"\n\n"


def stated(answer: Answer, true: dict[str, Any]) -> dict[str, Any] | None:
    """What the answer claims: the true figures, none, or what the behaviour says instead."""
    match answer.behaviour.usage:
        case "true":
            return true
        case "absent":
            return None
        case told:
            return dict(told)
