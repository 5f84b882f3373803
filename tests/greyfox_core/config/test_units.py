"""Durations, sizes and comparisons as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.config.units import comparison, duration, size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90),
        (1.5, 1.5),
        ("90", 90),
        ("90s", 90),
        ("500ms", 0.5),
        ("15m", 900),
        ("1h", 3600),
        ("1.5h", 5400),
        ("30d", 2592000),
        ("2w", 1209600),
        (" 5 s ", 5),
        ("0", 0),
    ],
)
def test_durations_are_seconds(written: object, seconds: float) -> None:
    assert duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "s", "-1s", "5 fortnights", "1h30m", "1e3", "٣s", True, None, [], -1, float("nan"), float("inf")]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration(written)


def test_a_duration_that_would_overflow_a_date_is_refused() -> None:
    with pytest.raises(ValueError, match="hundred years"):
        duration("99999999d")


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (1024, 1024),
        ("1024", 1024),
        ("64KB", 64000),
        ("64KiB", 65536),
        ("32MiB", 33554432),
        ("10GB", 10**10),
        ("1.5KiB", 1536),
        ("10 gb", 10**10),
        ("5B", 5),
        ("1TB", 10**12),
    ],
)
def test_sizes_are_bytes(written: object, count: int) -> None:
    assert size(written) == count


@pytest.mark.parametrize("written", ["", "10G", "ten", "-5MB", "1.5", "0.3B", True, None, -1, 1.5])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="no size"):
        size(written)


def test_a_size_beyond_all_disks_is_refused() -> None:
    with pytest.raises(ValueError, match="petabytes"):
        size("99999999TB")


@pytest.mark.parametrize(
    ("written", "parsed"),
    [("<500", ("<", 500)), ("<=500", ("<=", 500)), (" >= 8000 ", (">=", 8000)), (">0", (">", 0)), ("=1", ("=", 1))],
)
def test_comparisons_are_a_sign_and_a_number(written: str, parsed: tuple[str, int]) -> None:
    assert comparison(written) == parsed


@pytest.mark.parametrize("written", ["", "500", "<", "=<5", "<-5", "<5k", "!=5", "<1.5"])
def test_what_is_no_comparison_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no comparison"):
        comparison(written)


@given(st.text(max_size=30))
def test_no_message_repeats_the_value(text: str) -> None:
    secret = f"zqx{text}zqx"
    for read in (duration, size, comparison):
        with pytest.raises(ValueError) as refused:
            read(secret)
        assert "zqx" not in str(refused.value)
