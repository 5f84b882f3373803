"""A model's factor follows what its provider states, near the top of it, and never far away."""

import random

import pytest

from greyfox_core.tokens.learning import Learned


def after(pairs: list[tuple[int, int]]) -> float:
    learned = Learned()
    for estimated, actual in pairs:
        learned.learn("m", estimated, actual)
    return learned.factor("m")


def test_an_unknown_model_is_as_it_began() -> None:
    assert Learned().factor("m") == 1.0


def test_it_goes_half_of_the_way_up_and_a_hundredth_of_the_way_down() -> None:
    assert after([(1000, 2000)]) == pytest.approx(1.55)  # half of the way to 2.1
    assert after([(1000, 500)]) == pytest.approx(1 - 0.475 / 100)


def test_it_ends_a_margin_above_a_steady_ratio_from_either_side() -> None:
    for ratio in (0.7, 1.9):
        learned = Learned()
        for _ in range(800):
            learned.learn("m", round(10_000 * learned.factor("m")), round(10_000 * ratio))
        assert learned.factor("m") == pytest.approx(1.05 * ratio, rel=0.01)


def test_it_settles_above_nearly_all_that_it_sees() -> None:
    draw = random.Random(7)
    learned = Learned()
    below = 0
    for turn in range(2_000):
        estimated = round(10_000 * learned.factor("m"))
        actual = round(10_000 * draw.uniform(1.0, 1.6))
        below += turn >= 500 and estimated < actual
        learned.learn("m", estimated, actual)
    assert below < 0.02 * 1_500
    assert learned.factor("m") < 1.05 * 1.6


@pytest.mark.parametrize(("actual", "bound"), [(10**9, 4.0), (1, 0.5)])
def test_it_stays_within_a_half_and_four_times(actual: int, bound: float) -> None:
    assert after([(1000, actual)] * 200) == bound


def test_short_prompts_and_nonsense_teach_nothing() -> None:
    assert after([(63, 6_300), (1_000, 0), (1_000, -5)]) == 1.0


def test_it_keeps_only_so_many_models() -> None:
    learned = Learned(models=2)
    for model in ("a", "b", "c"):
        learned.learn(model, 1_000, 3_000)
    assert [learned.factor(model) for model in ("a", "b", "c")] == [1.0, 2.075, 2.075]
