"""What the cache asks of the place where entries are kept, so that a disk or a Redis tier can stand behind memory.

Units: seconds on the clock that a request's other durations use; sizes are bytes.
"""

from dataclasses import field
from datetime import datetime
from typing import Protocol

from greyfox_core.record import record
from greyfox_core.values.usage import Usage


@record
class Entry:
    """One whole, successful answer, as it went to the first client.

    `headers` are those that belong to the answer (content-type …), without what is said of one request. `usage` is what
    the provider billed for it. `upstream` and `model` answered it. `stored_at` is monotonic, `stored` is the moment
    for people; `ttl` is how long it may be served.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    usage: Usage
    upstream: str
    model: str
    stored_at: float
    stored: datetime
    ttl: float
    tags: frozenset[str] = field(default_factory=frozenset)

    def age(self, now: float) -> int:
        """Whole seconds since it was stored; `now` is monotonic."""
        return max(0, int(now - self.stored_at))

    def left(self, now: float) -> int:
        """Whole seconds that it may still be served."""
        return max(0, int(self.stored_at + self.ttl - now))


@record
class Stats:
    """Since the start, but for `entries` and `size`, which are now. `refused` were too large to be kept."""

    entries: int
    size: int
    hits: int
    misses: int
    stored: int
    evicted: int
    refused: int


class Entries(Protocol):
    """Where entries are. A broken tier raises nothing: what cannot be read is a miss, what cannot be kept is lost."""

    async def get(self, key: bytes, *, max_age: float | None = None) -> Entry | None:
        """The entry, no older than `max_age` seconds and within its TTL."""
        ...

    def put(self, key: bytes, entry: Entry) -> bool:
        """Take the entry over and return at once; False where it is too large. A slower tier is written behind."""
        ...

    async def clear(self) -> int:
        """Forget every entry; how many there were."""
        ...

    def stats(self) -> Stats:
        """Figures for metrics and the command line."""
        ...

    def resize(self, *, max_bytes: int, max_entry: int) -> None:
        """New bounds in bytes, in force at once; the least recently used entries go where there is less room."""
        ...
