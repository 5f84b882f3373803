"""Entries in this process's memory, bounded by bytes: the least recently used goes first, an expired one at once."""

import sys
from math import inf

from cachetools import TLRUCache

from greyfox_core.cache.ports import Entry, Stats
from greyfox_core.clock import Clock

OVERHEAD = 1_536  # bytes that an entry takes beside its body and headers: objects, key, places in the indexes


class MemoryCache:
    """Not for threads: one loop uses it. `max_bytes` bounds all entries together, `max_entry` one body."""

    def __init__(self, clock: Clock, *, max_bytes: int, max_entry: int) -> None:
        # Unbounded by itself: the bound is kept in `_shrink`, so that it can change while entries stay.
        self._entries: TLRUCache[bytes, Entry] = TLRUCache(inf, ttu=_expiry, timer=clock.monotonic, getsizeof=_size)
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_entry = max_entry
        self._hits = self._misses = self._stored = self._evicted = self._refused = 0

    async def get(self, key: bytes, *, max_age: float | None = None) -> Entry | None:
        """See Entries."""
        entry: Entry | None = self._entries.get(key)
        if entry is None or (max_age is not None and self._clock.monotonic() - entry.stored_at > max_age):
            self._misses += 1
            return None
        self._hits += 1
        return entry

    def put(self, key: bytes, entry: Entry) -> bool:
        """See Entries."""
        if len(entry.body) > self._max_entry or _size(entry) > self._max_bytes:
            self._refused += 1
            return False
        self._entries[key] = entry
        self._stored += 1
        self._shrink()
        return True

    async def clear(self) -> int:
        """See Entries."""
        count = len(self._entries)
        self._entries.clear()
        return count

    def stats(self) -> Stats:
        """See Entries. Expired entries count until the next one is stored."""
        return Stats(
            entries=len(self._entries),
            size=int(self._entries.currsize),
            hits=self._hits,
            misses=self._misses,
            stored=self._stored,
            evicted=self._evicted,
            refused=self._refused,
        )

    def resize(self, *, max_bytes: int, max_entry: int) -> None:
        """See Entries."""
        self._max_bytes = max_bytes
        self._max_entry = max_entry
        self._entries.expire()
        self._shrink()

    def _shrink(self) -> None:
        while self._entries.currsize > self._max_bytes:
            self._entries.popitem()
            self._evicted += 1


def _expiry(_key: bytes, entry: Entry, _now: float) -> float:
    return entry.stored_at + entry.ttl


def _size(entry: Entry) -> int:
    headers = sum(sys.getsizeof(name) + sys.getsizeof(value) for name, value in entry.headers)
    return len(entry.body) + headers + sum(map(sys.getsizeof, entry.tags)) + OVERHEAD
