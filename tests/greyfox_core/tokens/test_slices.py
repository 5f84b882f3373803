"""Long texts are cut where tokens end."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from greyfox_core.tokens.encodings import Encodings
from greyfox_core.tokens.slices import SLICE, slices

WORDS = st.lists(st.sampled_from(["word", "über", "漢字", "x1", "foo()", "a.b", "\n", "\n    ", " ", "it's", "12345"]))


@given(st.text(), st.integers(min_value=2, max_value=40))
def test_the_slices_make_up_the_text(text: str, size: int) -> None:
    parts = list(slices(text, size))
    assert "".join(parts) == text
    assert all(0 < len(part) <= size for part in parts)


def test_a_short_text_is_one_slice_and_an_empty_one_none() -> None:
    assert list(slices("a" * SLICE)) == ["a" * SLICE]
    assert list(slices("")) == []


def test_a_text_that_grows_keeps_its_slices() -> None:
    text = "some words that go on " * 2_000
    before, after = list(slices(text)), list(slices(text + "and on"))
    assert after[: len(before) - 1] == before[:-1]


@pytest.fixture(scope="module")
def encodings() -> Encodings:
    made = Encodings()
    made.get("o200k_base")  # not in the first example's time
    return made


@example(words=["word", "word", *["\n"] * 6, "über"], size=25)
@given(words=WORDS, size=st.integers(min_value=24, max_value=60))
def test_cuts_at_white_space_never_undercount(encodings: Encodings, words: list[str], size: int) -> None:
    encode = encodings.get("o200k_base").encode_ordinary
    text = " ".join(words)
    parts = list(slices(text, size))
    whole, cut = len(encode(text)), sum(len(encode(part)) for part in parts)
    assert whole <= cut <= whole + max(0, len(parts) - 1)
