import dataclasses

import pytest

from tests.greyfox_core.quota.house import attempt, cost


def test_the_facts_of_an_attempt_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        attempt().model = "another"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        cost(1, 1).estimated = True  # type: ignore[misc]


def test_two_attempts_share_no_tags() -> None:
    assert attempt().tags is not attempt().tags
