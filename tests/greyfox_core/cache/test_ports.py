"""An entry knows its age and what is left of its time."""

from datetime import UTC, datetime

import pytest

from greyfox_core.cache.memory import MemoryCache
from greyfox_core.cache.ports import Entries, Entry
from greyfox_core.clock import ManualClock
from greyfox_core.values.usage import Usage


@pytest.mark.parametrize(
    ("now", "age", "left"),
    [(100.0, 0, 60), (100.9, 0, 59), (101.0, 1, 59), (160.0, 60, 0), (170.0, 70, 0), (99.0, 0, 61)],
)
def test_age_and_time_left_are_whole_seconds(now: float, age: int, left: int) -> None:
    entry = Entry(200, (), b"", Usage(), "openai", "gpt-4o", stored_at=100, stored=datetime.now(UTC), ttl=60)
    assert (entry.age(now), entry.left(now)) == (age, left)


def test_memory_is_a_place_for_entries() -> None:
    place: Entries = MemoryCache(ManualClock(), max_bytes=1, max_entry=1)
    assert place.stats().entries == 0
