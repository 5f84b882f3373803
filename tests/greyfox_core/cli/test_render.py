import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.cli.render import shown, write_csv, write_table


def test_numbers_stand_right_and_words_left(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("NAME", ">TOKENS", "STATE"), [("a", 1234567, "ok"), ("longer", 5, ""), ("寿司", 0, None)])
    assert capsys.readouterr().out.splitlines() == [
        "NAME       TOKENS  STATE",
        "a       1,234,567  ok",
        "longer          5  –",
        "寿司            0  –",
    ]


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("NAME", ">TOKENS"), [])
    assert capsys.readouterr().out == "NAME  TOKENS\n"


@given(st.text(min_size=1))
def test_no_cell_can_move_the_cursor_or_break_a_line(text: str) -> None:
    assert shown(text).isprintable()


def test_control_characters_are_spelled_out() -> None:
    assert shown("a\x1b[31m\r\nb\u202e") == r"a\x1b[31m\r\nb\u202e"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_csv_cell_is_a_formula(start: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv([{"name": f"{start}cmd()", "n": -5}, {"name": "a=b", "n": 1}], ("name", "n"))
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))
    assert rows == [["name", "n"], [f"'{start}cmd()", "-5"], ["a=b", "1"]]
