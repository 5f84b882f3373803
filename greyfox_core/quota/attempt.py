"""What the ledger knows of one attempt: its facts, its reservation, how it ended.

What is made for every request is a named tuple: as unchangeable as a frozen dataclass, and made in a third of the time.

Units: tokens; durations are milliseconds; instants are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal, NamedTuple

from greyfox_core.quota.counter import Charge
from greyfox_core.values.principal import Principal
from greyfox_core.values.usage import Usage

Outcome = Literal["complete", "cut-upstream", "cut-client", "failed", "drained"]
"""How the answer ended; `failed` is an answer that is no success, or none at all."""

_NO_TAGS: Mapping[str, str] = MappingProxyType({})


class Attempt(NamedTuple):
    """One try at one upstream, as it is known before the first byte leaves.

    `number` counts a request's attempts from 1; the rows of cache hits and refusals have 0. `model` is the one that
    answers (the target's name for it), `requested_model` the one that the caller named. `cache` is `miss` or `bypass`
    where the cache was asked. `tags` are the caller's own attribution.
    """

    request_id: str
    number: int
    principal: Principal
    dialect: str
    operation: str
    upstream: str
    model: str
    requested_model: str
    route: str
    way: str
    stream: bool = False
    tags: Mapping[str, str] = _NO_TAGS
    cache: str | None = None


class Settlement(NamedTuple):
    """How an attempt ended and what it cost.

    `estimated`: `usage` is our own reckoning and not the provider's figures; it is then held within the reservation.
    `status` is the upstream's, None where it never answered. `code` is a machine-readable reason where one is known.
    """

    usage: Usage
    estimated: bool
    outcome: Outcome
    status: int | None = None
    code: str | None = None
    first_byte_ms: float | None = None
    duration_ms: float = 0.0


class Settled(NamedTuple):
    """What was booked; overshoot is what was billed beyond the reservation.

    `implausible`: the stated figures could not be true and the reservation was booked in their place.
    """

    usage: Usage
    estimated: bool
    overshoot_input: int = 0
    overshoot_output: int = 0
    implausible: bool = False


@dataclass(slots=True, eq=False)
class Reservation:
    """Tokens set aside for one attempt, durable before its first byte leaves.

    `output_cap` is the cap (tokens a choice) that must be written into the request; None leaves the request as it is.
    `reserved_output` covers all choices. `observed` names the observing quotas that would have refused.
    `settled` is what was booked, None while open; a released reservation books nothing and is closed all the same.
    """

    id: int
    attempt: Attempt
    admitted_at: datetime
    reserved_input: int
    reserved_output: int
    output_cap: int | None
    observed: tuple[str, ...]
    charges: tuple[Charge, ...]
    open: bool = True
    settled: Settled | None = None
