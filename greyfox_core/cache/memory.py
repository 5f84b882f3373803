"""Entries in this process's memory, bounded by bytes: an expired one goes first, then the least recently used.

Entries lie here as plain bytes. Hundreds of thousands of objects would each be looked at by every full garbage
collection, and all requests would wait for it; bytes are not.
"""

import heapq
import marshal
import sys
from datetime import datetime
from math import inf

from cachetools import LRUCache

from greyfox_core.cache.ports import Entry, Stats
from greyfox_core.clock import Clock
from greyfox_core.values.usage import Usage

HOT = 256  # entries
AT_ONCE = 100  # expired entries that a new one takes out: after a quiet night all of them may be due, and requests wait
OVERHEAD = 1_024  # bytes that an entry takes beside its body and headers: key, places in the indexes

Packed = tuple[float, bytes, bytes]
"""When it expires (monotonic seconds), everything but the body, the body."""


class MemoryCache:
    """Not for threads: one loop uses it. `max_bytes` bounds all entries together, `max_entry` one body."""

    def __init__(self, clock: Clock, *, max_bytes: int, max_entry: int) -> None:
        # Unbounded by itself: the bound is kept in `_shrink`, so that it can change while entries stay.
        self._entries: LRUCache[bytes, Packed] = LRUCache(inf, getsizeof=_size)
        self._expiring: list[tuple[float, bytes]] = []  # a heap; what was replaced meanwhile is passed over
        self._hot: dict[bytes, tuple[Packed, Entry]] = {}
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_entry = max_entry
        self._hits = self._misses = self._stored = self._evicted = self._refused = 0

    async def get(self, key: bytes, *, max_age: float | None = None) -> Entry | None:
        """See Entries."""
        now = self._clock.monotonic()
        packed = self._entries.get(key)
        if packed is not None and packed[0] <= now:
            del self._entries[key]
            packed = None
        entry = None if packed is None else self._opened(key, packed)
        if entry is None or (max_age is not None and now - entry.stored_at > max_age):
            self._misses += 1
            return None
        self._hits += 1
        return entry

    def _opened(self, key: bytes, packed: Packed) -> Entry:
        """What is asked for again and again is kept as an object, too."""
        hot = self._hot.get(key)
        if hot is None or hot[0] is not packed:
            if len(self._hot) >= HOT:
                self._hot.clear()
            hot = self._hot[key] = (packed, _unpacked(packed))
        return hot[1]

    def put(self, key: bytes, entry: Entry) -> bool:
        """See Entries."""
        packed = _packed(entry)
        if len(entry.body) > self._max_entry or _size(packed) > self._max_bytes:
            self._refused += 1
            return False
        self._entries[key] = packed
        heapq.heappush(self._expiring, (packed[0], key))
        self._stored += 1
        self._shrink()
        return True

    async def clear(self) -> int:
        """See Entries."""
        count = len(self._entries)
        self._entries.clear()
        self._expiring.clear()
        self._hot.clear()
        return count

    def stats(self) -> Stats:
        """See Entries. Expired entries count until some are stored after them."""
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
        self._shrink()

    def _shrink(self) -> None:
        now = self._clock.monotonic()
        for _ in range(AT_ONCE):
            if not self._drop_expired(now):
                break
        while self._entries.currsize > self._max_bytes:
            if not self._drop_expired(now):
                self._entries.popitem()
                self._evicted += 1
        if len(self._expiring) > 2 * len(self._entries) + 1_000:
            self._expiring = [(packed[0], key) for key, packed in self._entries.items()]
            heapq.heapify(self._expiring)

    def _drop_expired(self, now: float) -> bool:
        """Take the next one out that has expired; False where there is none."""
        if not self._expiring or self._expiring[0][0] > now:
            return False
        expires, key = heapq.heappop(self._expiring)
        if self._entries.get(key, (inf,))[0] == expires:
            del self._entries[key]
        return True


def _packed(entry: Entry) -> Packed:
    usage = entry.usage
    head = (
        entry.status,
        entry.headers,
        (
            usage.input_total,
            usage.output_total,
            usage.input_cached_read,
            usage.input_cache_write,
            usage.output_reasoning,
        ),
        entry.upstream,
        entry.model,
        entry.stored_at,
        entry.stored.isoformat(),
        entry.ttl,
        entry.tags,
    )
    return entry.stored_at + entry.ttl, marshal.dumps(head), entry.body


def _unpacked(packed: Packed) -> Entry:
    status, headers, usage, upstream, model, stored_at, stored, ttl, tags = marshal.loads(packed[1])
    return Entry(
        status=status,
        headers=headers,
        body=packed[2],
        usage=Usage(*usage),
        upstream=upstream,
        model=model,
        stored_at=stored_at,
        stored=datetime.fromisoformat(stored),
        ttl=ttl,
        tags=tags,
    )


def size_of(entry: Entry) -> int:
    """Bytes that an entry takes here in all."""
    return _size(_packed(entry))


def _size(packed: Packed) -> int:
    return len(packed[2]) + sys.getsizeof(packed[1]) + OVERHEAD
