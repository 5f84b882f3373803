"""Streams of Anthropic's messages: input figures come first, output figures last, each overwriting the one before."""

from collections.abc import Mapping
from typing import Any

from greyfox_core.dialects import errors
from greyfox_core.dialects.sse import SseReader, all_said, loaded, said_under
from greyfox_core.dialects.texts import compact, strings
from greyfox_core.dialects.usage import anthropic_usage, count
from greyfox_core.errors import Refused

FINISHED = ("end_turn", "stop_sequence", "tool_use")  # of its own accord
INPUT_FIELDS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")

SAID = said_under("text", "thinking", "name", "partial_json", "content")


class MessageReader(SseReader):
    def __init__(self) -> None:
        super().__init__()
        self._stated: dict[str, Any] = {}
        self._reason: Any = None

    def matters(self, block: bytes) -> bool:
        return (
            b"message_" in block
            or b"event: error" in block
            or b'"type":"error"' in block
            or b'"type": "error"' in block
        )

    def read(self, data: bytes) -> bool:
        event = loaded(data)
        match event.get("type"):
            case "message_start":
                message = event.get("message")
                if isinstance(message, Mapping) and isinstance(message.get("usage"), Mapping):
                    self._stated = dict(message["usage"])
                    start = anthropic_usage({**self._stated, "output_tokens": 0})
                    self.input_known = start.input_total if start else None
            case "message_delta":
                self._read_delta(event)
            case "message_stop":
                self.complete = not self.failed
            case "error":
                self.failed, self.complete = True, False
        return False

    def _read_delta(self, event: Mapping[str, Any]) -> None:
        delta, stated = event.get("delta"), event.get("usage")
        if isinstance(delta, Mapping) and delta.get("stop_reason") is not None:
            self._reason = delta["stop_reason"]
        if not isinstance(stated, Mapping):
            return
        # Figures are cumulative: they replace, they never add. The three of input are one group, since some servers
        # count the cache inside `input_tokens` at the start and split it here.
        if sum(count(stated.get(name)) or 0 for name in INPUT_FIELDS):
            self._stated.update({name: stated.get(name) for name in INPUT_FIELDS})
            self._stated["input_tokens"] = count(stated.get("input_tokens")) or 0
        self._stated.update(
            {name: value for name, value in stated.items() if name not in INPUT_FIELDS and value is not None}
        )
        usage = anthropic_usage(self._stated)
        if usage and count(stated.get("output_tokens")) is not None:
            self.usage, self.input_known = usage, usage.input_total

    @property
    def cacheable(self) -> bool:
        return self.complete and self._reason in FINISHED and self.usage is not None

    def text_in(self, events: bytes) -> str:
        return all_said(SAID, events)

    def error_event(self, error: Refused, request_id: str) -> bytes:
        return errors.anthropic_event(error, request_id)


def block_texts(block: Any) -> list[str]:
    """What a content block of an answer says: text, thinking, a compaction's summary, a tool's name and input."""
    if not isinstance(block, Mapping):
        return []
    found = list(strings(block, "text", "thinking", "name", "content"))
    if block.get("input"):
        found.append(compact(block["input"]))
    return found
