"""Entries in memory: within their TTL, within the bounds, the least recently used goes first."""

import gc

import pytest

from greyfox_core.cache.memory import AT_ONCE, OVERHEAD, MemoryCache, size_of
from greyfox_core.cache.ports import Entry
from greyfox_core.clock import ManualClock
from greyfox_core.values.usage import Usage


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def memory(clock: ManualClock) -> MemoryCache:
    return MemoryCache(clock, max_bytes=3 * size_of(entry(clock)), max_entry=2_000)


def entry(clock: ManualClock, *, body: bytes = b"x" * 1_000, ttl: float = 60) -> Entry:
    return Entry(
        status=200,
        headers=(),
        body=body,
        usage=Usage(1, 2),
        upstream="openai",
        model="gpt-4o",
        stored_at=clock.monotonic(),
        stored=clock.now(),
        ttl=ttl,
    )


async def test_what_is_put_comes_back(memory: MemoryCache, clock: ManualClock) -> None:
    kept = entry(clock)
    assert memory.put(b"a", kept)
    assert await memory.get(b"a") == kept
    assert await memory.get(b"b") is None


async def test_an_entry_ends_with_its_ttl(memory: MemoryCache, clock: ManualClock) -> None:
    memory.put(b"a", entry(clock, ttl=10))
    clock.advance(9.9)
    assert await memory.get(b"a")
    clock.advance(0.1)
    assert await memory.get(b"a") is None


async def test_a_caller_can_ask_for_a_younger_one(memory: MemoryCache, clock: ManualClock) -> None:
    memory.put(b"a", entry(clock))
    clock.advance(5)
    assert await memory.get(b"a", max_age=4.9) is None
    assert await memory.get(b"a", max_age=5)
    assert await memory.get(b"a")  # it is still there for others


async def test_the_least_recently_used_goes_first(memory: MemoryCache, clock: ManualClock) -> None:
    for key in (b"a", b"b", b"c"):
        memory.put(key, entry(clock))
    await memory.get(b"a")
    memory.put(b"d", entry(clock))
    assert [await memory.get(key) is not None for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert memory.stats().evicted == 1


async def test_an_expired_entry_goes_before_a_living_one(memory: MemoryCache, clock: ManualClock) -> None:
    memory.put(b"old", entry(clock, ttl=100))
    memory.put(b"expired", entry(clock, ttl=1))
    memory.put(b"new", entry(clock, ttl=100))
    clock.advance(2)
    memory.put(b"newer", entry(clock, ttl=100))
    assert await memory.get(b"old")
    assert memory.stats().evicted == 0


async def test_an_entry_over_its_bound_is_not_kept(memory: MemoryCache, clock: ManualClock) -> None:
    assert not memory.put(b"a", entry(clock, body=b"x" * 2_001))
    assert memory.put(b"a", entry(clock, body=b"x" * 2_000))
    assert memory.stats().refused == 1


async def test_headers_and_overhead_count(clock: ManualClock) -> None:
    assert size_of(entry(clock, body=b"")) > OVERHEAD
    memory = MemoryCache(clock, max_bytes=size_of(entry(clock, body=b"")), max_entry=2_000)
    assert not memory.put(b"a", entry(clock, body=b"x"))
    assert memory.put(b"a", entry(clock, body=b""))


async def test_the_same_key_again_takes_the_place(memory: MemoryCache, clock: ManualClock) -> None:
    memory.put(b"a", entry(clock))
    memory.put(b"a", entry(clock, body=b"new"))
    found = await memory.get(b"a")
    assert found is not None
    assert found.body == b"new"
    assert memory.stats().entries == 1
    assert memory.stats().size == size_of(entry(clock, body=b"new"))


async def test_clearing_forgets_all_and_says_how_many(memory: MemoryCache, clock: ManualClock) -> None:
    memory.put(b"a", entry(clock))
    memory.put(b"b", entry(clock))
    assert await memory.clear() == 2
    assert await memory.get(b"a") is None
    assert memory.stats().size == 0


async def test_less_room_takes_effect_at_once_and_keeps_the_latest(memory: MemoryCache, clock: ManualClock) -> None:
    for key in (b"a", b"b", b"c"):
        memory.put(key, entry(clock))
    memory.resize(max_bytes=size_of(entry(clock)), max_entry=2_000)
    assert [await memory.get(key) is not None for key in (b"a", b"b", b"c")] == [False, False, True]
    memory.resize(max_bytes=0, max_entry=2_000)
    assert memory.stats().entries == 0


async def test_it_counts_what_happens(memory: MemoryCache, clock: ManualClock) -> None:
    await memory.get(b"a")
    memory.put(b"a", entry(clock))
    await memory.get(b"a")
    await memory.get(b"a", max_age=-1)
    stats = memory.stats()
    assert (stats.hits, stats.misses, stats.stored, stats.entries) == (1, 2, 1, 1)


async def test_an_entry_that_was_replaced_does_not_end_with_the_old_ones_ttl(
    memory: MemoryCache, clock: ManualClock
) -> None:
    memory.put(b"a", entry(clock, ttl=1))
    memory.put(b"a", entry(clock, ttl=100))
    clock.advance(2)
    memory.put(b"b", entry(clock))
    assert await memory.get(b"a")


async def test_what_was_replaced_is_not_remembered_for_ever(memory: MemoryCache, clock: ManualClock) -> None:
    for _ in range(5_000):
        memory.put(b"a", entry(clock))
    assert len(memory._expiring) < 2_000


async def test_no_entry_is_looked_at_by_the_garbage_collector(memory: MemoryCache, clock: ManualClock) -> None:
    memory.put(b"a", entry(clock))
    gc.collect()
    assert not any(gc.is_tracked(packed) for packed in memory._entries.values())


async def test_many_that_have_expired_are_taken_out_little_by_little(clock: ManualClock) -> None:
    memory = MemoryCache(clock, max_bytes=10**9, max_entry=2_000)
    for number in range(2 * AT_ONCE):
        memory.put(b"%d" % number, entry(clock, ttl=10))
    clock.advance(10)

    memory.put(b"new", entry(clock))
    assert memory.stats().entries == AT_ONCE + 1
    memory.put(b"newer", entry(clock))
    assert memory.stats().entries == 2


async def test_where_room_is_needed_all_that_have_expired_go_before_a_living_one(clock: ManualClock) -> None:
    memory = MemoryCache(clock, max_bytes=3 * AT_ONCE * size_of(entry(clock)), max_entry=2_000)
    memory.put(b"living", entry(clock, ttl=60))
    for number in range(3 * AT_ONCE - 1):
        memory.put(b"%d" % number, entry(clock, ttl=10))
    clock.advance(10)

    memory.resize(max_bytes=size_of(entry(clock)), max_entry=2_000)
    assert await memory.get(b"living")
    assert (memory.stats().entries, memory.stats().evicted) == (1, 0)
