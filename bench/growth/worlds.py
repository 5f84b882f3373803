"""Growth of what GreyFox governs: keys, quotas, rules, ledger rows. A gateway a size, all of them measured in turn."""

from collections.abc import Mapping
from contextlib import ExitStack

from bench.asks import Ask, body
from bench.growth.row import Row, row_of
from bench.growth.setting import Setting
from bench.measure import Kind
from bench.text import say
from bench.world import World

SIZES = (1, 10, 100, 1_000, 10_000)
LEDGER = (0, 10_000, 100_000, 1_000_000)
LEDGER_FULL = (*LEDGER, 10_000_000)  # some minutes and five gigabytes


def keys(setting: Setting) -> list[Row]:
    """Each key has a user, and each user a counter; the load spreads over all of them."""
    return _over(setting, {size: World(keys=size) for size in SIZES})


def quotas(setting: Setting) -> list[Row]:
    """Two are for every request; the others are for other users."""
    return _over(setting, {size: World(keys=1, quotas=size) for size in SIZES})


def rules(setting: Setting) -> list[Row]:
    """None fits, so each is asked."""
    return _over(setting, {size: World(rules=size) for size in SIZES})


def ledger(setting: Setting) -> list[Row]:
    """Rows with two charges each, written before the start."""
    sizes = LEDGER_FULL if setting.full else LEDGER
    return _over(setting, {size: World(ledger=size) for size in sizes})


def _over(setting: Setting, worlds: Mapping[int, World]) -> list[Row]:
    asked: list[tuple[int, str]] = []
    kinds = []
    with ExitStack() as stack:
        for size, world in worlds.items():
            say(f"starting a gateway with {size:,}")
            greyfox = stack.enter_context(setting.greyfox(world))
            miss, hit = Ask(body(unique=True), greyfox.keys), Ask(body(unique=False), greyfox.keys)
            kinds.append(Kind(f"misses with {size:,}", greyfox.running, miss))
            kinds.append(Kind(f"hits with {size:,}", greyfox.running, hit, cached=True))
            asked += [(size, "misses"), (size, "hits")]
        runs = setting.measured(kinds)
    return [row_of(size, what, run) for (size, what), run in zip(asked, runs, strict=True)]
