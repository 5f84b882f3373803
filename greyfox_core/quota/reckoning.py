"""Is there room? What is set aside? What is booked in the end? Pure.

Units:   tokens. `left` is limit minus settled minus reserved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from greyfox_core.quota.attempt import Reservation, Settled, Settlement
from greyfox_core.quota.counter import Counter, Side
from greyfox_core.values.usage import Usage

Axis = Literal["input", "output"]

PLAUSIBLE = 4_000_000
"""Tokens that one answer may state, whatever was reserved: four times today's largest context window."""
_AMPLE = 64
_LARGEST = 2**40  # of one reservation: the sum of millions of them still is an integer to every store


@dataclass(slots=True)
class Ask:
    """What an attempt may cost. Caps are tokens a choice; `model_max` is the most that the model writes a choice."""

    input_tokens: int
    asked_cap: int | None
    model_max: int
    choices: int = 1
    floor: int = 1
    produces_output: bool = True

    def __post_init__(self) -> None:
        if min(self.input_tokens, self.asked_cap or 0, self.model_max, self.floor) < 0 or self.choices < 1:
            raise ValueError("an attempt asks for no negative number of tokens and for one choice at least")


class Room(NamedTuple):
    """There is room. `output` is for all choices; `cap` must be written into the request, None leaves it as it is."""

    input: int
    output: int
    cap: int | None
    observed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """There is none on this side of this counter. `needs` is tokens; `busy`: only because of requests under way."""

    counter: Counter
    axis: Axis
    needs: int
    busy: bool


def room_for(ask: Ask, counters: Sequence[Counter]) -> Room | Block:
    """Decide over all counters at once; nothing is changed.

    Where a hard quota limits output, the cap is the caller's or the model's maximum, at most the model's maximum and at
    most what is left for each choice. Elsewhere the caller's own cap stands.
    """
    capped = ask.model_max if ask.asked_cap is None else min(ask.asked_cap, ask.model_max)
    least = min(ask.floor, capped) * ask.choices if ask.produces_output else 0
    share: int | None = None
    blocks: list[Block] = []
    observed: list[str] = []
    for counter in counters:
        enforce = counter.quota.enforce
        if enforce == "soft":
            continue
        found = _blocks(counter, ask.input_tokens, least)
        if enforce == "observe":
            if found:
                observed.append(counter.quota.name)
            continue
        blocks += found
        if (left := counter.output.left) is not None:
            here = left // ask.choices
            share = here if share is None else min(share, here)
    if blocks:
        return next((block for block in blocks if not block.busy), blocks[0])
    return _room(ask, capped, share, tuple(observed))


def used_up(counters: Iterable[Counter], *, produces_output: bool) -> Block | None:
    """The first enforced quota with nothing left even if requests under way cost nothing."""
    for counter in counters:
        if counter.quota.enforce == "observe":
            continue
        if counter.input.used_up:
            return Block(counter, "input", 0, busy=False)
        if produces_output and counter.output.used_up:
            return Block(counter, "output", 0, busy=False)
    return None


def fits(usage: Usage, counters: Iterable[Counter]) -> Block | None:
    """Whether figures that are known beforehand fit into every hard quota: None if they do."""
    blocks = [
        block
        for counter in counters
        if counter.quota.enforce == "hard"
        for block in _blocks(counter, *charge_of(counter, usage))
    ]
    return next((block for block in blocks if not block.busy), blocks[0] if blocks else None)


def is_ample(input_tokens: int, counters: Iterable[Counter]) -> bool:
    """Whether so much is at most a 64th of what each quota leaves that looks at what is set aside."""
    for counter in counters:
        left = counter.input.left
        if left is not None and input_tokens * _AMPLE > left and counter.quota.enforce != "soft":
            return False
    return True


def booked(reservation: Reservation, result: Settlement) -> Settled:
    """What a result is worth: the provider's figures where they can be true, else the reservation as an estimate.

    Our own estimates stay within the reservation; what a provider bills beyond it is overshoot.
    """
    usage, limit_in, limit_out = result.usage, reservation.reserved_input, reservation.reserved_output
    if not _plausible(usage, limit_in, limit_out):
        usage = Usage(input_total=limit_in, output_total=limit_out)
        return Settled(usage, estimated=True, implausible=True)
    if result.estimated:
        usage = _trimmed(usage, min(usage.input_total, limit_in), min(usage.output_total, limit_out))
        return Settled(usage, estimated=True)
    return Settled(
        _trimmed(usage, usage.input_total, usage.output_total),
        estimated=False,
        overshoot_input=max(0, usage.input_total - limit_in),
        overshoot_output=max(0, usage.output_total - limit_out),
    )


def charge_of(counter: Counter, usage: Usage) -> tuple[int, int]:
    """What this usage costs this counter: (input, output)."""
    spared = 0 if counter.quota.count_cached_input else usage.input_cached_read
    return usage.input_total - spared, usage.output_total


def _blocks(counter: Counter, input_: int, output: int) -> list[Block]:
    """The sides of a counter that have no room for so much."""
    found: list[Block] = []
    side = counter.input
    if side.limit is not None and 0 < input_ > side.limit - side.settled - side.reserved:
        found.append(_block(counter, side, "input", input_))
    side = counter.output
    if side.limit is not None and 0 < output > side.limit - side.settled - side.reserved:
        found.append(_block(counter, side, "output", output))
    return found


def _block(counter: Counter, side: Side, axis: Axis, needs: int) -> Block:
    return Block(counter, axis, needs, busy=side.limit is not None and side.settled + needs <= side.limit)


def _room(ask: Ask, capped: int, share: int | None, observed: tuple[str, ...]) -> Room:
    reserved_input = min(ask.input_tokens, _LARGEST)
    if not ask.produces_output:
        return Room(reserved_input, 0, None, observed)
    if share is not None:
        cap = min(capped, share)
        return Room(reserved_input, cap * ask.choices, None if cap == ask.asked_cap else cap, observed)
    # Nothing is enforced, so nothing is changed: what is set aside is a guess, for an attempt that never ends.
    guess = ask.model_max if ask.asked_cap is None else min(ask.asked_cap, max(ask.model_max, PLAUSIBLE))
    return Room(reserved_input, min(guess * ask.choices, _LARGEST), None, observed)


def _plausible(usage: Usage, reserved_input: int, reserved_output: int) -> bool:
    parts = (usage.input_cached_read, usage.input_cache_write, usage.output_reasoning)
    if min(usage.input_total, usage.output_total, *parts) < 0:
        return False
    return usage.input_total <= max(4 * reserved_input, PLAUSIBLE) and usage.output_total <= max(
        4 * reserved_output, PLAUSIBLE
    )


def _trimmed(usage: Usage, input_total: int, output_total: int) -> Usage:
    """With these totals; no part is greater than its total."""
    if (
        usage.input_total == input_total
        and usage.output_total == output_total
        and usage.input_cached_read <= input_total >= usage.input_cache_write
        and usage.output_reasoning <= output_total
    ):
        return usage
    return Usage(
        input_total=input_total,
        output_total=output_total,
        input_cached_read=min(usage.input_cached_read, input_total),
        input_cache_write=min(usage.input_cache_write, input_total),
        output_reasoning=min(usage.output_reasoning, output_total),
    )
