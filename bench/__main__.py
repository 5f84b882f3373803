"""`python -m bench [--quick] [--json FILE]`: GreyFox beside stock mitmproxy and beside no gateway at all.

Everything runs on this machine over loopback: the gateway on one core, the stand-in upstream and the load on another.
The kinds of run are interleaved in rounds, so that a machine that slows down slows all of them. Exit status 1 where an
answer failed or a cached answer reached the upstream.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.load import Plan, Result
from bench.processes import OTHER_CORE, ROOT, DidNotStart, Running, environment_of, greyfox, pin, stock, upstream
from bench.report import Measured, summary, table

PATH = "/v1/chat/completions"
CONNECTIONS = 100
PACED = 200.0  # requests a second of the runs that look at latency without saturation
QUESTION = "Why do foxes hunt at dusk, and what does a grey fox eat? Answer in two sentences."


@dataclass(frozen=True)
class Kind:
    """One kind of run: through what, with which body, saturated or paced. `cached`: the upstream must not be asked."""

    name: str
    through: Running
    body: str
    key: str
    gateway: bool
    baseline: str | None = None
    rate: float = 0
    cached: bool = False


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one short round: whether it works, not how fast it is")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run in each round; default 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--only", choices=("stock", "greyfox"), help="leave the other gateway out")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="handed to mitmproxy")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 1.5
    handed = [part for setting in options.set for part in ("--set", setting)]
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="greyfox-bench-")))
            server = stack.enter_context(upstream(folder))
            kinds = [Kind("direct", server, body(unique=True), "none", gateway=False)]
            if options.only != "greyfox":
                kinds += stock_kinds(stack.enter_context(stock(folder, server.port)))
                optimised = stack.enter_context(stock(folder, server.port, optimised=True))
                kinds.append(Kind("stock -O", optimised, body(unique=True), "none", gateway=True, baseline="stock"))
            if options.only != "stock":
                kinds += greyfox_kinds(*stack.enter_context(greyfox(folder, server.port, handed)))
            runs = measure(kinds, server, options.rounds, options.seconds)
    except DidNotStart as error:
        print(error, file=sys.stderr)
        return 1
    rows = summary(runs)
    print(table(rows))
    if options.json is not None:
        figures = {"machine": machine(), "connections": CONNECTIONS, "runs": rows}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return verdict(kinds, runs)


def body(*, unique: bool, stream: bool = False) -> str:
    """A chat request of some 400 bytes; `unique` ones carry a number that changes."""
    content = QUESTION + (" Case {nonce}." if unique else " Case of the bench.")
    messages = [
        {"role": "system", "content": "You are a patient zoologist who explains briefly and never guesses."},
        {"role": "user", "content": content},
    ]
    return json.dumps({"model": "gpt-4o", "messages": messages, "max_tokens": 64, "stream": stream})


def stock_kinds(gateway: Running) -> list[Kind]:
    return [
        Kind("stock", gateway, body(unique=True), "none", gateway=True, baseline="stock"),
        Kind(
            "stock, streams", gateway, body(unique=True, stream=True), "none", gateway=True, baseline="stock, streams"
        ),
        Kind("stock at 200/s", gateway, body(unique=True), "none", gateway=True, rate=PACED),
    ]


def greyfox_kinds(gateway: Running, key: str) -> list[Kind]:
    miss, hit, streams = body(unique=True), body(unique=False), body(unique=True, stream=True)
    return [
        Kind("greyfox, misses", gateway, miss, key, gateway=True, baseline="stock"),
        Kind("greyfox, hits", gateway, hit, key, gateway=True, baseline="stock", cached=True),
        Kind("greyfox, streams", gateway, streams, key, gateway=True, baseline="stock, streams"),
        Kind("greyfox, misses at 200/s", gateway, miss, key, gateway=True, rate=PACED),
        Kind("greyfox, hits at 200/s", gateway, hit, key, gateway=True, rate=PACED, cached=True),
    ]


def measure(kinds: list[Kind], server: Running, rounds: int, seconds: float) -> list[Measured]:
    """Every kind once to warm up, then in turn, round by round."""
    runs = {kind.name: Measured(kind.name, kind.baseline) for kind in kinds}
    nonce = 0
    for number in range(rounds + 1):
        for kind in kinds:
            warming = number == 0
            say(f"{'warm-up' if warming else f'round {number} of {rounds}'}: {kind.name}")
            kind.through.rest()
            posts, cpu = upstream_posts(server), kind.through.cpu_seconds()
            result = load(kind, 0.5 if warming else seconds, nonce)
            nonce += 10_000_000
            if not warming:
                add(runs[kind.name], kind, result, kind.through.cpu_seconds() - cpu)
                runs[kind.name].upstream_posts += upstream_posts(server) - posts
    return list(runs.values())


def load(kind: Kind, seconds: float, nonce: int) -> Result:
    """One run in a process of its own, on the core that the gateway does not have."""
    plan = Plan(
        port=kind.through.port,
        path=PATH,
        body=kind.body,
        headers={"content-type": "application/json", "authorization": f"Bearer {kind.key}"},
        seconds=seconds,
        connections=CONNECTIONS,
        rate=kind.rate,
        first_nonce=nonce,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load", json.dumps(asdict(plan))],
        cwd=ROOT,
        env=environment_of({}),
        stdout=subprocess.PIPE,
        text=True,
    )
    pin(process.pid, OTHER_CORE)
    out, _ = process.communicate(timeout=seconds + 60)
    if process.returncode:
        raise DidNotStart(f"the load on {kind.name} ended with {process.returncode}")
    return Result(**json.loads(out))


def add(run: Measured, kind: Kind, result: Result, cpu: float) -> None:
    """One round's figures to those of the rounds before."""
    run.rates.append(len(result.latencies) / result.seconds)
    run.latencies += result.latencies
    run.first_bytes += result.first_bytes
    run.statuses.update(result.statuses)
    run.broken += result.broken
    if kind.gateway:
        run.cpu = (run.cpu or 0.0) + cpu
        run.memory = max(run.memory or 0, kind.through.memory())


def verdict(kinds: list[Kind], runs: list[Measured]) -> int:
    """The exit status; what is wrong is said."""
    status = 0
    for kind, run in zip(kinds, runs, strict=True):
        if run.failures:
            say(f"{kind.name}: {run.failures} of {run.requests} failed: {dict(run.statuses)}, {run.broken} broken off")
            status = 1
        if kind.cached and run.upstream_posts:
            say(f"{kind.name}: {run.upstream_posts} requests reached the upstream")
            status = 1
    return status


def upstream_posts(server: Running) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/count", timeout=10) as answer:
        return int(answer.read())


def machine() -> dict[str, str | int | None]:
    """What the figures were made on."""
    return {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
