"""Where a caller stands: the tightest quota for headers, every quota for people.

Units: tokens and whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from greyfox_core.config.schema import Quota
from greyfox_core.quota.counter import Counter, Limits
from greyfox_core.quota.period import Period, period_at
from greyfox_core.quota.ports import Figures, Grant
from greyfox_core.quota.subjects import parts_of, selects_caller, subject_of
from greyfox_core.record import record
from greyfox_core.values.principal import Principal


@record
class Standing:
    """The tightest matching quota; a side without a limit is None."""

    quota: str
    limit_input: int | None
    remaining_input: int | None
    limit_output: int | None
    remaining_output: int | None
    reset_seconds: int


def tightest(counters: Iterable[Counter], now: datetime) -> Standing | None:
    """The enforced quota with the least remaining share on either side; None where nothing is limited."""
    best: Counter | None = None
    least = 2.0
    for counter in counters:
        if counter.quota.enforce == "observe":
            continue
        for side in (counter.input, counter.output):
            limit = side.limit
            if limit is None:
                continue
            left = limit - side.settled - side.reserved
            share = left / limit if left > 0 and limit else 0.0
            if share < least:
                best, least = counter, share
    if best is None:
        return None
    return Standing(
        quota=best.quota.name,
        limit_input=best.input.limit,
        remaining_input=best.input.left,
        limit_output=best.output.limit,
        remaining_output=best.output.left,
        reset_seconds=best.period.seconds_left(now),
    )


def shown(quota: Quota, subject: str, period: Period, limits: Limits, figures: Figures) -> dict[str, Any]:
    """One quota in the form of `quota show --json`: times RFC 3339 in the quota's zone, an unlimited side None."""
    zone = ZoneInfo(quota.timezone)
    return {
        "quota": quota.name,
        "subject": parts_of(subject),
        "period": quota.period,
        "starts_at": period.start.astimezone(zone).isoformat(),
        "resets_at": period.end.astimezone(zone).isoformat(),
        "input_tokens": _side(limits.input, figures.settled_input, figures.reserved_input),
        "output_tokens": _side(limits.output, figures.settled_output, figures.reserved_output),
    }


def shown_for(
    who: Principal,
    stored: Iterable[Grant],
    in_memory: Iterable[Counter],
    quotas: Iterable[Quota],
    limits: Callable[[Quota, str], Limits],
    now: datetime,
) -> list[dict[str, Any]]:
    """Every quota that charges `who`: counters in use, and unused ones of quotas that do not depend on the model."""
    live = {counter.id: counter for counter in in_memory}
    found: dict[tuple[str, str], tuple[Period, Figures]] = {}
    by_name = {quota.name: quota for quota in quotas if selects_caller(quota.match, who)}
    own = {name: subject_of(quota.per, who, "") for name, quota in by_name.items() if "model" not in quota.per}
    for grant in stored:
        quota = by_name.get(grant.quota)
        if quota is None or quota.period != grant.kind:
            continue
        if own[quota.name] == grant.subject if quota.name in own else charges(quota, grant.subject, who):
            counter = live.get(grant.id)
            figures = grant.figures if counter is None else _figures(counter)
            found[grant.quota, grant.subject] = (grant.period, figures)
    for name, subject in own.items():
        if not by_name[name].match.model:
            found.setdefault((name, subject), (period_at(now, by_name[name]), Figures()))
    return [
        shown(by_name[name], subject, period, limits(by_name[name], subject), figures)
        for (name, subject), (period, figures) in sorted(found.items(), key=lambda item: item[0])
    ]


def charges(quota: Quota, subject: str, who: Principal) -> bool:
    """Whether a counter of this quota is charged when `who` calls, with some model."""
    model = parts_of(subject).get("model", "")
    return subject_of(quota.per, who, model) == subject and selects_caller(quota.match, who)


def _figures(counter: Counter) -> Figures:
    return Figures(counter.input.settled, counter.output.settled, counter.input.reserved, counter.output.reserved)


def _side(limit: int | None, settled: int, reserved: int) -> Mapping[str, int] | None:
    if limit is None:
        return None
    remaining = max(0, limit - settled - reserved)
    return {"limit": limit, "settled": settled, "reserved": reserved, "remaining": remaining}
