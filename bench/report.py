"""What was measured, as figures and as a table. Pure.

Units: requests a second, CPU milliseconds of the gateway a request, latencies in milliseconds, memory in MiB.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench import text
from bench.figures import percentile, ratio

Row = dict[str, Any]


@dataclass
class Measured:
    """One kind of run, over all rounds. `cpu` is seconds and `memory` bytes of the gateway, None without one.

    A `paced` run has no rate of its own. `remade` connections were opened anew. `load_busy` is the load's own
    processor time, of `seconds` in all.
    """

    name: str
    baseline: str | None = None  # what the ratios are to
    status: str = "200"
    paced: bool = False
    rates: list[float] = field(default_factory=list)
    latencies: array[int] = field(default_factory=lambda: array("I"))  # microseconds
    first_bytes: array[int] = field(default_factory=lambda: array("I"))
    statuses: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    remade: int = 0
    seconds: float = 0
    load_busy: float = 0
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
    def cpu_ms(self) -> float | None:
        """Milliseconds a request."""
        return None if self.cpu is None else round(1000 * self.cpu / max(1, self.requests), 4)

    @property
    def failures(self) -> int:
        """Answers that were not what was to come, and connections that broke."""
        return self.broken + sum(count for status, count in self.statuses.items() if status != self.status)


def summary(runs: Sequence[Measured]) -> list[Row]:
    """One object per kind of run."""
    by_name = {run.name: run for run in runs}
    rows = []
    for run in runs:
        base = by_name.get(run.baseline or "")
        rows.append(
            {
                "name": run.name,
                "baseline": run.baseline,
                "requests": run.requests,
                "failures": run.failures,
                "statuses": dict(run.statuses),
                "connections_remade": run.remade,
                "upstream_requests": run.upstream_posts,
                "requests_per_second": round(run.rate, 1),
                "requests_per_second_by_round": [round(rate, 1) for rate in run.rates],
                "cpu_ms_per_request": run.cpu_ms,
                "ratio": ratio(run.rate, base.rate) if base and not run.paced else None,
                "cpu_ratio": ratio(run.cpu_ms, base.cpu_ms) if base else None,
                "gateway_busy": None if run.cpu is None or not run.seconds else round(run.cpu / run.seconds, 3),
                "load_busy": round(run.load_busy / run.seconds, 3) if run.seconds else None,
                "memory_mib": None if run.memory is None else round(run.memory / 2**20, 1),
                "latency_ms": {f"p{part:g}": percentile(run.latencies, part) for part in (50, 99, 99.9)},
                "first_byte_ms": {f"p{part:g}": percentile(run.first_bytes, part) for part in (50, 99)},
            }
        )
    return rows


HEADS = (
    *("", "req/s", "× stock", "CPU ms", "× stock", "core", "load", "MiB", "p50", "p99", "p99.9 ms"),
    *("first p50", "p99 ms", "failed"),
)


def table(rows: Sequence[Row]) -> str:
    """For a terminal."""
    return text.table(
        HEADS,
        [
            (
                row["name"],
                round(row["requests_per_second"]),
                row["ratio"],
                row["cpu_ms_per_request"],
                row["cpu_ratio"],
                share(row["gateway_busy"]),
                share(row["load_busy"]),
                None if row["memory_mib"] is None else round(row["memory_mib"]),
                *(row["latency_ms"][part] for part in ("p50", "p99", "p99.9")),
                *(row["first_byte_ms"][part] for part in ("p50", "p99")),
                row["failures"],
            )
            for row in rows
        ],
    )


def share(part: float | None) -> str | None:
    """In per cent."""
    return None if part is None else f"{part:.0%}"
