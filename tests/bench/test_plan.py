from array import array

from bench.plan import Plan, Result, plan_from_bytes, plan_to_bytes, result_from_bytes, result_to_bytes


def test_a_plan_arrives_as_it_was_sent() -> None:
    plan = Plan(8080, "/v1", '{"a": "{nonce}"}', ("k1", "k2"), (("x-a", "b"),), 1.5, rate=200, cycle=10, requests=3)
    assert plan_from_bytes(plan_to_bytes(plan)) == plan


def test_a_result_arrives_as_it_was_sent() -> None:
    # Latencies hold every byte there is, also line ends.
    result = Result(1.5, 2, 0.25, 1, 3, {"200": 2}, array("I", [10, 2**32 - 1]), array("I", [0x0A0A0A0A, 7]))
    assert result_from_bytes(result_to_bytes(result)) == result


def test_a_result_without_answers_arrives() -> None:
    assert result_from_bytes(result_to_bytes(Result())) == Result()
