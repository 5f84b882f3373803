"""`python -m bench run`: GreyFox through each door, beside stock mitmdump, other gateways and no gateway at all.

Everything runs on this machine over loopback: the gateway on one core, the stand-in upstream and the load on another.
The kinds of run are interleaved in rounds, so that a machine that slows down slows all of them. Exit status 1 where an
answer failed or a cached answer reached the upstream.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import gateways, kinds, others, plot, report, targets
from bench.asks import Ask
from bench.machine import facts
from bench.measure import CONNECTIONS, Kind, complaints, measure, once
from bench.processes import Running
from bench.text import say
from bench.world import World

GATEWAYS = ("direct", "stock", "stock-O", "flow", "fast", "litellm", "portkey")
QUICK = (1, 1.0)  # rounds, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--quick", action="store_true", help="one short round: whether it works, not how fast it is")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run in each round; default 4")
    for option, known in (("--only", GATEWAYS), ("--what", kinds.WHATS)):
        words = f"only these: {', '.join(known)}"
        parser.add_argument(option, nargs="+", metavar="NAME", choices=known, default=known, help=words)
    sets = "keys and quotas of each set of GreyFox; default 10"
    parser.add_argument("--keys", nargs="+", type=int, default=[10], metavar="N", help=sets)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw them there as SVG; needs matplotlib")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="for GreyFox's mitmproxy")


def main(options: argparse.Namespace) -> int:
    """Measure and print. Raises DidNotStart."""
    if options.plot is not None:
        plot.check()
    rounds, seconds = QUICK if options.quick else (options.rounds, options.seconds)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="greyfox-bench-")))
        server = stack.enter_context(gateways.upstream(folder))
        chosen = [*plain(stack, folder, server, options), *governed(stack, folder, server, options)]
        runs = measure(chosen, server, rounds, seconds)
    rows = report.summary(runs)
    print(report.table(rows))
    if reached := targets.table(rows):
        print(f"\n{reached}")
    figures = {"machine": facts(), "connections": CONNECTIONS, "rounds": rounds, "seconds": seconds, "runs": rows}
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if options.plot is not None:
        plot.comparison(rows, options.plot)
    wrong = complaints(chosen, runs)
    for complaint in wrong:
        print(complaint, file=sys.stderr)
    return 1 if wrong else 0


def plain(stack: ExitStack, folder: Path, server: Running, options: argparse.Namespace) -> list[Kind]:
    """What governs nothing."""
    only, whats, made = options.only, options.what, []
    if "direct" in only:
        made += kinds.forwarding("direct", server, whats, gateway=False)
    if "stock" in only:
        running = stack.enter_context(gateways.stock(folder, server.port))
        made += kinds.forwarding(kinds.STOCK, running, kinds.baselines(whats))
    if "stock-O" in only:
        running = stack.enter_context(gateways.stock(folder, server.port, optimised=True))
        made += kinds.forwarding("stock -O", running, whats)
    if "litellm" in only and others.litellm_found():
        made += kinds.other("litellm", stack.enter_context(others.litellm(folder, server.port)), whats)
    if "portkey" in only and (command := others.portkey_command()):
        made += kinds.other("portkey", stack.enter_context(others.portkey(command, folder, server.port)), whats)
    return made


def governed(stack: ExitStack, folder: Path, server: Running, options: argparse.Namespace) -> list[Kind]:
    """GreyFox, a process for each door and each set of keys."""
    handed = [part for setting in options.set for part in ("--set", setting)]
    made = []
    for number in options.keys:
        for door in ("flow", "fast"):
            if door not in options.only:
                continue
            world = World(keys=number, quotas=number)
            greyfox = stack.enter_context(gateways.greyfox(folder, server.port, world, door, handed))
            named = door if number == options.keys[0] else f"{door} {number:,} keys"
            made += kinds.governed(named, greyfox, options.what)
            use_up(greyfox)
    return made


def use_up(greyfox: gateways.GreyFox) -> None:
    """The quota that is to be used up."""
    with contextlib.suppress(OSError):  # the run itself will tell
        ask = Ask(kinds.spending(), (greyfox.spent,))
        say(f"used up a quota: {once(greyfox.running.port, ask)}")
