from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.quota.attempt import Reservation
from greyfox_core.quota.reckoning import (
    PLAUSIBLE,
    Ask,
    Block,
    Room,
    booked,
    charge_of,
    fits,
    is_ample,
    room_for,
    used_up,
)
from greyfox_core.values.usage import Usage
from tests.greyfox_core.quota.house import NOON, attempt, cost, counter, quota


def ask(**words: Any) -> Ask:
    return Ask(**{"input_tokens": 10, "asked_cap": None, "model_max": 1000, **words})


def reservation(reserved_input: int = 100, reserved_output: int = 50) -> Reservation:
    return Reservation(1, attempt(), NOON, reserved_input, reserved_output, None, (), ())


@pytest.mark.parametrize(
    ("words", "left", "room"),
    [
        # the caller's own cap stands where it fits
        ({"asked_cap": 20}, 100, Room(10, 20, None)),
        ({"asked_cap": 20, "choices": 3}, 100, Room(10, 60, None)),
        # no cap: the model's maximum, or what is left, whichever is less
        ({}, 5000, Room(10, 1000, 1000)),
        ({}, 100, Room(10, 100, 100)),
        ({"choices": 3}, 100, Room(10, 99, 33)),
        # a cap above what is left, or above the model's maximum
        ({"asked_cap": 200}, 100, Room(10, 100, 100)),
        ({"asked_cap": 10**9}, 5000, Room(10, 1000, 1000)),
        # embeddings
        ({"produces_output": False}, 100, Room(10, 0, None)),
        ({"produces_output": False}, 0, Room(10, 0, None)),
        # the caller's own cap below the floor is the caller's affair
        ({"asked_cap": 1, "floor": 16}, 1, Room(10, 1, None)),
    ],
)
def test_what_a_hard_output_quota_leaves(words: dict[str, Any], left: int, room: Room) -> None:
    assert room_for(ask(**words), [counter(quota(output_tokens=left))]) == room


@pytest.mark.parametrize(
    ("words", "room"),
    [
        ({}, Room(10, 1000, None)),  # set aside for a crash, but nothing is written into the request
        ({"asked_cap": 20}, Room(10, 20, None)),
        ({"asked_cap": 2000}, Room(10, 2000, None)),
        ({"asked_cap": 10**15, "choices": 10**9}, Room(10, 2**40, None)),
    ],
)
@pytest.mark.parametrize("words_of_quota", [{"input_tokens": 10**6}, {"output_tokens": 1, "enforce": "soft"}])
def test_where_no_hard_quota_limits_output_the_request_stays_as_it_is(
    words: dict[str, Any], room: Room, words_of_quota: dict[str, Any]
) -> None:
    assert room_for(ask(**words), [counter(quota(**words_of_quota))]) == room
    assert room_for(ask(**words), []) == room


def test_the_tightest_of_several_quotas_decides() -> None:
    counters = [counter(quota(output_tokens=left)) for left in (500, 70, 300)]
    assert room_for(ask(), counters) == Room(10, 70, 70)


@pytest.mark.parametrize(
    ("sides", "words", "axis", "busy"),
    [
        ({"input": (95, 0)}, {}, "input", False),
        ({"input": (0, 95)}, {}, "input", True),
        ({"input": (90, 1)}, {}, "input", True),
        ({}, {"input_tokens": 101}, "input", False),  # larger than the whole
        ({"output": (100, 0)}, {}, "output", False),
        ({"output": (0, 100)}, {}, "output", True),
        ({"output": (0, 90)}, {"floor": 16}, "output", True),
        ({"output": (90, 0)}, {"floor": 16}, "output", False),
        ({"output": (80, 0)}, {"floor": 5, "choices": 5}, "output", False),
        ({"output": (120, 0)}, {}, "output", False),  # overshot
        ({"output": (0, 100), "input": (100, 0)}, {}, "input", False),  # used up tells more than busy
    ],
)
def test_busy_means_that_it_would_fit_but_for_requests_under_way(
    sides: dict[str, Any], words: dict[str, Any], axis: str, busy: bool
) -> None:
    block = room_for(ask(**words), [counter(quota(input_tokens=100, output_tokens=100), **sides)])
    assert isinstance(block, Block)
    assert (block.axis, block.busy) == (axis, busy)


def test_an_observing_quota_only_tells() -> None:
    one = counter(quota("watch", output_tokens=100, enforce="observe"), output=(100, 0))
    assert room_for(ask(asked_cap=20), [one]) == Room(10, 20, None, observed=("watch",))
    assert used_up([one], produces_output=True) is None


def test_a_soft_quota_admits_while_anything_is_left() -> None:
    one = counter(quota(output_tokens=100, enforce="soft"), output=(99, 0))
    assert used_up([one], produces_output=True) is None
    one.output.settled = 100
    assert used_up([one], produces_output=True) == Block(one, "output", 0, busy=False)
    assert used_up([one], produces_output=False) is None


