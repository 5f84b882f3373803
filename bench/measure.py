"""Kinds of run, measured in turn, round by round: a machine that slows down slows all of them."""

import http.client
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from bench.asks import PATH, Ask
from bench.machine import OTHER_CORE, ROOT, environment_of, pin
from bench.plan import Plan, Result, plan_to_bytes, result_from_bytes
from bench.processes import DidNotStart, Running
from bench.report import Measured
from bench.text import say

CONNECTIONS = 100
WARM_UP = 0.5  # seconds
NONCES = 10_007_003  # more than one run can use, and no round number: each run begins with another key


@dataclass(frozen=True)
class Kind:
    """One kind of run: through what, asking what, saturated or at `rate` requests a second.

    `status` is what every answer must have. `cached`: one request goes ahead, then the upstream must not be asked.
    `baseline` names the run that ratios are to. `cycle`: see Plan.
    """

    name: str
    through: Running
    ask: Ask
    baseline: str | None = None
    rate: float = 0
    status: str = "200"
    cached: bool = False
    gateway: bool = True
    connections: int = CONNECTIONS
    cycle: int = 0


def measure(kinds: Sequence[Kind], server: Running, rounds: int, seconds: float) -> list[Measured]:
    """Every kind once to warm up, then in turn, round by round."""
    runs = {kind.name: Measured(kind.name, kind.baseline, kind.status, bool(kind.rate)) for kind in kinds}
    nonce = 0
    for number in range(rounds + 1):
        for kind in kinds:
            say(f"{f'round {number} of {rounds}' if number else 'warm-up'}: {kind.name}")
            kind.through.rest()
            if kind.cached and not kind.cycle:
                once(kind.through.port, kind.ask)
            posts, cpu = upstream_posts(server), kind.through.cpu_seconds()
            result = load(plan_of(kind, seconds if number else WARM_UP, nonce))
            if number:
                add(runs[kind.name], kind, result, kind.through.cpu_seconds() - cpu)
                runs[kind.name].upstream_posts += upstream_posts(server) - posts
            nonce += NONCES
    return list(runs.values())


def plan_of(kind: Kind, seconds: float, nonce: int) -> Plan:
    """For the load; requests that come again begin with the same number each time."""
    return Plan(
        port=kind.through.port,
        path=PATH,
        body=kind.ask.body,
        keys=kind.ask.keys,
        headers=kind.ask.headers,
        seconds=seconds,
        connections=kind.connections,
        rate=kind.rate,
        first_nonce=0 if kind.cycle else nonce,
        cycle=kind.cycle,
    )


def load(plan: Plan) -> Result:
    """One run in a process of its own, on the core that the gateway does not have. Raises DidNotStart."""
    process = begin(plan)
    return end(process, plan)


def begin(plan: Plan) -> subprocess.Popen[bytes]:
    """Start it; `end` has what it found."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"],
        cwd=ROOT,
        env=environment_of({}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    pin(process.pid, OTHER_CORE)
    assert process.stdin is not None
    process.stdin.write(plan_to_bytes(plan))
    process.stdin.close()
    process.stdin = None
    return process


def end(process: subprocess.Popen[bytes], plan: Plan) -> Result:
    """Await it. Raises DidNotStart."""
    out, _ = process.communicate(timeout=plan.seconds + 90)
    if process.returncode:
        raise DidNotStart(f"the load on port {plan.port} ended with {process.returncode}")
    return result_from_bytes(out)


def once(port: int, ask: Ask, nonce: int = 0) -> int:
    """One request; its status."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {ask.keys[0]}", **dict(ask.headers)}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", PATH, ask.body.replace("{nonce}", f"{nonce:012d}"), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def add(run: Measured, kind: Kind, result: Result, cpu: float) -> None:
    """One round's figures to those of the rounds before."""
    run.rates.append(result.in_time / result.seconds)
    run.latencies += result.latencies
    run.first_bytes += result.first_bytes
    run.statuses.update(result.statuses)
    run.broken += result.broken
    run.remade += result.remade
    run.seconds += result.seconds
    run.load_busy += result.busy
    if kind.gateway:
        run.cpu = (run.cpu or 0.0) + cpu
        run.memory = max(run.memory or 0, kind.through.memory())


def complaints(kinds: Sequence[Kind], runs: Sequence[Measured]) -> list[str]:
    """What went wrong, in words."""
    found = []
    for kind, run in zip(kinds, runs, strict=True):
        if run.failures:
            statuses = f"{dict(run.statuses)}, {run.broken} broken off"
            found.append(f"{kind.name}: {run.failures} of {run.requests} failed: {statuses}")
        if (kind.cached or kind.status != "200") and run.upstream_posts:
            found.append(f"{kind.name}: {run.upstream_posts} requests reached the upstream")
    return found


def upstream_posts(server: Running) -> int:
    """How many requests the stand-in has answered."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/count", timeout=10) as answer:
        return int(answer.read())
