"""The counters and buckets of this node, in memory, and which of them each caller meets.

A counter is in memory once: two would each admit up to the limit. So it is loaded by one task whoever else asks
meanwhile, and leaves memory only while nothing is reserved on it. The store reads it after all that was handed
to the journal before, which makes loading it again exact.

Bounds:  the tables hold `_MOST` counters, buckets and plans each; then what is idle is dropped, to be read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from greyfox_core.config.schema import Config, Quota, RateLimit
from greyfox_core.quota.bucket import LeakyBucket
from greyfox_core.quota.counter import Counter, Limits, Side
from greyfox_core.quota.period import period_at
from greyfox_core.quota.ports import Changes, Counters, Grant, Overrides, Want
from greyfox_core.quota.subjects import selects, subject_of
from greyfox_core.values.principal import Principal
from greyfox_core.values.shortlist import Shortlist

_MOST = 100_000
_FOREVER = datetime.max.replace(tzinfo=UTC)

Key = tuple[str, str, str]  # quota, subject, kind of period
Load = asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class Limited:
    """A bucket and the limit that it stands for; `unit` is `requests` or `tokens`."""

    limit: RateLimit
    subject: str
    unit: str
    a_minute: int
    bucket: LeakyBucket


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one caller meets with one model, until the first of its periods ends."""

    counters: tuple[Counter, ...]
    requests: tuple[Limited, ...]
    tokens: tuple[Limited, ...]
    until: datetime


