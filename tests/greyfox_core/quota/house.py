"""One node's admission over a real database in a folder, under a clock that the test turns."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from greyfox_core.clock import ManualClock
from greyfox_core.config.schema import Config, Quota, Upstream
from greyfox_core.quota.admission import Admission
from greyfox_core.quota.attempt import Attempt, Reservation, Settlement
from greyfox_core.quota.counter import Counter, Side
from greyfox_core.quota.period import period_at
from greyfox_core.quota.subjects import canonical
from greyfox_core.store.open import Store, open_store
from greyfox_core.values.principal import Principal
from greyfox_core.values.usage import Usage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ALICE = Principal(user="alice", key_id="key_alice", team="core", roles=frozenset({"developer"}))
BOB = Principal(user="bob", key_id="key_bob")


def quota(name: str = "day", **words: Any) -> Quota:
    return Quota(**{"name": name, "period": "day", **words})


def configuration(*quotas: Quota, **parts: Any) -> Config:
    upstreams = {"openai": Upstream(dialect="openai", base_url="https://api.openai.test/v1")}
    return Config(upstreams=upstreams, quotas=quotas, **parts)


def counter(one: Quota, *, user: str = "alice", now: datetime = NOON, **sides: tuple[int, int]) -> Counter:
    """A counter in memory; `input` and `output` are (settled, reserved)."""
    return Counter(
        id=1,
        quota=one,
        subject=canonical({"user": user}),
        period=period_at(now, one),
        input=Side(one.input_tokens, *sides.get("input", (0, 0))),
        output=Side(one.output_tokens, *sides.get("output", (0, 0))),
    )


_numbers = count(1)


def attempt(who: Principal = ALICE, **facts: Any) -> Attempt:
    return Attempt(
        **{
            "request_id": f"req-{next(_numbers)}",
            "number": 1,
            "principal": who,
            "dialect": "openai-chat",
            "operation": "generate",
            "upstream": "openai",
            "model": "gpt-4o",
            "requested_model": "gpt-4o",
            "route": "default",
            "way": "base-url",
            **facts,
        }
    )


def cost(input_total: int, output_total: int, *, estimated: bool = False, **parts: int) -> Settlement:
    return Settlement(Usage(input_total, output_total, **parts), estimated, "complete", status=200)


class House:
    """A node: store, admission and clock. `crash` ends it as a killed process would, as far as one process can."""

    def __init__(
        self, path: Path, config: Config, clock: ManualClock, reached: Callable[[str], None] | None = None
    ) -> None:
        self.path = path
        self.clock = clock
        self.store: Store = open_store(path, clock, reached=reached)
        self.recovered = self.store.recover()
        self.admission = Admission(config, self.store.journal, self.store.counters, clock, self.store.overrides())

    async def reserve(
        self, who: Principal = ALICE, *, input_tokens: int = 10, cap: int | None = 20, maximum: int = 1000, **words: Any
    ) -> Reservation:
        facts = {name: words.pop(name) for name in ("model", "request_id", "tags", "number") if name in words}
        return await self.admission.reserve(
            attempt(who, **facts), input_tokens=input_tokens, asked_cap=cap, model_max=maximum, **words
        )

    async def catch_up(self) -> None:
        """What the gateway does twice a second."""
        self.admission.apply(await self.store.changes())

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Read the database by another connection, as it is on disk."""
        with sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True) as connection:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute(statement, parameters)]
        connection.close()
        return found

    def ledger(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM ledger ORDER BY id")

    def counters(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM counters ORDER BY id")


@asynccontextmanager
async def house(
    folder: Path,
    *quotas: Quota,
    clock: ManualClock | None = None,
    reached: Callable[[str], None] | None = None,
    **parts: Any,
) -> AsyncIterator[House]:
    """Open, and in the end close: every counter then equals the ledger."""
    one = House(folder / "greyfox.db", configuration(*quotas, **parts), clock or ManualClock(NOON), reached)
    try:
        yield one
        await one.store.journal.written()
        assert one.store.reports.verify() == []
    finally:
        one.store.close()
