from random import Random
from statistics import fmean, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.lognormal import lognormal


def test_the_parameters_of_the_seed_run() -> None:
    found = lognormal(1.2, 3.1)
    assert found.mu == pytest.approx(0.0803, abs=1e-4)
    assert found.sigma == pytest.approx(0.4518, abs=1e-4)


@given(st.floats(0.01, 100), st.floats(1.01, 14))
def test_mean_and_p99_are_as_asked(mean: float, times: float) -> None:
    found = lognormal(mean, mean * times)
    assert found.mean == pytest.approx(mean)
    assert found.p99 == pytest.approx(mean * times)


@pytest.mark.parametrize(("mean", "p99"), [(1.2, 1.2), (1.2, 1.0), (0, 1), (1, 16)])
def test_what_no_lognormal_distribution_has_is_refused(mean: float, p99: float) -> None:
    with pytest.raises(ValueError, match="mean"):
        lognormal(mean, p99)


def test_delays_are_drawn_from_it() -> None:
    random = Random(1)
    drawn = [lognormal(1.2, 3.1).draw(random) for _ in range(100_000)]
    assert fmean(drawn) == pytest.approx(1.2, rel=0.02)
    assert quantiles(drawn, n=100)[98] == pytest.approx(3.1, rel=0.03)
