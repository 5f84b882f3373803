"""The stand-in provider's own bill: one entry for each request that reached it.

Units: tokens. Input and output are totals in the normal form (cached input is part of input, reasoning is part of
output), whatever way the dialect states them. `at` is seconds since 1970 by the clock handed in.
"""

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.kit.watch import Watch


@dataclass(slots=True, eq=False)
class Entry:
    """One request as it arrived, and what it has cost up to now."""

    serial: int
    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case; a repeated header is joined by ", "
    body_bytes: bytes = b""  # after content-encoding
    body: Any = None  # decoded JSON; None where there is none
    dialect: str = ""
    endpoint: str = ""
    model: str = ""
    stream: bool = False
    status: int = 0  # 0: no head was sent
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    events_sent: int = 0
    sent: bytearray = field(default_factory=bytearray)  # the answer's body as it was handed to the socket
    completed: bool = False
    dropped_by_client: bool = False
    cut: bool = False  # the provider itself ended the connection early

    def as_json(self) -> dict[str, Any]:
        """For the admin path: bodies as text, the answer by its length."""
        plain = {name: value for name, value in asdict(self).items() if name not in ("body_bytes", "sent")}
        return plain | {"body_bytes": len(self.body_bytes), "sent_bytes": len(self.sent)}


@dataclass(slots=True)
class Totals:
    """Sums over every request since the start or the last reset, also those no longer kept."""

    requests: int = 0
    completed: int = 0
    dropped_by_client: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class Bill:
    """The entries, oldest first, and their totals. At most `keep` entries are kept; the totals count all."""

    def __init__(self, keep: int | None = None) -> None:
        self.entries: deque[Entry] = deque(maxlen=keep)
        self.totals = Totals()
        self.watch = Watch()

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.totals.requests += 1
        self.watch.changed()

    def charge(
        self, entry: Entry, *, input: int = 0, cached: int = 0, written: int = 0, output: int = 0, reasoning: int = 0
    ) -> None:
        """Book tokens on an entry and on the totals."""
        totals = self.totals
        entry.input_tokens += input
        totals.input_tokens += input
        entry.cached_tokens += cached
        totals.cached_tokens += cached
        entry.cache_write_tokens += written
        totals.cache_write_tokens += written
        entry.output_tokens += output
        totals.output_tokens += output
        entry.reasoning_tokens += reasoning
        totals.reasoning_tokens += reasoning

    def complete(self, entry: Entry) -> None:
        entry.completed = True
        self.totals.completed += 1
        self.watch.changed()

    def drop(self, entry: Entry) -> None:
        entry.dropped_by_client = True
        self.totals.dropped_by_client += 1
        self.watch.changed()

    def clear(self) -> None:
        self.entries.clear()
        self.totals = Totals()
