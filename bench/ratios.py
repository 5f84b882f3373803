"""Ratios of one run beside stored ones. Pure.

Absolute figures differ from machine to machine, and from one hour to the next; what GreyFox does in a second to what
stock mitmdump does in the same run stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import text
from bench.report import Row

Ratios = dict[str, dict[str, float]]
MORE_IS_BETTER = {"ratio": True, "cpu_ratio": False}
WORDS = {"ratio": "requests a second", "cpu_ratio": "CPU a request"}


@dataclass(frozen=True)
class Change:
    """One ratio before and now; None where it was not measured. `tolerance` is a share."""

    name: str
    figure: str
    before: float | None
    now: float | None
    tolerance: float

    @property
    def share(self) -> float | None:
        """By how much it grew, as a share of what it was."""
        return self.now / self.before - 1 if self.now is not None and self.before else None

    @property
    def worse(self) -> bool:
        """Whether it is worse than before by more than the tolerance."""
        if self.share is None:
            return False
        return -self.share > self.tolerance if MORE_IS_BETTER[self.figure] else self.share > self.tolerance

    @property
    def state(self) -> str:
        """In a word or two."""
        if self.before is None:
            return "new"
        if self.now is None:
            return "not measured"
        return "worse" if self.worse else "ok"


def ratios_of(figures: Mapping[str, Any]) -> Ratios:
    """The ratios of GreyFox in a file of figures."""
    found = {row["name"]: dict(_ratios(row)) for row in figures["runs"] if row["name"].startswith(("flow", "fast"))}
    return {name: ratios for name, ratios in found.items() if ratios}


def changes(before: Ratios, now: Ratios, tolerance: float) -> list[Change]:
    """Every ratio that either has."""
    return [
        Change(name, figure, before.get(name, {}).get(figure), now.get(name, {}).get(figure), tolerance)
        for name in dict.fromkeys([*before, *now])
        for figure in MORE_IS_BETTER
        if figure in before.get(name, {}) or figure in now.get(name, {})
    ]


def table(found: Sequence[Change]) -> str:
    """For a terminal."""
    return text.table(
        ("run", "× stock of", "before", "now", "change", ""),
        [
            (
                *(change.name, WORDS[change.figure], change.before, change.now),
                None if change.share is None else f"{change.share:+.0%}",
                change.state,
            )
            for change in found
        ],
    )


def _ratios(row: Row) -> Iterator[tuple[str, float]]:
    for figure in MORE_IS_BETTER:
        if row[figure] is not None:
            yield figure, row[figure]
