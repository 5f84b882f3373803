"""Variables of the environment in values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.config.expand import expanded, shielded, unshielded


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${A}", "1"),
        ("x${A}y${A}", "x1y1"),
        ("${NONE:-two}", "two"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-two}", "two"),
        ("${A:-two}", "1"),
        ("$A $ {A} a$", "$A $ {A} a$"),
        ("$${A}", "${A}"),
        ("${NESTED}", "${A}"),  # what comes out is never expanded again
        ("${NONE:-$A}", "$A"),
    ],
)
def test_forms_are_replaced_once(written: str, value: str) -> None:
    assert expanded(written, {"A": "1", "EMPTY": "", "NESTED": "${A}"}) == value


def test_a_variable_that_is_not_set_is_an_error() -> None:
    with pytest.raises(ValueError, match="no MISSING"):
        expanded("x${MISSING}", {"A": "1"})


@pytest.mark.parametrize("written", ["${", "${}", "${1A}", "${A", "${A-b}", "${A b}", "${A:-"])
def test_a_form_that_is_not_complete_is_an_error(written: str) -> None:
    with pytest.raises(ValueError, match="not complete"):
        expanded(written, {"A": "1"})


@given(st.text(alphabet="${}AB_:-, '\"#\né𝄞"))
def test_shielding_can_be_undone_and_moves_nothing(text: str) -> None:
    assert len(shielded(text)) == len(text)
    assert unshielded(shielded(text)) == text


def test_shielded_forms_hold_nothing_that_yaml_reads() -> None:
    assert not set("{}:,#'\" ") & set(shielded("${A:-b, 'c' #d}"))
