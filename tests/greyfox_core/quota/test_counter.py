from greyfox_core.quota.counter import Limits, Side
from tests.greyfox_core.quota.house import counter, quota


def test_what_is_left_counts_reservations_and_is_never_negative() -> None:
    assert Side(100, settled=30, reserved=50).left == 20
    assert Side(100, settled=80, reserved=50).left == 0
    assert Side(None, settled=80).left is None


def test_a_side_is_used_up_by_what_is_settled_alone() -> None:
    assert Side(100, settled=100).used_up
    assert Side(0).used_up
    assert not Side(100, settled=99, reserved=50).used_up
    assert not Side(None, settled=10**9).used_up


def test_an_override_holds_for_the_sides_that_it_states() -> None:
    assert Limits(None, 5).over(Limits(1, 2)) == Limits(1, 5)
    assert Limits(0, None).over(Limits(1, None)) == Limits(0, None)


def test_a_new_limit_leaves_what_is_used() -> None:
    one = counter(quota(input_tokens=10), input=(3, 4))
    one.limit(Limits(5, 6))
    assert (one.input.limit, one.input.settled, one.input.reserved, one.output.limit) == (5, 3, 4, 6)
