"""What of an answer's text has come, in bounded memory, for an estimate when its usage never comes.

Events are kept as bytes and read only when somebody asks, or when too many have gathered: most answers end with their
usage, and nobody ever asks.

Units:   `KEPT_BYTES` is bytes of raw events, `KEPT_TEXT` is characters.
"""

from collections.abc import Callable

KEPT_BYTES = 65_536
KEPT_TEXT = 262_144


class Received:
    """`extract` turns whole events, joined, into their text."""

    def __init__(self, extract: Callable[[bytes], str]) -> None:
        self._extract = extract
        self._raw: list[bytes] = []
        self._raw_bytes = 0
        self._texts: list[str] = []
        self._chars = 0
        self._read_bytes = 0
        self._beyond_bytes = 0

    def add(self, block: bytes) -> None:
        """Whole events, in the order they came."""
        if self._chars >= KEPT_TEXT:
            self._beyond_bytes += len(block)
            return
        self._raw.append(block)
        self._raw_bytes += len(block)
        if self._raw_bytes > KEPT_BYTES:
            self._read()

    def text(self) -> str:
        """The text so far, at most its first `KEPT_TEXT` characters."""
        self._read()
        return "".join(self._texts)

    def chars(self) -> int:
        """How many characters in all; what was not kept by the ratio of text to bytes so far."""
        self._read()
        if not self._beyond_bytes:
            return self._chars
        return self._chars + self._beyond_bytes * self._chars // self._read_bytes

    def _read(self) -> None:
        if not self._raw:
            return
        text = self._extract(b"".join(self._raw))
        self._read_bytes += self._raw_bytes
        self._raw.clear()
        self._raw_bytes = 0
        room = KEPT_TEXT - self._chars
        if len(text) > room:
            # What does not fit is counted as bytes of the average so far, like all that comes after it.
            cut = self._read_bytes * (len(text) - room) // (self._chars + len(text))
            self._read_bytes -= cut
            self._beyond_bytes += cut
            text = text[:room]
        self._texts.append(text)
        self._chars += len(text)
