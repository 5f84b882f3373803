"""What the figures are to reach. Pure. Bounds are of figures of one run; they are told, and fail nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import text
from bench.report import Row


@dataclass(frozen=True)
class Target:
    """`figure` of the run `name` is to be at least, or at most, `bound`; less the same figure of `beyond`, if named."""

    name: str
    figure: str
    bound: float
    at_least: bool = True
    beyond: str | None = None


TARGETS = (
    Target("fast, hits", "ratio", 15),
    Target("fast, misses", "ratio", 3),
    Target("fast, 429", "ratio", 15),
    Target("fast, 401", "ratio", 15),
    Target("fast, streams", "cpu_ratio", 0.7, at_least=False),
    Target("fast, streams at 200/s", "first_byte_ms.p99", 2, at_least=False, beyond="direct, streams at 200/s"),
    Target("flow, misses", "ratio", 1.2),
    Target("flow, hits", "ratio", 2),
    Target("fast, streams at 200/s", "memory_mib", 150, at_least=False),
    Target("flow, streams at 200/s", "memory_mib", 150, at_least=False),
)
WORDS = {
    "ratio": "requests a second, × stock",
    "cpu_ratio": "CPU a request, × stock",
    "first_byte_ms.p99": "first byte p99, ms beyond direct",
    "memory_mib": "resident MiB after the run",
}


def figure(row: Row | None, path: str) -> float | None:
    """A figure of a row by its name, with dots for what lies deeper; None where it was not measured."""
    node: object = row
    for name in path.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return float(node) if isinstance(node, int | float) else None


def reached(target: Target, rows: Sequence[Row]) -> tuple[float | None, bool | None]:
    """What was measured, and whether that is enough; None where it was not measured."""
    by_name = {row["name"]: row for row in rows}
    value = figure(by_name.get(target.name), target.figure)
    if value is not None and target.beyond is not None:
        base = figure(by_name.get(target.beyond), target.figure)
        value = None if base is None else round(value - base, 2)
    if value is None:
        return None, None
    return value, value >= target.bound if target.at_least else value <= target.bound


def table(rows: Sequence[Row]) -> str:
    """Those that were measured; empty where none was."""
    lines = []
    for target in TARGETS:
        value, enough = reached(target, rows)
        if value is not None:
            bound = f"{'≥' if target.at_least else '≤'} {target.bound:g}"
            lines.append((f"{target.name}: {WORDS[target.figure]}", value, bound, "reached" if enough else "missed"))
    return text.table(("target", "measured", "bound", ""), lines) if lines else ""
