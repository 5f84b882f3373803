"""The worked example of docs/quotas.md, reckoned by the real admission over a real database."""

import re
from pathlib import Path

import pytest

from greyfox_core.clock import ManualClock
from greyfox_core.config.load import load
from greyfox_core.config.schema import Quota
from greyfox_core.errors import QuotaBusy, QuotaExhausted
from greyfox_core.forwarding.estimate import Dropped
from greyfox_core.quota.attempt import Reservation, Settlement
from greyfox_core.tokens.models import max_output
from tests.docs.pages import ROOT, blocks, text_of
from tests.greyfox_core.quota.house import ALICE, NOON, House, cost, house

PAGE = ROOT / "docs" / "quotas.md"
MODEL = "gpt-4o-mini"


def example() -> str:
    return text_of(PAGE).split("## An example", 1)[1].split("\n## ", 1)[0]


def told() -> list[tuple[str, ...]]:
    """The table's figures: reserved, settled, left of input, left of output."""
    return [
        tuple(cell.strip() for cell in row[1:])
        for row in (line.strip("|").split("|") for line in example().splitlines() if re.match(r"\| [1-9m]", line))
    ]


def the_quota(tmp_path: Path) -> Quota:
    """`developer-day`, as the page writes it."""
    file = tmp_path / "config.yaml"
    upstream = "upstreams: {openai: {dialect: openai, base_url: https://a.example}}\n"
    file.write_text(upstream + blocks(PAGE, "yaml")[0], encoding="utf-8")
    return load(file, {}).config.quotas[0]


def default_maximum() -> int:
    known = max_output(MODEL, {}, 1)
    assert f"whose maximum is {known:,}" in example()
    return known


class Alice:
    """She asks, and after each step it is written down where she stands."""

    def __init__(self, one: House) -> None:
        self._one = one
        self.stood: list[tuple[str, ...]] = []

    async def ask(self, input_tokens: int, cap: int | None = None, choices: int = 1) -> Reservation:
        self._one.admission.check(ALICE, MODEL)
        return await self._one.reserve(
            input_tokens=input_tokens, cap=cap, choices=choices, model=MODEL, maximum=default_maximum()
        )

    async def settle(self, reservation: Reservation, result: Settlement) -> int:
        """The overshoot of its input."""
        return (await self._one.admission.settle(reservation, result)).overshoot_input

    async def look(self) -> None:
        (quota,) = await self._one.admission.show(ALICE)
        sides = quota["input_tokens"], quota["output_tokens"]
        reserved, settled = (f"{sides[0][kind]:,} + {sides[1][kind]:,}" for kind in ("reserved", "settled"))
        self.stood.append((reserved, settled, *(f"{side['remaining']:,}" for side in sides)))


async def test_the_example_is_what_happens(tmp_path: Path) -> None:
    async with house(tmp_path, the_quota(tmp_path), clock=ManualClock(NOON)) as one:
        await one.admission.prepare(ALICE, MODEL)
        alice = Alice(one)

        first = await alice.ask(1200)
        assert first.output_cap == 2000
        await alice.look()
        with pytest.raises(QuotaBusy):
            await alice.ask(100)
        await alice.look()
        await alice.settle(first, cost(1180, 350))
        await alice.look()

        second = await alice.ask(300, cap=500, choices=2)
        assert second.output_cap is None
        await alice.look()
        third = await alice.ask(400)
        assert third.output_cap == 650
        await alice.look()
        assert await alice.settle(second, cost(310, 480)) == 10
        await alice.look()
        dropped = Dropped(input_estimate=400, reserved_output=650, received=120, seconds=9.0, model=MODEL)
        await alice.settle(third, Settlement(dropped.usage(margin=100), estimated=True, outcome="cut-client"))
        await alice.look()

        fourth = await alice.ask(200, cap=4000)
        assert fourth.output_cap == 950
        await alice.look()
        await alice.settle(fourth, cost(200, 950))
        await alice.look()
        with pytest.raises(QuotaExhausted) as refused:
            await alice.ask(100)
        await alice.look()

    assert alice.stood == told()
    assert f"«{refused.value.message}»" in example()
