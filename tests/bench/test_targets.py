from typing import Any

from bench.targets import Target, reached, table


def row(name: str, **figures: Any) -> dict[str, Any]:
    return {"name": name, **figures}


ROWS = [
    row("fast, hits", ratio=15.0, cpu_ratio=None),
    row("direct", first_byte_ms={"p99": 1.0}),
    row("fast", first_byte_ms={"p99": 3.5}),
]


def test_a_bound_is_reached_when_it_is_met_exactly() -> None:
    assert reached(Target("fast, hits", "ratio", 15), ROWS) == (15, True)
    assert reached(Target("fast, hits", "ratio", 14, at_least=False), ROWS) == (15, False)


def test_a_figure_may_count_beyond_that_of_another_run() -> None:
    assert reached(Target("fast", "first_byte_ms.p99", 2, at_least=False, beyond="direct"), ROWS) == (2.5, False)


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert reached(Target("fast, hits", "cpu_ratio", 1), ROWS) == (None, None)
    assert reached(Target("flow, hits", "ratio", 1), ROWS) == (None, None)
    assert reached(Target("fast", "first_byte_ms.p99", 2, beyond="stock"), ROWS) == (None, None)


def test_the_table_holds_what_was_measured() -> None:
    assert len(table(ROWS).splitlines()) == 2
    assert table([]) == ""
