"""The load: requests over kept-alive connections to one port of loopback: `python -m bench.load '{"port": …}'`.

Two ways. As fast as it goes: each connection sends its next request when its answer is whole. At a rate: requests are
due at fixed times and dealt to the connections in turn; a request that has to wait counts from when it was due, so
that a gateway which stalls cannot hide it.

Prints one JSON object: what happened, with every latency in microseconds.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field

END = b"0\r\n\r\n"


@dataclass(frozen=True)
class Plan:
    """`{nonce}` in `body` becomes a number, always as wide. `rate` is requests a second, 0: unlimited."""

    port: int
    path: str
    body: str
    headers: dict[str, str]
    seconds: float
    connections: int = 100
    rate: float = 0
    first_nonce: int = 0


@dataclass
class Result:
    """Latencies are microseconds to an answer's last byte, `first_bytes` to its first; `seconds` is the run's."""

    seconds: float = 0
    statuses: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    latencies: list[int] = field(default_factory=list)
    first_bytes: list[int] = field(default_factory=list)


class Load:
    """All connections together."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._nonce = plan.first_nonce
        self._statuses: Counter[str] = Counter()
        self._open = 0
        self._done = asyncio.Event()
        self.result = Result()
        self.ending = False
        host = f"127.0.0.1:{plan.port}"
        length = len(plan.body.replace("{nonce}", "0" * 12).encode())
        lines = [f"POST {plan.path} HTTP/1.1", f"host: {host}", f"content-length: {length}"]
        lines += [f"{name}: {value}" for name, value in plan.headers.items()]
        self._before, _, self._after = ("\r\n".join(lines) + "\r\n\r\n" + plan.body).partition("{nonce}")
        self._fixed = None if "{nonce}" in plan.body else self._before.encode()

    def request(self) -> bytes:
        """The next request's bytes."""
        if self._fixed is not None:
            return self._fixed
        self._nonce += 1
        return f"{self._before}{self._nonce:012d}{self._after}".encode()

    def answered(self, status: str, due: float, first: float) -> None:
        now = time.perf_counter()
        self._statuses[status] += 1
        self.result.latencies.append(int((now - due) * 1e6))
        self.result.first_bytes.append(int((first - due) * 1e6))

    def closed(self, unexpected: bool) -> None:
        self.result.broken += unexpected
        self._open -= 1
        if self._open == 0:
            self._done.set()

    async def run(self) -> Result:
        """Connect all, then send until the time is over, then wait for what is under way (at most 10 s)."""
        loop = asyncio.get_running_loop()
        connections = []
        for _ in range(self._plan.connections):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._plan.port)
            connections.append(connection)
        self._open = len(connections)
        started = time.perf_counter()
        if self._plan.rate:
            await self._pace(connections, started)
        else:
            for connection in connections:
                connection.send(time.perf_counter(), again=True)
            await asyncio.sleep(self._plan.seconds)
        self.ending = True
        self.result.seconds = time.perf_counter() - started
        for connection in connections:
            connection.finish()
        async with asyncio.timeout(10):
            await self._done.wait()
        self.result.statuses = dict(self._statuses)
        return self.result

    async def _pace(self, connections: list["Connection"], started: float) -> None:
        for number in range(int(self._plan.rate * self._plan.seconds)):
            due = started + number / self._plan.rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            connections[number % len(connections)].send(due, again=False)


class Connection(asyncio.Protocol):
    """One request at a time; those that come due meanwhile wait."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[float] = deque()
        self._buffer = b""
        self._due: float | None = None  # of the request under way
        self._first = 0.0
        self._again = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._load.closed(unexpected=self._due is not None or not self._load.ending)

    def send(self, due: float, *, again: bool) -> None:
        """Now, or when the request under way has its answer. `again`: and another one after it, until the end."""
        self._again = again
        if self._due is not None:
            self._waiting.append(due)
        elif self._transport is not None:
            self._due = due
            self._transport.write(self._load.request())

    def finish(self) -> None:
        """No more requests: close when there is nothing under way."""
        self._waiting.clear()
        if self._due is None and self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._first = time.perf_counter()
        self._buffer += data
        if self._due is None or not whole(self._buffer):
            return
        self._load.answered(self._buffer[9:12].decode("latin-1"), self._due, self._first)
        self._due, self._buffer = None, b""
        if self._load.ending:
            self.finish()
        elif self._again:
            self.send(time.perf_counter(), again=True)
        elif self._waiting:
            self.send(self._waiting.popleft(), again=False)


def whole(answer: bytes) -> bool:
    """Whether an answer is at its end: by its length, or by the last chunk (no body of ours ends like one)."""
    head_end = answer.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    head = answer[:head_end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        return len(answer) >= head_end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])
    return answer.endswith(END)


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(Load(Plan(**json.loads(sys.argv[1]))).run()))))
