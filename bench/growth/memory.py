"""The store of cache entries alone: `python -m bench.growth.memory SIZE`.

Prints microseconds to store and to look up one entry of some 200 bytes among SIZE of them, and KB that each takes.
"""

import asyncio
import gc
import json
import sys
import time
from datetime import UTC, datetime
from random import Random

import psutil  # type: ignore[import-untyped]

from greyfox_core.cache.memory import MemoryCache
from greyfox_core.cache.ports import Entry
from greyfox_core.clock import SystemClock
from greyfox_core.values.usage import Usage

LOOKUPS = 200_000
BODY = 200  # bytes
ROOM = 2**34  # bytes: none is evicted
TTL = 3_600.0  # seconds


def entry(number: int, now: float, moment: datetime) -> Entry:
    """Each with a body of its own."""
    return Entry(
        status=200,
        headers=(("content-type", "application/json"),),
        body=f"{number:0{BODY}d}".encode(),
        usage=Usage(30, 50),
        upstream="openai",
        model="gpt-4o",
        stored_at=now,
        stored=moment,
        ttl=TTL,
    )


async def measure(size: int) -> dict[str, float]:
    """Fill, then look up at random."""
    clock = SystemClock()
    store = MemoryCache(clock, max_bytes=ROOM, max_entry=2**20)
    random = Random(1)
    names = [random.randbytes(32) for _ in range(size)]
    asked = random.choices(names, k=LOOKUPS)
    now, moment = clock.monotonic(), datetime.now(UTC)
    gc.collect()
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    for number, name in enumerate(names):
        store.put(name, entry(number, now, moment))
    filled = time.perf_counter()
    memory = psutil.Process().memory_info().rss - before
    looking = time.perf_counter()
    for name in asked:
        if await store.get(name) is None:
            raise SystemExit("an entry is missing")
    looked = time.perf_counter() - looking
    return {
        "put_us": round((filled - started) / size * 1e6, 2),
        "get_us": round(looked / LOOKUPS * 1e6, 2),
        "kb": round(memory / size / 1000, 2),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1])))))
