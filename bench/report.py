"""What was measured, as a table and as JSON. Pure.

Units: requests a second, CPU milliseconds of the gateway a request, latencies in milliseconds, memory in MiB.
"""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass
class Measured:
    """One kind of run, over all rounds. `cpu` is seconds and `memory` bytes of the gateway, None without one."""

    name: str
    baseline: str | None = None  # what the ratio is to
    rates: list[float] = field(default_factory=list)
    latencies: list[int] = field(default_factory=list)  # microseconds
    first_bytes: list[int] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    cpu: float | None = None
    memory: int | None = None
    upstream_posts: int = 0

    @property
    def requests(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """The median of the rounds."""
        return median(self.rates) if self.rates else 0.0

    @property
    def failures(self) -> int:
        """Answers that were no success, and connections that broke."""
        return self.broken + sum(count for status, count in self.statuses.items() if status != "200")


def summary(runs: list[Measured]) -> list[dict[str, Any]]:
    """One object per kind of run."""
    rates = {run.name: run.rate for run in runs}
    rows = []
    for run in runs:
        base = rates.get(run.baseline or "")
        rows.append(
            {
                "name": run.name,
                "requests": run.requests,
                "failures": run.failures,
                "statuses": dict(run.statuses),
                "upstream_requests": run.upstream_posts,
                "requests_per_second": round(run.rate, 1),
                "requests_per_second_by_round": [round(rate, 1) for rate in run.rates],
                "ratio_to_stock": round(run.rate / base, 2) if base else None,
                "cpu_ms_per_request": None if run.cpu is None else round(1000 * run.cpu / max(1, run.requests), 3),
                "memory_mib": None if run.memory is None else round(run.memory / 2**20, 1),
                "latency_ms": {f"p{part:g}": percentile(run.latencies, part) for part in (50, 99, 99.9)},
                "first_byte_ms": {f"p{part:g}": percentile(run.first_bytes, part) for part in (50, 99)},
            }
        )
    return rows


def percentile(microseconds: list[int], part: float) -> float | None:
    """In milliseconds; the smallest value that `part` per cent do not exceed."""
    if not microseconds:
        return None
    ordered = sorted(microseconds)
    rank = min(len(ordered) - 1, max(0, -int(-len(ordered) * part // 100) - 1))
    return round(ordered[rank] / 1000, 2)


def table(rows: list[dict[str, Any]]) -> str:
    """For a terminal."""
    heads = ("", "req/s", "× stock", "CPU ms", "MiB", "p50", "p99", "p99.9 ms", "first p50", "failed")
    lines = [heads]
    for row in rows:
        latency, first = row["latency_ms"], row["first_byte_ms"]
        cells = (
            f"{row['requests_per_second']:,.0f}",
            row["ratio_to_stock"],
            row["cpu_ms_per_request"],
            row["memory_mib"],
            latency["p50"],
            latency["p99"],
            latency["p99.9"],
            first["p50"],
            row["failures"],
        )
        lines.append((row["name"], *("–" if cell is None else str(cell) for cell in cells)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
