import pytest

from bench.ratios import Change, changes, ratios_of, table


@pytest.mark.parametrize(
    ("figure", "before", "now", "worse"),
    [
        ("ratio", 10.0, 8.6, False),
        ("ratio", 10.0, 8.4, True),
        ("ratio", 10.0, 20.0, False),
        ("cpu_ratio", 0.5, 0.57, False),
        ("cpu_ratio", 0.5, 0.58, True),
        ("cpu_ratio", 0.5, 0.1, False),
        ("ratio", None, 1.0, False),
        ("ratio", 1.0, None, False),
    ],
)
def test_only_the_worse_side_beyond_the_tolerance_counts(
    figure: str, before: float | None, now: float | None, worse: bool
) -> None:
    assert Change("fast, hits", figure, before, now, tolerance=0.15).worse is worse


def test_ratios_are_those_of_greyfox_alone() -> None:
    runs = [
        {"name": "stock, misses", "ratio": 1.0, "cpu_ratio": 1.0},
        {"name": "flow, misses", "ratio": 1.3, "cpu_ratio": 0.8},
        {"name": "fast, hits at 200/s", "ratio": None, "cpu_ratio": 0.3},
        {"name": "fast, 401", "ratio": None, "cpu_ratio": None},
    ]
    assert ratios_of({"runs": runs}) == {
        "flow, misses": {"ratio": 1.3, "cpu_ratio": 0.8},
        "fast, hits at 200/s": {"cpu_ratio": 0.3},
    }


def test_what_only_one_side_has_is_told_and_fails_nothing() -> None:
    found = changes({"a": {"ratio": 1.0}}, {"b": {"ratio": 2.0}}, 0.15)
    assert [(change.name, change.state, change.worse) for change in found] == [
        ("a", "not measured", False),
        ("b", "new", False),
    ]


def test_the_table_says_what_is_worse() -> None:
    text = table(changes({"a": {"ratio": 2.0}}, {"a": {"ratio": 1.0}}, 0.15))
    assert text.splitlines()[-1].split() == ["a", "requests", "a", "second", "2", "1", "-50%", "worse"]
