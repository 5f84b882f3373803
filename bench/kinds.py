"""Which kinds of run each gateway has in the comparison. Pure.

Names are `GATEWAY, WHAT`: they are what figures are compared by, from one run to the next.
"""

from collections.abc import Sequence

from bench.asks import TOKENS, Ask, body
from bench.gateways import GreyFox
from bench.measure import Kind
from bench.others import Other
from bench.processes import Running

WHATS = ("misses", "hits", "streams", "429", "401")
PACED = 200.0  # requests a second of the runs that look at latency without saturation
AT = f" at {PACED:.0f}/s"
STOCK = "stock"


def forwarding(name: str, through: Running, whats: Sequence[str], *, gateway: bool = True) -> list[Kind]:
    """Of what only passes on: the stand-in itself, stock mitmdump."""
    asks = {"misses": Ask(body(unique=True)), "streams": Ask(body(unique=True, stream=True))}
    return [
        kind
        for what, ask in asks.items()
        if what in whats
        for kind in both(Kind(f"{name}, {what}", through, ask, f"{STOCK}, {what}", gateway=gateway))
    ]


def other(name: str, running: Other, whats: Sequence[str]) -> list[Kind]:
    """Of another gateway, which passes on as well."""
    return [
        Kind(kind.name, kind.through, Ask(kind.ask.body, headers=running.headers), kind.baseline, kind.rate)
        for kind in forwarding(name, running.running, whats)
    ]


def governed(name: str, greyfox: GreyFox, whats: Sequence[str]) -> list[Kind]:
    """Of GreyFox: what it forwards is compared with stock's of the same form, the rest with stock's whole answers."""
    miss, stream = body(unique=True), body(unique=True, stream=True)
    named = f"{name}, "
    running, base = greyfox.running, f"{STOCK}, misses"
    spent = Ask(spending(), (greyfox.spent,))
    kinds = {
        "misses": Kind(named + "misses", running, Ask(miss, greyfox.keys), base),
        "hits": Kind(named + "hits", running, Ask(body(unique=False), greyfox.keys), base, cached=True),
        "streams": Kind(named + "streams", running, Ask(stream, greyfox.keys), f"{STOCK}, streams"),
        "429": Kind(named + "429", running, spent, base, status="429"),
        "401": Kind(named + "401", running, Ask(miss, (greyfox.unknown,)), base, status="401"),
    }
    return [kind for what in whats for kind in (both(kinds[what]) if kinds[what].status == "200" else [kinds[what]])]


def baselines(whats: Sequence[str]) -> list[str]:
    """What stock mitmdump has to be asked, so that each of `whats` has its ratio."""
    whole = any(what != "streams" for what in whats)
    return [*(["misses"] if whole else []), *(["streams"] if "streams" in whats else [])]


def spending() -> str:
    """A request that takes exactly what the quota of the user `spent` has; again and again, as who is refused asks."""
    return body(unique=False, max_tokens=TOKENS)


def both(kind: Kind) -> list[Kind]:
    """Saturated, and paced."""
    base = None if kind.baseline is None else kind.baseline + AT
    paced = Kind(kind.name + AT, kind.through, kind.ask, base, PACED, cached=kind.cached, gateway=kind.gateway)
    return [kind, paced]
