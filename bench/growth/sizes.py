"""Growth of one request: its prompt in bytes, its answer in events."""

from bench.asks import Ask, body
from bench.growth.row import Row, row_of
from bench.growth.setting import Setting
from bench.measure import Kind
from bench.report import Measured
from bench.world import World

PROMPTS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)  # bytes
EVENTS = (10, 50, 500, 5_000)
LONG = 4.0  # seconds of a run: the largest take one
FEW = 8  # connections: what is under way must fit into memory, and end within a run


def prompt(setting: Setting) -> list[Row]:
    """Misses; beside them what the bench itself can do."""
    asked, kinds = [], []
    with setting.greyfox(World()) as greyfox:
        for size in PROMPTS:
            ask = Ask(body(unique=True, size=size), greyfox.keys)
            kinds.append(Kind(f"prompts of {size:,}", greyfox.running, ask, connections=FEW))
            kinds.append(Kind(f"direct, {size:,}", setting.server, ask, gateway=False, connections=FEW))
            asked += [(size, "misses"), (size, "direct")]
        runs = setting.measured(kinds, at_least=LONG)
    return [
        row_of(size, what, run, {"MB a second": round(run.rate * size / 1e6, 2)})
        for (size, what), run in zip(asked, runs, strict=True)
    ]


def stream(setting: Setting) -> list[Row]:
    """Streams of so many events."""
    with setting.greyfox(World()) as greyfox:
        kinds = [
            Kind(
                f"streams of {events:,}",
                greyfox.running,
                Ask(body(unique=True, stream=True, events=events), greyfox.keys),
                connections=FEW,
            )
            for events in EVENTS
        ]
        runs = setting.measured(kinds, at_least=LONG)
    return [
        row_of(
            events, "streams", run, {"events a second": round(run.rate * events), "CPU µs an event": _each(run, events)}
        )
        for events, run in zip(EVENTS, runs, strict=True)
    ]


def _each(run: Measured, events: int) -> float:
    return round(1000 * (run.cpu_ms or 0) / events, 2)