class Book:
    """Loads counters through the port and hands them out by caller and model."""

    def __init__(self, config: Config, counters: Counters, overrides: Overrides) -> None:
        self._port = counters
        self._overrides: Overrides = dict(overrides)
        self._counters: dict[Key, Counter] = {}
        self._buckets: dict[tuple[str, str, str], LeakyBucket] = {}
        self._plans: dict[tuple[Principal, str], Plan] = {}
        self._loading: dict[Key, Load] = {}
        self._quotas: dict[str, Quota] = {}
        self.limits_tokens = False
        """Whether any rate limit counts tokens."""
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Limits, matches and rates of this configuration from now on; counters and bucket levels stay."""
        self._quotas = {quota.name: quota for quota in config.quotas}
        self._matching = Shortlist(self._quotas.values(), lambda quota: quota.match)
        self._matching_rates = Shortlist(config.rate_limits, lambda rate: rate.match)
        self.limits_tokens = any(rate.tokens_per_minute is not None for rate in config.rate_limits)
        for (name, subject, kind), counter in self._counters.items():
            quota = self._quotas.get(name)
            if quota is not None and quota.period == kind:
                counter.quota = quota
                counter.limit(self.limits(quota, subject))
        stated = {(rate.name, unit): figures for rate in config.rate_limits for unit, *figures in _buckets_of(rate)}
        for (name, unit, _), bucket in self._buckets.items():
            if (name, unit) in stated:
                a_minute, burst = stated[name, unit]
                bucket.rate, bucket.burst = a_minute / 60, burst
        self._plans.clear()

    def apply(self, changes: Changes) -> None:
        """What operators did meanwhile, in this process or another."""
        if changes.overrides is not None:
            self._overrides = dict(changes.overrides)
            for counter in self._counters.values():
                counter.limit(self.limits(counter.quota, counter.subject))
        if changes.adjusted:
            by_id = {counter.id: counter for counter in self._counters.values()}
            for adjusted in changes.adjusted:
                if adjusted.counter in by_id:
                    _adjust(by_id[adjusted.counter].input, adjusted.input)
                    _adjust(by_id[adjusted.counter].output, adjusted.output)

    def limits(self, quota: Quota, subject: str) -> Limits:
        """What holds for this subject: the operator's word where there is one, else the configuration's."""
        stated = Limits(quota.input_tokens, quota.output_tokens)
        override = self._overrides.get((quota.name, subject))
        return stated if override is None else override.over(stated)

    def plan(self, who: Principal, model: str) -> Plan | None:
        """As `prepare` left it; its periods may have ended since."""
        return self._plans.get((who, model))

    def ready(self, who: Principal, model: str, now: datetime) -> bool:
        """Whether the plan's counters are in memory and current."""
        plan = self._plans.get((who, model))
        return plan is not None and now < plan.until

    async def prepare(self, who: Principal, model: str, now: datetime) -> Plan:
        """Load what is missing and make the plan. Raises StoreUnavailable."""
        while True:
            selected = [
                (quota, subject_of(quota.per, who, model))
                for quota in self._matching.of(who, model)
                if selects(quota.match, who, model)
            ]
            loads = self._loads(selected, now)
            if not loads:
                return self._make_plan(who, model, selected)
            for load in loads:
                await asyncio.shield(load)  # one who gives up does not take it from the others

    def current(self, now: datetime) -> Iterator[Counter]:
        """The counters in memory whose period has not ended."""
        return (counter for counter in self._counters.values() if now < counter.period.end)

    @property
    def quotas(self) -> Mapping[str, Quota]:
        return self._quotas

    def _loads(self, selected: Iterable[tuple[Quota, str]], now: datetime) -> set[Load]:
        """The running loads of counters that are not in memory, started where nobody has yet."""
        loads: set[Load] = set()
        wants: dict[Key, Want] = {}
        for quota, subject in selected:
            key = (quota.name, subject, quota.period)
            counter = self._counters.get(key)
            if counter is not None and now < counter.period.end:
                continue
            if (load := self._loading.get(key)) is not None:
                loads.add(load)
            else:
                wants[key] = Want(quota.name, subject, quota.period, period_at(now, quota), now)
        if wants:
            load = asyncio.get_running_loop().create_task(self._load(wants))
            load.add_done_callback(_seen)
            self._loading.update(dict.fromkeys(wants, load))
            loads.add(load)
        return loads

    async def _load(self, wants: Mapping[Key, Want]) -> None:
        try:
            for grant in await self._port.grant(list(wants.values())):
                self._enter(grant)
        finally:
            for key in wants:
                del self._loading[key]

    def _enter(self, grant: Grant) -> None:
        quota = self._quotas.get(grant.quota)
        if quota is None or quota.period != grant.kind:
            return  # reconfigured meanwhile: nobody will ask for it
        if len(self._counters) >= _MOST:
            self._drop_idle()
        limits, figures = self.limits(quota, grant.subject), grant.figures
        self._counters[grant.quota, grant.subject, grant.kind] = Counter(
            id=grant.id,
            quota=quota,
            subject=grant.subject,
            period=grant.period,
            input=Side(limits.input, figures.settled_input, figures.reserved_input, figures.adjusted_input),
            output=Side(limits.output, figures.settled_output, figures.reserved_output, figures.adjusted_output),
        )

    def _drop_idle(self) -> None:
        self._counters = {
            key: counter for key, counter in self._counters.items() if counter.input.reserved or counter.output.reserved
        }
        self._plans.clear()  # they hold the counters that were dropped

    def _make_plan(self, who: Principal, model: str, selected: Iterable[tuple[Quota, str]]) -> Plan:
        counters = tuple(self._counters[quota.name, subject, quota.period] for quota, subject in selected)
        limited = [
            one
            for rate in self._matching_rates.of(who, model)
            if selects(rate.match, who, model)
            for one in self._limited(rate, who, model)
        ]
        plan = Plan(
            counters,
            tuple(one for one in limited if one.unit == "requests"),
            tuple(one for one in limited if one.unit == "tokens"),
            min((counter.period.end for counter in counters), default=_FOREVER),
        )
        if len(self._plans) >= _MOST:
            self._plans.clear()
        self._plans[who, model] = plan
        return plan

    def _limited(self, rate: RateLimit, who: Principal, model: str) -> Iterator[Limited]:
        subject = subject_of(rate.per, who, model)
        for unit, a_minute, burst in _buckets_of(rate):
            key = (rate.name, unit, subject)
            if (bucket := self._buckets.get(key)) is None:
                if len(self._buckets) >= _MOST:
                    self._buckets.pop(next(iter(self._buckets)))
                    self._plans.clear()  # one may hold the bucket that was dropped
                bucket = self._buckets[key] = LeakyBucket(a_minute / 60, burst)
            yield Limited(rate, subject, unit, a_minute, bucket)


def _buckets_of(rate: RateLimit) -> Iterator[tuple[str, int, int]]:
    """Unit, rate a minute and burst. Where a limit names both units, its burst is of requests."""
    if rate.requests_per_minute is not None:
        yield "requests", rate.requests_per_minute, rate.burst or rate.requests_per_minute
    if rate.tokens_per_minute is not None:
        burst = rate.burst if rate.requests_per_minute is None else None
        yield "tokens", rate.tokens_per_minute, burst or rate.tokens_per_minute


def _adjust(side: Side, adjusted: int) -> None:
    side.settled += adjusted - side.adjusted
    side.adjusted = adjusted


def _seen(load: Load) -> None:
    """Take note of a failure that nobody waits for any more: the next who asks tries again."""
    if not load.cancelled():
        load.exception()
