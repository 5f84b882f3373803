"""Gemini's streams, in both framings: server-sent events (`alt=sse`) and one JSON array sent in pieces.

Chunks carry running totals: the last wins, and a chunk without usage erases nothing. No event says "done": a stream is
whole when each of its candidates has a finish reason (or the prompt was blocked), and the array is closed.
"""

from collections.abc import Mapping
from typing import Any

from greyfox_core.dialects import errors
from greyfox_core.dialects.json_array import ArrayScanner
from greyfox_core.dialects.received import Received
from greyfox_core.dialects.sse import SseReader, data_of, loaded, split
from greyfox_core.dialects.texts import compact, objects, strings
from greyfox_core.dialects.usage import count, gemini_usage
from greyfox_core.errors import Refused
from greyfox_core.values.usage import Usage


class Progress:
    """What the chunks of an answer have said so far."""

    def __init__(self, choices: int) -> None:
        self.usage: Usage | None = None
        self.failed = False
        self._choices = choices
        self._reasons: dict[int, str | None] = {}  # by candidate; None: not finished
        self._blocked = False

    def take(self, chunk: Mapping[str, Any]) -> None:
        self.usage = gemini_usage(chunk.get("usageMetadata")) or self.usage
        self.failed = self.failed or chunk.get("error") is not None
        feedback = chunk.get("promptFeedback")
        self._blocked = self._blocked or (isinstance(feedback, Mapping) and feedback.get("blockReason") is not None)
        for candidate in objects(chunk.get("candidates")):
            index, reason = count(candidate.get("index")) or 0, candidate.get("finishReason")
            self._reasons[index] = reason if isinstance(reason, str) else self._reasons.get(index)

    @property
    def complete(self) -> bool:
        finished = bool(self._reasons) and None not in self._reasons.values()
        return not self.failed and (finished or self._blocked)

    @property
    def cacheable(self) -> bool:
        reasons = list(self._reasons.values())
        return self.complete and not self._blocked and reasons == ["STOP"] * self._choices and self.usage is not None


class GeminiSseReader(SseReader):
    def __init__(self, choices: int) -> None:
        super().__init__()
        self._progress = Progress(choices)

    def matters(self, block: bytes) -> bool:
        return (
            b"usageMetadata" in block or b"finishReason" in block or b'"error"' in block or b"promptFeedback" in block
        )

    def read(self, data: bytes) -> bool:
        self._progress.take(loaded(data))
        self.usage = self._progress.usage
        self.input_known = self.usage.input_total if self.usage else None
        self.failed, self.complete = self._progress.failed, self._progress.complete
        return False

    @property
    def cacheable(self) -> bool:
        return self._progress.cacheable

    def text_in(self, events: bytes) -> str:
        return "".join(chunk_text(loaded(data_of(event))) for event in split(events))

    def error_event(self, error: Refused, request_id: str) -> bytes:
        return errors.gemini_event(error, request_id)


class GeminiArrayReader:
    """The array form: nothing can be said inside it but chunks, so a cut stream just ends without its bracket."""

    def __init__(self, choices: int) -> None:
        self._progress = Progress(choices)
        self._scanner = ArrayScanner()
        self._received = Received(self._text_in)

    @property
    def usage(self) -> Usage | None:
        return self._progress.usage

    @property
    def complete(self) -> bool:
        return self._scanner.closed and self._progress.complete

    @property
    def failed(self) -> bool:
        return self._progress.failed

    @property
    def cacheable(self) -> bool:
        return self._scanner.closed and self._progress.cacheable

    @property
    def input_known(self) -> int | None:
        return self._progress.usage.input_total if self._progress.usage else None

    def feed(self, data: bytes) -> bytes:
        for chunk in self._scanner.feed(data):
            self._received.add(chunk)
            self._progress.take(loaded(chunk))
        return data

    def finish(self) -> bytes:
        return b""

    def cut(self, error: Refused, request_id: str) -> bytes:
        return b""

    def received_text(self) -> str:
        return self._received.text()

    def received_chars(self) -> int:
        return self._received.chars()

    def _text_in(self, chunks: bytes) -> str:
        return "".join(chunk_text(loaded(chunk)) for chunk in ArrayScanner().feed(chunks))


def chunk_text(chunk: Mapping[str, Any]) -> str:
    """What a chunk, or a plain answer, says: text, thoughts, code, function calls."""
    found: list[str] = []
    for candidate in objects(chunk.get("candidates")):
        content = candidate.get("content")
        for part in objects(content.get("parts")) if isinstance(content, dict) else ():
            found += strings(part, "text")
            found += strings(part.get("executableCode"), "code")
            call = part.get("functionCall")
            found += strings(call, "name")
            if isinstance(call, dict) and call.get("args"):
                found.append(compact(call["args"]))
    return "".join(found)
