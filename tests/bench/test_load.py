from bench.load import requests_of
from bench.plan import Plan


def plan(body: str, **more: int) -> Plan:
    return Plan(8080, "/v1/x", body, ("one", "two"), (("x-a", "b"),), 1, **more)


def test_keys_take_turns_and_numbers_go_up() -> None:
    make = requests_of(plan('{"n": "{nonce}"}', first_nonce=7))
    made = [make(number) for number in range(3)]
    assert [b"Bearer two" in request for request in made] == [True, False, True], "as odd numbers do"
    assert [request.partition(b"\r\n\r\n")[2] for request in made] == [b'{"n": "%012d"}' % nonce for nonce in (7, 8, 9)]


def test_numbers_of_a_cycle_come_again() -> None:
    make = requests_of(plan("{nonce}", cycle=2))
    assert make(0) == make(2)
    assert make(0) != make(1)


def test_the_length_that_a_request_states_is_that_of_its_body() -> None:
    for body in ("grün {nonce}", "fixed"):
        head, _, content = requests_of(plan(body))(5).partition(b"\r\n\r\n")
        assert b"content-length: %d" % len(content) in head
        assert b"x-a: b\r\n" in head
