"""`python -m bench growth [NAME …]`: how GreyFox's speed changes as what it governs grows.

One row a size: requests a second, also as a share of the smallest size's, and CPU a request. Exit status 1 where an
answer failed.
"""

import argparse
import contextlib
import json
import tempfile
from pathlib import Path

from bench import gateways, plot
from bench.growth import crowds, entries, sizes, worlds
from bench.growth.row import Row, as_json, series, table
from bench.growth.setting import Axis, Setting
from bench.machine import ROOT, facts

AXES = {
    "keys": Axis("virtual keys", "keys", worlds.keys),
    "quotas": Axis("quotas", "quotas", worlds.quotas),
    "rules": Axis("rules of routing", "rules", worlds.rules),
    "cache": Axis("cache entries", "entries", entries.cache),
    "ledger": Axis("rows of the ledger", "rows", worlds.ledger),
    "prompt": Axis("prompt", "bytes", sizes.prompt, drawn="MB a second"),
    "stream": Axis("length of a stream", "events", sizes.stream, drawn="CPU µs an event"),
    "idle": Axis("connections that rest", "connections", crowds.idle),
    "slow": Axis("slow clients", "clients", crowds.slow, drawn="p99"),
}
DRAWN = {"kept": "requests a second, to the smallest's", "p99": "p99 of the others in ms"}
IMAGES = ROOT / "docs" / "images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(AXES)}; default all")
    parser.add_argument("--full", action="store_true", help="also the largest sizes, which take minutes and gigabytes")
    parser.add_argument("--door", choices=gateways.DOORS, default="auto", help="default auto")
    parser.add_argument("--rounds", type=int, default=2, help="default 2")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run in each round; default 2")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plot", type=Path, nargs="?", const=IMAGES, metavar="FOLDER", help="default docs/images")


def main(options: argparse.Namespace) -> int:
    """Measure and print, one kind of growth after the other. Raises DidNotStart."""
    if unknown := [name for name in options.names if name not in AXES]:
        raise SystemExit(f"growth of {', '.join(unknown)} is not known; known: {', '.join(AXES)}")
    if options.plot is not None:
        plot.check()
    found: dict[str, list[Row]] = {}
    for name in options.names or AXES:
        axis = AXES[name]
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="greyfox-bench-")))
            server = stack.enter_context(gateways.upstream(folder))
            setting = Setting(folder, server, options.door, options.rounds, options.seconds, options.full)
            found[name] = axis.measure(setting)
        print(f"{axis.title}\n{table(axis.across, found[name])}\n", flush=True)
        if options.plot is not None:
            title = f"{axis.title}: {DRAWN.get(axis.drawn, axis.drawn)}"
            plot.lines(options.plot / f"growth-{name}.svg", title, axis.across, series(found[name], axis.drawn))
    if options.json is not None:
        figures = {
            "machine": facts(),
            "door": options.door,
            "growth": {name: as_json(rows) for name, rows in found.items()},
        }
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0
