import pytest

from tests.greyfox_core.quota.house import attempt, cost


def test_the_facts_of_an_attempt_do_not_change() -> None:
    with pytest.raises(AttributeError):
        attempt().model = "another"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        cost(1, 1).estimated = True  # type: ignore[misc]


def test_the_tags_that_attempts_without_any_share_do_not_change() -> None:
    with pytest.raises(TypeError):
        attempt().tags["project"] = "x"  # type: ignore[index]
