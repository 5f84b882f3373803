"""What a load process is told, and what it tells: a line of JSON, then the latencies as bytes.

Units: seconds; latencies are microseconds.
"""

import json
from array import array
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Plan:
    """`{nonce}` in `body` becomes a number. The `keys` take turns as bearer tokens.

    `rate` is requests a second, 0: each connection asks again as soon as it has its answer. `cycle`: after so many
    numbers they come again, 0: never. `requests` ends the run after so many, 0: the time alone ends it.
    """

    port: int
    path: str
    body: str
    keys: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    seconds: float
    connections: int = 100
    rate: float = 0
    first_nonce: int = 0
    cycle: int = 0
    requests: int = 0


@dataclass
class Result:
    """`latencies` are to an answer's last byte, `first_bytes` to its first.

    `seconds` is the time in which requests were sent and `in_time` the answers that came in it; the latencies have
    those that came afterwards too. `busy` is the load's own processor time in seconds;
    `remade` connections had to be opened anew, since an answer ended them.
    """

    seconds: float = 0
    in_time: int = 0
    busy: float = 0
    broken: int = 0
    remade: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    latencies: array[int] = field(default_factory=lambda: array("I"))
    first_bytes: array[int] = field(default_factory=lambda: array("I"))


def plan_to_bytes(plan: Plan) -> bytes:
    """For the load's standard input: keys by the thousand are too long for an argument."""
    return json.dumps(asdict(plan)).encode()


def plan_from_bytes(data: bytes) -> Plan:
    """The reverse."""
    found: dict[str, Any] = json.loads(data)
    found["keys"] = tuple(found["keys"])
    found["headers"] = tuple((name, value) for name, value in found["headers"])
    return Plan(**found)


def result_to_bytes(result: Result) -> bytes:
    """A line of JSON; then as many latencies as it says, and as many first bytes."""
    head = {
        "seconds": result.seconds,
        "in_time": result.in_time,
        "busy": result.busy,
        "broken": result.broken,
        "remade": result.remade,
        "statuses": result.statuses,
    }
    return json.dumps(head).encode() + b"\n" + result.latencies.tobytes() + result.first_bytes.tobytes()


def result_from_bytes(data: bytes) -> Result:
    """The reverse."""
    line, _, rest = data.partition(b"\n")
    result = Result(**json.loads(line))
    half = len(rest) // 2
    result.latencies.frombytes(rest[:half])
    result.first_bytes.frombytes(rest[half:])
    return result
