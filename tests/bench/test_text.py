import pytest

from bench.text import Cell, table, written


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "–"),
        ("ok", "ok"),
        (0, "0"),
        (26890, "26,890"),
        (12345.6, "12,346"),
        (45.84, "45.8"),
        (1.2345, "1.23"),
        (0.0351, "0.0351"),
    ],
)
def test_a_number_has_as_many_digits_as_a_reader_can_use(cell: Cell, text: str) -> None:
    assert written(cell) == text


def test_numbers_stand_right() -> None:
    assert table(("", "req/s"), [("stock", 1100), ("fast", None)]) == "       req/s\nstock  1,100\nfast       –"
