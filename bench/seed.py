"""`python -m bench seed`: a hundred people ask a model that takes its time: what does GreyFox add and save?

Each asks one question at a time; 60 % of the questions were asked before. The upstream's latency is lognormal, with a
mean of 1.2 s and a p99 of 3.1 s. Measured directly, through GreyFox without its cache, and with it. Exit status 1 where
an answer failed.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench import gateways
from bench.added import Added, added, table
from bench.asks import PATH, body
from bench.lognormal import lognormal
from bench.machine import OTHER_CORE, ROOT, environment_of, facts, pin
from bench.plan import Plan, plan_to_bytes
from bench.processes import DidNotStart
from bench.text import say
from bench.users import Asked
from bench.world import World

PEOPLE = 100
REPEATED = 0.6
MEAN, P99 = 1.2, 3.1  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--seconds", type=float, default=30.0, help="of each of the three runs; default 30")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"default {PEOPLE}")
    parser.add_argument("--mean", type=float, default=MEAN, metavar="SECONDS", help=f"of the upstream; default {MEAN}")
    parser.add_argument("--p99", type=float, default=P99, metavar="SECONDS", help=f"of the upstream; default {P99}")
    parser.add_argument("--door", choices=gateways.DOORS, default="auto", help="default auto")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")


def main(options: argparse.Namespace) -> int:
    """Measure and print. Raises DidNotStart."""
    drawn = lognormal(options.mean, options.p99)
    print(
        f"upstream: lognormal, mu {drawn.mu:.4f}, sigma {drawn.sigma:.4f} "
        f"(mean {drawn.mean:.2f} s, p99 {drawn.p99:.2f} s); {options.people} people, {REPEATED:.0%} repeated"
    )
    found = []
    with tempfile.TemporaryDirectory(prefix="greyfox-bench-") as made:
        folder = Path(made)
        for name, cache in (("direct", None), ("cache off", 0), ("cache on", World().cache)):
            say(f"{name}: {options.seconds:g} s")
            found.append(one(folder, name, cache, options))
    print(table(found))
    if options.json is not None:
        figures = {
            "machine": facts(),
            "upstream": {"mu": drawn.mu, "sigma": drawn.sigma, "mean": drawn.mean, "p99": drawn.p99},
            "people": options.people,
            "repeated": REPEATED,
            "door": options.door,
            "runs": [asdict(run) for run in found],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 1 if any(run.failed for run in found) else 0


def one(folder: Path, name: str, cache: int | None, options: argparse.Namespace) -> Added:
    """One run; the upstream is new for each, so that each draws the same delays. `cache` None: without a gateway."""
    with contextlib.ExitStack() as stack:
        arguments = ("--mean", str(options.mean), "--p99", str(options.p99))
        server = stack.enter_context(gateways.upstream(folder, arguments))
        port = server.port
        keys: tuple[str, ...] = ("none",)
        if cache is not None:
            world = World(keys=options.people, cache=cache)
            greyfox = stack.enter_context(gateways.greyfox(folder, server.port, world, options.door))
            port, keys = greyfox.running.port, greyfox.keys
        plan = Plan(port, PATH, body(unique=True), keys, (), options.seconds, options.people, REPEATED)
        return added(name, people(plan), options.mean)


def people(plan: Plan) -> list[Asked]:
    """What they were answered. Raises DidNotStart."""
    command = [sys.executable, "-m", "bench.users"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment_of({}), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pin(process.pid, OTHER_CORE)
    out, _ = process.communicate(plan_to_bytes(plan), timeout=plan.seconds + 120)
    if process.returncode:
        raise DidNotStart(f"the people ended with {process.returncode}")
    return [Asked(**answer) for answer in json.loads(out)]
