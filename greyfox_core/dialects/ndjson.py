"""Newline-delimited JSON, read in passing. Sans-IO; the bytes always go on as they came.

Units:   `MAX_LINE` is bytes; a longer line passes unread.
"""

from abc import ABC, abstractmethod

from greyfox_core.dialects.received import Received
from greyfox_core.errors import Refused
from greyfox_core.values.usage import Usage

MAX_LINE = 16 * 1024 * 1024


class NdjsonReader(ABC):
    """What a dialect's reader builds on: it says which lines matter and what they mean."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.complete = False
        self.failed = False
        self.input_known: int | None = None
        self.received = Received(self.text_in)
        self._pending = bytearray()
        self._too_long = False

    @abstractmethod
    def matters(self, block: bytes) -> bool:
        """A cheap look at whole lines: can any of them change what is known?"""

    @abstractmethod
    def read(self, line: bytes) -> None:
        """Take in one line. Whatever cannot be read is passed over."""

    @abstractmethod
    def text_in(self, lines: bytes) -> str:
        """The text that whole lines carry."""

    @abstractmethod
    def error_line(self, error: Refused, request_id: str) -> bytes:
        """The dialect's in-stream error."""

    @property
    @abstractmethod
    def cacheable(self) -> bool:
        """Complete, and every choice finished of its own accord, with usage stated."""

    def feed(self, data: bytes) -> bytes:
        end = data.rfind(b"\n") + 1
        if not end:
            self._pending += data
        else:
            block = bytes(self._pending) + data[:end]
            self._pending[:] = data[end:]
            if self._too_long:  # its end has come with this piece
                block = block[block.find(b"\n") + 1 :]
                self._too_long = False
            self._take(block)
        if len(self._pending) > MAX_LINE:
            self._pending.clear()
            self._too_long = True
        return data

    def finish(self) -> bytes:
        block = bytes(self._pending)
        self._pending.clear()
        if not self._too_long:
            self._take(block)
        return b""

    def cut(self, error: Refused, request_id: str) -> bytes:
        # With half a line at the client only breaking off tells it.
        return b"" if self._pending or self._too_long else self.error_line(error, request_id)

    def received_text(self) -> str:
        return self.received.text()

    def received_chars(self) -> int:
        return self.received.chars()

    def _take(self, block: bytes) -> None:
        if block:
            self.received.add(block)
            if self.matters(block):
                for line in block.splitlines():
                    self.read(line)
