"""Growth of the crowd: connections that rest, clients that read slowly or send slowly, beside those that are served."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.asks import PATH, TOKENS, Ask, body
from bench.gateways import GreyFox
from bench.growth.row import Row, row_of
from bench.growth.setting import Setting
from bench.machine import OTHER_CORE, ROOT, environment_of, pin
from bench.measure import Kind, once
from bench.plan import Plan, plan_to_bytes
from bench.processes import DidNotStart
from bench.world import World

IDLE = (0, 100, 1_000, 10_000)
SLOW = (0, 10, 100)
PACE = 200.0  # requests a second of those who are not slow
LONGER = 4.0  # seconds of a run: a p99 needs as many answers
LONG = 1_000  # events of the streams that are read slowly
CALM = 3.0  # seconds for the memory of what was done to be given back


def idle(setting: Setting) -> list[Row]:
    """Each connection has had an answer, then rests; what it takes, and whether others are served as fast."""
    rows = []
    with setting.greyfox(World()) as greyfox:
        hit = Ask(body(unique=False), greyfox.keys)
        once(greyfox.running.port, hit)
        setting.measured([Kind("before any rest", greyfox.running, hit, cached=True)])
        for size in IDLE:
            time.sleep(CALM)
            before = greyfox.running.memory()
            with crowd("idle", greyfox, hit, size):
                time.sleep(CALM)
                each = (greyfox.running.memory() - before) / 1000 / size if size else 0.0
                (run,) = setting.measured([Kind(f"hits beside {size:,}", greyfox.running, hit, cached=True)])
            rows.append(row_of(size, "hits", run, {"KB a connection": round(each, 1)}))
    return rows


def slow(setting: Setting) -> list[Row]:
    """What others wait while some read a stream, or send a request, by the byte."""
    rows = []
    with setting.greyfox(World()) as greyfox:
        miss = Ask(body(unique=True, max_tokens=TOKENS), greyfox.keys)
        read = Ask(body(unique=True, stream=True, events=LONG), greyfox.keys)
        for what, asked in (("read", read), ("send", miss)):
            for size in SLOW:
                with crowd(what, greyfox, asked, size):
                    setting.server.rest()
                    (run,) = setting.measured(
                        [Kind(f"beside {size} that {what}", greyfox.running, miss, rate=PACE)], at_least=LONGER
                    )
                rows.append(row_of(size, f"others, while some {what} slowly", run))
    return rows


@contextlib.contextmanager
def crowd(what: str, greyfox: GreyFox, ask: Ask, size: int) -> Iterator[None]:
    """So many of them, in a process of their own. Raises DidNotStart."""
    if not size:
        yield
        return
    plan = Plan(
        greyfox.running.port, PATH, ask.body, ask.keys, ask.headers, 0, size, first_nonce=time.time_ns() % 10**11
    )
    command = [sys.executable, "-m", "bench.crowd", what]
    process = subprocess.Popen(command, cwd=ROOT, env=environment_of({}), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pin(process.pid, OTHER_CORE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(plan_to_bytes(plan) + b"\n")
        process.stdin.flush()
        if process.stdout.readline() != b"ready\n":
            raise DidNotStart(f"{size:,} connections could not be held open: see the limit of open files (ulimit -n)")
        yield
    finally:
        process.stdin.close()  # which ends it
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
