"""The load: requests over kept-alive connections to one port of loopback: `python -m bench.load < plan.json`.

Two ways. As fast as it goes: each connection sends its next request when its answer is whole. At a rate: requests are
due at fixed times and dealt to the connections in turn; a request that has to wait counts from when it was due, so
that a gateway which stalls cannot hide it.
"""

import asyncio
import contextlib
import sys
import time
from collections import Counter, deque
from collections.abc import Callable

from bench.connection import Connection
from bench.plan import Plan, Result, plan_from_bytes, result_to_bytes

CLOSE = b"\r\nconnection: close\r\n"
PATIENCE = 30.0  # seconds for what is under way when the time is over


def requests_of(plan: Plan) -> Callable[[int], bytes]:
    """The bytes of the n-th request, made beforehand but for its number."""
    length = len(plan.body.replace("{nonce}", "0" * 12).encode())
    first = plan.first_nonce
    common = "".join(f"{name}: {value}\r\n" for name, value in plan.headers)
    before, _, after = plan.body.partition("{nonce}")
    heads = [
        (
            f"POST {plan.path} HTTP/1.1\r\nhost: 127.0.0.1:{plan.port}\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {key}\r\n{common}content-length: {length}\r\n\r\n{before}"
        ).encode()
        for key in plan.keys
    ]
    if "{nonce}" not in plan.body:
        return lambda number: heads[(first + number) % len(heads)]
    ending = after.encode()

    def numbered(number: int) -> bytes:
        nonce = first + (number % plan.cycle if plan.cycle else number)
        return b"%b%012d%b" % (heads[(first + number) % len(heads)], nonce, ending)

    return numbered


class Load:
    """All connections together. One that the other side gives up with its answer is made anew."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._request = requests_of(plan)
        self._sent = 0
        self._statuses: Counter[bytes] = Counter()
        self._open = 0
        self._done = asyncio.Event()
        self._ending = False
        self._leaving: set[Connection] = set()  # those whose last answer was the last of the connection
        self._remaking: set[asyncio.Task[None]] = set()
        self._waiting: dict[Connection, deque[float]] = {}  # when requests were due whose connection is busy
        self.result = Result()

    async def run(self) -> Result:
        """Connect all, then send until the time is over, then wait for what is under way."""
        loop = asyncio.get_running_loop()
        connections = []
        for _ in range(self._plan.connections):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._plan.port)
            connections.append(connection)
        self._open = len(connections)
        started, busy = time.perf_counter(), time.process_time()
        if self._plan.rate:
            self._waiting = {connection: deque() for connection in connections}
            await self._pace(connections, started)
        else:
            for connection in connections:
                self._again(connection)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), self._plan.seconds)
        self._ending = True
        self.result.seconds = time.perf_counter() - started
        self.result.busy = time.process_time() - busy
        self.result.in_time = len(self.result.latencies)
        for connection in connections:
            if not connection.asking:
                connection.close()
        async with asyncio.timeout(PATIENCE):
            await self._done.wait()
        self.result.statuses = {status.decode("latin-1"): count for status, count in self._statuses.items()}
        return self.result

    def answered(self, connection: Connection, first: float, last: float) -> None:
        self._statuses[connection.status] += 1
        due = connection.due
        self.result.latencies.append(int((last - due) * 1e6))
        self.result.first_bytes.append(int((first - due) * 1e6))
        if self._ending:
            connection.close()
        elif CLOSE in connection.head:
            self._leaving.add(connection)
            connection.close()
        else:
            self._next(connection)

    def lost(self, connection: Connection) -> None:
        if connection in self._leaving and not self._ending:
            self._leaving.discard(connection)
            task = asyncio.get_running_loop().create_task(self._remade(connection))
            self._remaking.add(task)
            task.add_done_callback(self._remaking.discard)
            return
        limited = self._plan.requests and self._sent >= self._plan.requests
        self.result.broken += connection.asking or not (self._ending or limited)
        self._open -= 1
        if self._open == 0:
            self._done.set()

    async def _remade(self, connection: Connection) -> None:
        self.result.remade += 1
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", self._plan.port)
        except OSError:
            self.lost(connection)
            return
        if self._ending:
            connection.close()
        else:
            self._next(connection)

    def _next(self, connection: Connection) -> None:
        if not self._plan.rate:
            self._again(connection)
        elif waiting := self._waiting[connection]:
            self._send(connection, waiting.popleft())

    def _again(self, connection: Connection) -> None:
        if self._plan.requests and self._sent >= self._plan.requests:
            connection.close()
        else:
            self._send(connection, time.perf_counter())

    def _send(self, connection: Connection, due: float) -> None:
        if connection.ask(self._request(self._sent), due):
            self._sent += 1

    async def _pace(self, connections: list[Connection], started: float) -> None:
        for number in range(int(self._plan.rate * self._plan.seconds)):
            due = started + number / self._plan.rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            connection = connections[number % len(connections)]
            if connection.asking or connection.transport is None:
                self._waiting[connection].append(due)
            else:
                self._send(connection, due)


def main() -> None:
    """One plan in, one result out."""
    plan = plan_from_bytes(sys.stdin.buffer.read())
    sys.stdout.buffer.write(result_to_bytes(asyncio.run(Load(plan).run())))


if __name__ == "__main__":
    main()
