import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import mean, percentile, ratio, settled, slope


@pytest.mark.parametrize(("part", "found"), [(50, 50.0), (99, 99.0), (99.9, 100.0), (100, 100.0), (1, 1.0)])
def test_a_percentile_is_the_smallest_value_that_so_many_per_cent_do_not_exceed(part: float, found: float) -> None:
    assert percentile([number * 1000 for number in range(100, 0, -1)], part) == found


def test_nothing_has_neither_percentile_nor_mean() -> None:
    assert percentile([], 50) is None
    assert mean([]) is None


@given(st.lists(st.integers(0, 10**9), min_size=1), st.floats(0, 100))
def test_a_percentile_is_one_of_the_values(values: list[int], part: float) -> None:
    assert percentile(values, part) in {round(value / 1000, 2) for value in values}


def test_a_mean_is_in_milliseconds() -> None:
    assert mean([1000, 2000, 6000]) == 3.0


@pytest.mark.parametrize(
    ("value", "base", "found"), [(3.0, 2.0, 1.5), (None, 2.0, None), (3.0, None, None), (3, 0, None)]
)
def test_a_ratio_needs_both(value: float | None, base: float | None, found: float | None) -> None:
    assert ratio(value, base) == found


def test_a_slope_is_what_y_grows_by() -> None:
    assert slope([(minute, 100 + 3 * minute) for minute in range(10)]) == pytest.approx(3)
    assert slope([(0, 5), (1, 5), (2, 5)]) == 0


@pytest.mark.parametrize("points", [[], [(1.0, 2.0)], [(1.0, 2.0), (1.0, 4.0)]])
def test_too_few_points_have_no_slope(points: list[tuple[float, float]]) -> None:
    assert slope(points) == 0


def test_what_is_seen_in_the_first_third_does_not_count() -> None:
    points = [(float(minute), 0.0) for minute in range(31)]
    assert [minute for minute, _ in settled(points)] == list(range(10, 31))
    assert settled([]) == []