@pytest.mark.parametrize("words", [{"input_tokens": -1}, {"asked_cap": -1}, {"choices": 0}, {"model_max": -1}])
def test_nonsense_is_an_error(words: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="asks for"):
        ask(**words)


def test_stated_figures_are_booked_as_they_are_and_the_excess_is_overshoot() -> None:
    settled = booked(reservation(), cost(120, 70, input_cached_read=30, output_reasoning=20))
    assert settled.usage == Usage(120, 70, 30, 0, 20)
    assert (settled.overshoot_input, settled.overshoot_output) == (20, 20)
    assert not settled.estimated


def test_an_estimate_stays_within_the_reservation() -> None:
    settled = booked(reservation(), cost(120, 70, estimated=True, input_cached_read=110))
    assert settled.usage == Usage(100, 50, 100)
    assert (settled.estimated, settled.overshoot_input, settled.overshoot_output) == (True, 0, 0)


@pytest.mark.parametrize(
    "figures", [(-1, 5), (5, -1), (PLAUSIBLE + 1, 5), (5, 10**12), (5, 5, -1), (5, 5, 0, -1), (5, 5, 0, 0, -1)]
)
def test_figures_that_cannot_be_true_are_replaced_by_the_reservation(figures: tuple[int, ...]) -> None:
    result = cost(0, 0)
    settled = booked(reservation(), type(result)(Usage(*figures), False, "complete"))
    assert settled.usage == Usage(100, 50)
    assert (settled.estimated, settled.implausible) == (True, True)
    assert (settled.overshoot_input, settled.overshoot_output) == (0, 0)


def test_four_times_a_large_reservation_is_plausible() -> None:
    large = PLAUSIBLE
    assert not booked(reservation(large, large), cost(4 * large, 4 * large)).implausible
    assert booked(reservation(large, large), cost(4 * large + 1, 0)).implausible


def test_a_part_is_never_greater_than_its_total() -> None:
    assert booked(reservation(), cost(10, 5, input_cached_read=99, output_reasoning=99)).usage == Usage(10, 5, 10, 0, 5)


def test_a_quota_can_leave_cached_input_out() -> None:
    usage = Usage(100, 5, input_cached_read=80)
    assert charge_of(counter(quota(input_tokens=1)), usage) == (100, 5)
    assert charge_of(counter(quota(input_tokens=1, count_cached_input=False)), usage) == (20, 5)


def test_whether_a_known_cost_fits() -> None:
    one = counter(quota(input_tokens=100, output_tokens=10), input=(50, 40))
    assert fits(Usage(10, 10), [one]) is None
    busy, full = fits(Usage(11, 10), [one]), fits(Usage(11, 11), [one])
    assert busy == Block(one, "input", 11, busy=True)
    assert full == Block(one, "output", 11, busy=False)


@given(
    st.lists(st.tuples(*[st.integers(0, 500)] * 6), min_size=1, max_size=4),
    st.integers(0, 300),
    st.none() | st.integers(0, 300),
    st.integers(0, 300),
    st.integers(1, 5),
    st.integers(1, 40),
)
def test_what_is_admitted_fits_everywhere_and_what_is_refused_does_not(
    figures: list[tuple[int, ...]], input_tokens: int, cap: int | None, maximum: int, choices: int, floor: int
) -> None:
    counters = [
        counter(quota(input_tokens=a, output_tokens=b), input=(c, d), output=(e, f)) for a, b, c, d, e, f in figures
    ]
    wanted = Ask(input_tokens, cap, maximum, choices, floor)
    natural = maximum if cap is None else min(cap, maximum)
    least = min(floor, natural) * choices
    match room_for(wanted, counters):
        case Room() as room:
            for one in counters:
                for side, amount in ((one.input, room.input), (one.output, room.output)):
                    assert amount == 0 or side.settled + side.reserved + amount <= (side.limit or 0)
            assert least <= room.output <= natural * choices
            assert room.cap is None or room.cap * choices == room.output
        case Block() as block:
            side = block.counter.input if block.axis == "input" else block.counter.output
            limit, needs = side.limit or 0, input_tokens if block.axis == "input" else least
            assert side.settled + side.reserved + needs > limit
            assert block.busy == (side.settled + needs <= limit)


@given(st.lists(st.tuples(*[st.integers(0, 10**6)] * 3), max_size=4), st.integers(0, 20_000))
def test_what_is_ample_is_refused_nowhere_not_even_64_times(figures: list[tuple[int, int, int]], tokens: int) -> None:
    counters = [counter(quota(input_tokens=a), input=(b, c)) for a, b, c in figures]
    fits_64_times = all(64 * tokens <= max(0, a - b - c) for a, b, c in figures)
    assert is_ample(tokens, counters) is fits_64_times
    if fits_64_times:
        assert isinstance(room_for(ask(input_tokens=64 * tokens), counters), Room)
