import json

import pytest

from bench.asks import body


@pytest.mark.parametrize("size", [1_000, 10_000, 1_000_000])
@pytest.mark.parametrize("unique", [True, False])
def test_a_body_is_as_long_as_asked_once_its_number_is_in(size: int, unique: bool) -> None:
    made = body(unique=unique, size=size).replace("{nonce}", "0" * 12)
    assert len(made.encode()) == size
    json.loads(made)


def test_only_unique_bodies_have_a_number() -> None:
    assert body(unique=True).count("{nonce}") == 1
    assert "{nonce}" not in body(unique=False)


def test_a_stream_says_how_many_events_it_wants_unless_they_are_as_always() -> None:
    assert " In 500 events." in body(unique=True, stream=True, events=500)
    assert " events." not in body(unique=True, stream=True)
