"""The text so far, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.dialects.received import KEPT_BYTES, KEPT_TEXT, Received


def half(block: bytes) -> str:
    """A stand-in for a dialect: every second byte is text."""
    return block[::2].decode("ascii")


@given(st.lists(st.integers(1, 40).map(lambda n: b"a" * 2 * n)))
def test_all_of_a_short_answer_is_there(blocks: list[bytes]) -> None:
    received = Received(half)
    for block in blocks:
        received.add(block)
    text = half(b"".join(blocks))
    assert (received.text(), received.chars()) == (text, len(text))
    assert received.text() == text  # asking changes nothing


def test_nothing_is_read_before_somebody_asks_or_much_has_gathered() -> None:
    reads = []

    def noting(block: bytes) -> str:
        reads.append(len(block))
        return half(block)

    received = Received(noting)
    received.add(b"a" * KEPT_BYTES)
    assert reads == []
    received.add(b"a" * 2)
    assert reads == [KEPT_BYTES + 2]


def test_of_a_long_answer_the_beginning_is_kept_and_the_rest_is_counted() -> None:
    received = Received(half)
    for _ in range(60):
        received.add(b"a" * 20_000)
    assert len(received.text()) == KEPT_TEXT
    assert abs(received.chars() - 600_000) <= 2


def test_an_answer_without_text_has_none() -> None:
    received = Received(lambda block: "")
    for _ in range(10):
        received.add(b"x" * KEPT_BYTES)
    assert (received.text(), received.chars()) == ("", 0)
