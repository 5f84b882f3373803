"""A plain JSON answer that comes in pieces, read when it is whole.

Units:   `MAX_ANSWER` is bytes; of a longer answer nothing is known but how long it is.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from greyfox_core.errors import Refused
from greyfox_core.values.usage import Usage

MAX_ANSWER = 64 * 1024 * 1024


class PlainAnswers(Protocol):
    """What a dialect says about plain answers."""

    def usage(self, answer: Mapping[str, Any]) -> Usage | None: ...

    def plain_complete(self, answer: Mapping[str, Any]) -> bool: ...

    def output_text(self, answer: Mapping[str, Any]) -> str: ...


class PlainReader:
    """A `StreamReader` for an answer that is one JSON object. It is read once, at `finish`."""

    def __init__(self, dialect: PlainAnswers) -> None:
        self.usage: Usage | None = None
        self.complete = False
        self.failed = False
        self.cacheable = False
        self.input_known: int | None = None
        self._dialect = dialect
        self._pieces: list[bytes] = []
        self._length = 0
        self._text = ""

    def feed(self, data: bytes) -> bytes:
        self._length += len(data)
        if self._length <= MAX_ANSWER:
            self._pieces.append(data)
        else:
            self._pieces.clear()
        return data

    def finish(self) -> bytes:
        whole = b"".join(self._pieces)
        self._pieces.clear()
        try:
            answer = orjson.loads(whole)
        except orjson.JSONDecodeError:
            return b""
        if isinstance(answer, dict):
            self.failed = answer.get("error") is not None
            self.complete = not self.failed
            self.usage = self._dialect.usage(answer)
            self.cacheable = self.complete and self._dialect.plain_complete(answer)
            self._text = self._dialect.output_text(answer)
        return b""

    def cut(self, error: Refused, request_id: str) -> bytes:
        return b""  # half a JSON object has no place for an error

    def received_text(self) -> str:
        return self._text

    def received_chars(self) -> int:
        return len(self._text)
