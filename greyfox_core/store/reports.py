"""What people ask of the ledger: who used what, what is left, do the sums agree.

Units:   tokens; instants are aware datetimes.
Errors:  StoreUnavailable. Everything blocks: from an event loop call it through `asyncio.to_thread`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Text, case, cast, column, distinct, func, select, true
from sqlalchemy.sql import FromClause

from greyfox_core.config.schema import Config, Quota
from greyfox_core.quota.counter import Limits
from greyfox_core.quota.period import Period, micros, period_at
from greyfox_core.quota.ports import Figures
from greyfox_core.quota.standing import charges, shown
from greyfox_core.quota.subjects import canonical, parts_of, selects, subject_of
from greyfox_core.store import operations
from greyfox_core.store.audit import Mismatch, odd_charges, recount
from greyfox_core.store.counters import current_counters
from greyfox_core.store.engine import Database, unavailable_on_driver_error
from greyfox_core.store.keys import read_keys
from greyfox_core.store.tables import ledger
from greyfox_core.values.principal import Principal

By = Literal["user", "key", "model", "team", "day", "tag"]


class Reports:
    """Reads for operators, and what they may change of quotas."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def usage(self, by: By, since: datetime, until: datetime, *, user: str | None = None) -> list[dict[str, Any]]:
        """Sums by one dimension of what was admitted in [since, until), greatest first, days in order (UTC).

        `requests` counts requests, whatever their attempts; `estimated` counts attempts that were settled without the
        provider's figures. By `tag` a request counts for each of its tags, `project=x`; one without tags is left out.
        """
        source, name = _grouping(by)
        kind, state = ledger.c.kind, ledger.c.state
        query = (
            select(
                name.label("name"),
                func.count(distinct(ledger.c.request_id)).label("requests"),
                func.sum(ledger.c.input_tokens).label("input_tokens"),
                func.sum(ledger.c.cached_input_tokens).label("cached_input_tokens"),
                func.sum(ledger.c.output_tokens).label("output_tokens"),
                func.sum(ledger.c.reasoning_tokens).label("reasoning_tokens"),
                func.sum(case((kind == "hit", 1), else_=0)).label("cache_hits"),
                func.sum(case((kind == "refusal", 1), else_=0)).label("refused"),
                func.sum(case((state == "estimated", 1), else_=0)).label("estimated"),
            )
            .select_from(source)
            .where(kind != "adjustment", ledger.c.admitted_at >= micros(since), ledger.c.admitted_at < micros(until))
            .group_by(name)
        )
        if user is not None:
            query = query.where(ledger.c.user == user)
        with unavailable_on_driver_error(), self._database.reading.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        found = [{by: row.pop("name"), **row} for row in rows]
        if by == "day":
            return sorted(found, key=lambda row: str(row["day"]))
        return sorted(found, key=lambda row: (-row["input_tokens"] - row["output_tokens"], str(row[by])))

    def quota_show(self, config: Config, now: datetime, *, user: str | None = None) -> list[dict[str, Any]]:
        """The counters of running periods of the quotas in `config`; of one user only those that count this user.

        These are the counters that name the user and those that a usable key of the user charges, used yet or not.
        A quota that depends on the model is shown only where it is used: no one can list the models of a glob.
        """
        by_name = {quota.name: quota for quota in config.quotas}
        with unavailable_on_driver_error(), self._database.reading.connect() as connection:
            overrides = operations.read_overrides(connection)
            keys = [key for key in read_keys(connection) if key.user == user and key.usable(now)]
        callers = [Principal(key.user, key.id, key.team, key.roles, key.models) for key in keys]
        found: dict[tuple[str, str], tuple[Period, Figures]] = {}
        for grant in current_counters(self._database, now, list(by_name)):
            quota = by_name[grant.quota]
            counts = user in (None, parts_of(grant.subject).get("user")) or any(
                charges(quota, grant.subject, who) for who in callers
            )
            if grant.kind == quota.period and counts:
                found[grant.quota, grant.subject] = (grant.period, grant.figures)
        if user is not None:
            for quota in config.quotas:
                for subject in _foreseen(quota, user, callers):
                    found.setdefault((quota.name, subject), (period_at(now, quota), Figures()))
        return [
            shown(
                by_name[name],
                subject,
                period,
                overrides.get((name, subject), Limits(None, None)).over(
                    Limits(by_name[name].input_tokens, by_name[name].output_tokens)
                ),
                figures,
            )
            for (name, subject), (period, figures) in sorted(found.items(), key=lambda item: item[0])
        ]

    def quota_set(self, config: Config, name: str, subject: Mapping[str, str], limits: Limits, now: datetime) -> None:
        """As `operations.quota_set`."""
        operations.quota_set(self._database, config, name, subject, limits, now)

    def quota_reset(self, config: Config, name: str, subject: Mapping[str, str] | None, now: datetime) -> int:
        """As `operations.quota_reset`."""
        return operations.quota_reset(self._database, config, name, subject, now)

    def verify(self) -> list[Mismatch]:
        """Count every counter anew from the ledger: empty where all agree."""
        with unavailable_on_driver_error(), self._database.reading.connect() as connection:
            counted = [mismatch for one in recount(connection) for mismatch in one.mismatches]
            return counted + odd_charges(connection)


def _foreseen(quota: Quota, user: str, callers: Sequence[Principal]) -> set[str]:
    """The subjects that a call of this user would charge, whatever its model."""
    if "model" in quota.per:
        return set()
    subjects = {subject_of(quota.per, who, "") for who in callers if selects(quota.match, who, None)}
    bare = Principal(user, "")  # a user without a key here may come with a JWT, of whom no more than the name is known
    asks_more = quota.match.role or quota.match.team or quota.match.key
    if quota.per == ("user",) and not asks_more and selects(quota.match, bare, None):
        subjects.add(canonical({"user": user}))
    return subjects


def _grouping(by: By) -> tuple[FromClause, ColumnElement[Any]]:
    match by:
        case "user":
            return ledger, ledger.c.user
        case "key":
            return ledger, ledger.c.key_id
        case "model":
            return ledger, ledger.c.model
        case "team":
            return ledger, ledger.c.team
        case "day":
            return ledger, func.date(ledger.c.admitted_at / 1_000_000, "unixepoch")
        case "tag":
            tag = func.json_each(ledger.c.tags).table_valued(column("key", Text), column("value", Text), name="tag")
            return ledger.join(tag, true()), tag.c.key + "=" + cast(tag.c.value, Text)
