from bench.growth.row import Row, as_json, kept, series, table

ROWS = [
    Row(10_000, "misses", 900.0, notes={"KB a connection": 12.0}),
    Row(1, "misses", 1000.0, p99=5.0),
    Row(1, "hits", 4000.0),
]


def test_a_rate_is_compared_with_that_of_the_smallest_size_of_the_same() -> None:
    assert [kept(row, ROWS) for row in ROWS] == [0.9, 1, 1]


def test_the_table_is_in_order_of_size_and_has_the_notes() -> None:
    lines = table("keys", ROWS).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["hits", "1"], ["misses", "1"], ["misses", "10,000"]]
    assert lines[0].endswith("KB a connection")


def test_a_plot_has_a_line_for_each_thing_that_was_done() -> None:
    assert series(ROWS, "kept") == {"misses": [(1, 1), (10_000, 0.9)], "hits": [(1, 1)]}
    assert series(ROWS, "KB a connection") == {"misses": [(10_000, 12)]}
    assert series(ROWS, "p99") == {"misses": [(1, 5)]}


def test_a_file_has_the_notes_too() -> None:
    assert as_json(ROWS)[0]["KB a connection"] == 12
