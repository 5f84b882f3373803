"""Growth of the cache: hits that spread over all of its entries.

A gateway's cache is filled by requests, as far as that takes seconds. For sizes beyond, the store of entries itself is
measured in a process of its own, without a gateway: that is what a hit has to do with the number of entries.
"""

import json
import subprocess
import sys
from contextlib import ExitStack

from bench.asks import PATH, Ask, body
from bench.growth.row import Row, row_of
from bench.growth.setting import Setting
from bench.machine import GATEWAY_CORE, ROOT, environment_of, pin
from bench.measure import CONNECTIONS, Kind, load
from bench.plan import Plan
from bench.processes import DidNotStart
from bench.text import say
from bench.world import World

SERVED = (10, 100, 1_000, 10_000)
SERVED_FULL = (*SERVED, 100_000)
STORED = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
TELLING = 10_000  # entries, below which the memory that they take drowns in what was free before
ROOM = 2**30  # bytes: more than the entries take
FILLING = 120.0  # seconds at most


def cache(setting: Setting) -> list[Row]:
    """Through a gateway, then in memory alone."""
    sizes = SERVED_FULL if setting.full else SERVED
    kinds = []
    with ExitStack() as stack:
        for size in sizes:
            say(f"filling a cache with {size:,}")
            greyfox = stack.enter_context(setting.greyfox(World(cache=ROOM)))
            ask = Ask(body(unique=True), greyfox.keys)
            fill(greyfox.running.port, ask, size)
            kinds.append(Kind(f"hits among {size:,}", greyfox.running, ask, cached=True, cycle=size))
        runs = setting.measured(kinds)
    return [*(row_of(size, "hits", run) for size, run in zip(sizes, runs, strict=True)), *map(in_memory, STORED)]


def fill(port: int, ask: Ask, size: int) -> None:
    """One request an entry. Raises DidNotStart where one fails."""
    plan = Plan(port, PATH, ask.body, ask.keys, ask.headers, FILLING, min(size, CONNECTIONS), cycle=size, requests=size)
    statuses = load(plan).statuses
    if statuses != {"200": size}:
        raise DidNotStart(f"the cache was not filled with {size:,}: {statuses}")


def in_memory(size: int) -> Row:
    """Look-ups a second in a store with so many entries."""
    say(f"looking up among {size:,} in memory")
    command = [sys.executable, "-O", "-m", "bench.growth.memory", str(size)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment_of({}), stdout=subprocess.PIPE)
    pin(process.pid, GATEWAY_CORE)
    out, _ = process.communicate(timeout=300)
    if process.returncode:
        raise DidNotStart(f"the look-ups among {size:,} ended with {process.returncode}")
    found = json.loads(out)
    notes = {"µs to store": found["put_us"]}
    if size >= TELLING:
        notes["KB an entry"] = found["kb"]
    return Row(size, "look-ups in memory", 1e6 / found["get_us"], found["get_us"] / 1000, notes=notes)
