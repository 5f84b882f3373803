"""What an attempt cost whose upstream did not say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.forwarding.estimate import UNSEEN_PER_SECOND, Dropped, worst_case
from greyfox_core.values.usage import Usage

TOKENS = st.integers(0, 10**7)


def dropped(**facts: Any) -> Dropped:
    usual: dict[str, Any] = {
        "input_estimate": 50,
        "reserved_output": 10_000,
        "received": 37,
        "seconds": 2.0,
        "model": "gpt-4o",
    }
    return Dropped(**usual | facts)


def test_a_dropped_answer_costs_what_was_received_and_a_margin() -> None:
    assert dropped().usage(100) == Usage(50, 137)


def test_an_estimate_never_passes_what_was_set_aside() -> None:
    assert dropped(reserved_output=100).usage(100) == Usage(50, 100)


@pytest.mark.parametrize("facts", [{"model": "o3-mini"}, {"model": "gpt-5.4"}, {"thinks": True}])
def test_a_model_that_thinks_unseen_can_have_used_the_time(facts: dict[str, Any]) -> None:
    assert dropped(**facts).usage(100) == Usage(50, 2 * UNSEEN_PER_SECOND + 100)


def test_a_running_total_is_a_lower_bound() -> None:
    assert dropped(at_least=Usage(60, 500)).usage(100) == Usage(60, 500)
    assert dropped(at_least=Usage(60, 1)).usage(100) == Usage(60, 137)


def test_the_worst_case_is_all_that_was_set_aside() -> None:
    assert worst_case(50, 1000) == Usage(50, 1000)


@given(received=TOKENS, reserved=TOKENS, margin=st.integers(0, 1000), seconds=st.floats(0, 1e6), thinks=st.booleans())
def test_an_estimate_is_between_nothing_and_the_reservation(
    received: int, reserved: int, margin: int, seconds: float, thinks: bool
) -> None:
    usage = dropped(received=received, reserved_output=reserved, seconds=seconds, thinks=thinks).usage(margin)

    assert min(received, reserved) <= usage.output_total <= reserved
    assert usage.input_total == 50
