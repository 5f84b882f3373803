from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.quota.bucket import LeakyBucket


def test_a_burst_passes_at_once_and_the_next_one_waits() -> None:
    bucket = LeakyBucket(rate=1.0, burst=10.0)
    assert [bucket.take(1, 0.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(1, 0.0) == 1.0


def test_a_refused_amount_does_not_fill_the_bucket() -> None:
    bucket = LeakyBucket(rate=1.0, burst=2.0)
    bucket.take(2, 0.0)
    assert bucket.take(2, 0.0) == bucket.take(2, 0.0) == 2.0


def test_it_drains_to_empty_and_no_further() -> None:
    bucket = LeakyBucket(rate=2.0, burst=10.0)
    bucket.take(10, 0.0)
    assert bucket.wait(10, 2.0) == 3.0
    assert bucket.wait(10, 1000.0) == 0.0
    assert bucket.take(10, 1000.0) == 0.0
    assert bucket.take(1, 1000.0) == 0.5


def test_what_is_larger_than_the_burst_passes_when_the_bucket_is_empty() -> None:
    bucket = LeakyBucket(rate=1.0, burst=10.0)
    assert bucket.take(25, 0.0) == 0.0
    assert bucket.take(1, 0.0) == 16.0  # 25 must drain to 9 first
    assert bucket.wait(25, 25.0) == 0.0


def test_what_was_not_used_after_all_comes_out_again() -> None:
    bucket = LeakyBucket(rate=1.0, burst=10.0)
    bucket.take(10, 0.0)
    bucket.add(-4, 0.0)
    assert bucket.take(4, 0.0) == 0.0
    bucket.add(-100, 0.0)
    assert bucket.wait(10, 0.0) == 0.0


def test_a_clock_that_goes_back_drains_nothing() -> None:
    bucket = LeakyBucket(rate=1.0, burst=1.0)
    bucket.take(1, 100.0)
    assert bucket.take(1, 50.0) == 1.0


@given(
    st.floats(0.01, 1000),
    st.floats(1, 1000),
    st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 2000)), max_size=30),
)
def test_whoever_waits_as_long_as_told_finds_room(rate: float, burst: float, steps: list[tuple[float, float]]) -> None:
    bucket, now = LeakyBucket(rate, burst), 0.0
    for pause, amount in steps:
        now += pause
        if wait := bucket.take(amount, now):
            now += wait
            assert bucket.take(amount, now) == 0.0


@given(st.floats(0.1, 100), st.integers(1, 50), st.lists(st.floats(0, 2), max_size=200))
def test_no_more_passes_than_the_burst_and_the_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, now, passed = LeakyBucket(rate, float(burst)), 0.0, 0
    for pause in pauses:
        now += pause
        passed += bucket.take(1, now) == 0.0
        assert passed <= burst + rate * now + 1e-3
