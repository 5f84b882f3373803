"""`python -m bench soak --minutes 10`: does the gateway's memory grow under a steady mixed load?

Misses, hits, streams and refusals at fixed rates; resident memory is read every few seconds. Its slope over the last
two thirds of the time is told in KB a minute; exit status 1 where that is above the bound, or an answer failed.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

from bench import gateways, plot
from bench.asks import PATH, Ask, body
from bench.figures import settled, slope
from bench.gateways import GreyFox
from bench.machine import facts
from bench.measure import begin, end, once
from bench.plan import Plan
from bench.text import say
from bench.world import World

BOUND = 256.0  # KB a minute
CACHE = 8 * 2**20  # bytes: full long before a third of the time is over
CONNECTIONS = 25  # of each kind
MIX = {"misses": 0.4, "hits": 0.4, "streams": 0.1, "refusals": 0.1}
STATUS = {"misses": "200", "hits": "200", "streams": "200", "refusals": "401"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--minutes", type=float, default=10.0, help="default 10")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second of all kinds; default 200")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="between two looks; default 5")
    parser.add_argument("--bound", type=float, default=BOUND, metavar="KB", help=f"a minute; default {BOUND:g}")
    parser.add_argument("--door", choices=gateways.DOORS, default="auto", help="default auto")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw them there as SVG; needs matplotlib")


def main(options: argparse.Namespace) -> int:
    """Measure and print. Raises DidNotStart."""
    if options.plot is not None:
        plot.check()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="greyfox-bench-")))
        server = stack.enter_context(gateways.upstream(folder))
        greyfox = stack.enter_context(gateways.greyfox(folder, server.port, World(cache=CACHE), options.door))
        seen, failed = soak(greyfox, options.minutes * 60, options.rate, options.every)
    grows = slope(settled(seen))
    first, last, most = seen[0][1], seen[-1][1], max(kilobytes for _, kilobytes in seen)
    print(f"resident memory: {first:,.0f} KB at first, {most:,.0f} KB at most, {last:,.0f} KB at last")
    print(f"slope over the last two thirds: {grows:+,.1f} KB a minute; bound {options.bound:,.0f}")
    if options.json is not None:
        figures = {"machine": facts(), "door": options.door, "rate": options.rate, "kb_a_minute": grows, "seen": seen}
        options.json.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    if options.plot is not None:
        points = {"resident": [(minutes, kilobytes / 1000) for minutes, kilobytes in seen]}
        plot.lines(options.plot / "soak.svg", "resident memory in MB", "minutes", points, logarithmic=False)
    for kind, statuses in failed.items():
        print(f"{kind} failed: {statuses}", file=sys.stderr)
    return 1 if failed or grows > options.bound else 0


def soak(
    greyfox: GreyFox, seconds: float, rate: float, every: float
) -> tuple[list[tuple[float, float]], dict[str, str]]:
    """(minutes, KB) as they were seen; and what failed of each kind, in words."""
    asks = {
        "misses": Ask(body(unique=True), greyfox.keys),
        "hits": Ask(body(unique=False), greyfox.keys),
        "streams": Ask(body(unique=True, stream=True), greyfox.keys),
        "refusals": Ask(body(unique=True), (greyfox.unknown,)),
    }
    once(greyfox.running.port, asks["hits"])
    plans = {
        kind: Plan(
            *(greyfox.running.port, PATH, ask.body, ask.keys, ask.headers, seconds, CONNECTIONS),
            rate=rate * MIX[kind],
            first_nonce=number * 10**11,
        )
        for number, (kind, ask) in enumerate(asks.items())
    }
    loads = {kind: begin(plan) for kind, plan in plans.items()}
    seen, started = [], time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        seen.append((passed / 60, greyfox.running.memory() / 1000))
        say(f"{passed:4.0f} s: {seen[-1][1]:,.0f} KB")
        time.sleep(min(every, max(0.1, seconds - passed)))
    results = {kind: end(load, plans[kind]) for kind, load in loads.items()}
    failed = {
        kind: f"{result.statuses}, {result.broken} broken off"
        for kind, result in results.items()
        if result.broken or set(result.statuses) != {STATUS[kind]}
    }
    return seen, failed
