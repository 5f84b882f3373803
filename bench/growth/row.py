"""One figure of growth: so much of something, and how fast GreyFox was with it. Pure.

Units: requests a second, CPU milliseconds of the gateway a request, latencies in milliseconds, memory in MiB; notes
carry theirs in their names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench import text
from bench.figures import percentile, ratio
from bench.report import Measured


@dataclass(frozen=True)
class Row:
    """`what` was done while there were `size` of it."""

    size: int
    what: str
    rate: float
    cpu_ms: float | None = None
    p99: float | None = None
    memory: float | None = None
    notes: Mapping[str, float] = field(default_factory=dict)


def row_of(size: int, what: str, run: Measured, notes: Mapping[str, float] | None = None) -> Row:
    """Of a run."""
    memory = None if run.memory is None else run.memory / 2**20
    return Row(size, what, run.rate, run.cpu_ms, percentile(run.latencies, 99), memory, notes or {})


def kept(row: Row, rows: Sequence[Row]) -> float | None:
    """The row's rate to that of the smallest size at which the same was done."""
    smallest = min((other for other in rows if other.what == row.what), key=lambda other: other.size)
    return ratio(row.rate, smallest.rate)


def table(across: str, rows: Sequence[Row]) -> str:
    """For a terminal."""
    further = list(dict.fromkeys(name for row in rows for name in row.notes))
    lines = [
        (
            *(row.what, f"{row.size:,}", round(row.rate), kept(row, rows), row.cpu_ms, row.p99),
            None if row.memory is None else round(row.memory),
            *(row.notes.get(name) for name in further),
        )
        for row in sorted(rows, key=lambda row: (row.what, row.size))
    ]
    return text.table(("", across, "req/s", "× smallest", "CPU ms", "p99 ms", "MiB", *further), lines)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For a file."""
    return [
        {
            "size": row.size,
            "what": row.what,
            "requests_per_second": round(row.rate, 1),
            "ratio_to_smallest": kept(row, rows),
            "cpu_ms_per_request": row.cpu_ms,
            "p99_ms": row.p99,
            "memory_mib": None if row.memory is None else round(row.memory, 1),
            **row.notes,
        }
        for row in rows
    ]


def series(rows: Sequence[Row], drawn: str) -> dict[str, list[tuple[float, float]]]:
    """The points of a plot, a line for each `what`. `drawn`: `kept`, `p99`, `cpu` or the name of a note."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in sorted(rows, key=lambda row: row.size):
        values = {"kept": kept(row, rows), "p99": row.p99, "cpu": row.cpu_ms, **row.notes}
        if (value := values.get(drawn)) is not None:
            found.setdefault(row.what, []).append((float(row.size), value))
    return found
