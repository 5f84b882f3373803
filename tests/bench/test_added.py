import pytest

from bench.added import added, table
from bench.users import Asked


def miss(person: int, took: float, held: float, status: int = 200) -> Asked:
    return Asked(person, repeated=False, hit=False, status=status, took=round(took * 1e6), held=round(held * 1e6))


def hit(person: int, took: float) -> Asked:
    return Asked(person, repeated=True, hit=True, status=200, took=round(took * 1e6), held=0)


def test_what_a_miss_took_beyond_the_upstream_was_added() -> None:
    found = added("x", [miss(0, 1.003, 1.0), miss(1, 2.005, 2.0)], upstream_mean=1.0)
    assert found.added == pytest.approx(4.0)
    assert found.of_mean == pytest.approx(0.4)
    assert (found.hits, found.hit_p99) == (0, None)


def test_hits_count_apart() -> None:
    found = added("x", [miss(0, 1.0, 1.0), hit(0, 0.002), hit(0, 0.004)], upstream_mean=1.0)
    assert found.added == 0
    assert found.hits == pytest.approx(66.7, abs=0.1)
    assert (found.hit_p50, found.hit_p99) == (2.0, 4.0)


def test_the_throughput_allowed_is_that_of_people_who_wait_for_the_upstream_alone() -> None:
    found = added("x", [miss(0, 1.25, 1.0), miss(1, 1.25, 1.0)], upstream_mean=1.0)
    assert found.allowed == 80
    assert found.rate == pytest.approx(1.6)  # two people, each a question in 1.25 s


def test_failures_have_no_figures() -> None:
    found = added("x", [miss(0, 0.001, 0, status=503)], upstream_mean=1.0)
    assert (found.answers, found.failed, found.added) == (0, 1, None)
    assert "x" in table([found])
