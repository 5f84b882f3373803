"""Many connections that ask little of a gateway: `python -m bench.crowd idle|read|send < plan.json`.

`idle`: each has one answer, then rests. `read`: each asks for a stream and reads a kilobyte of it a second, again and
again. `send`: each sends its request by a few bytes at a time, again and again. Says `ready` when all of them are at
it, and ends when its standard input does.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable

from bench.load import requests_of
from bench.plan import Plan, plan_from_bytes

AT_ONCE = 50  # that connect at the same time
SMALL = 4_096  # bytes of the receive buffer of one who reads slowly
SIP, SIP_SECONDS = 1_024, 1.0  # bytes read at a time, and how often
DRIP, DRIP_SECONDS = 16, 0.5  # bytes sent at a time, and how often

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(port: int, small: bool) -> Streams:
    """A connection; with a `small` receive buffer the other side notices who does not read."""
    made = socket.socket()
    made.setblocking(False)
    if small:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=made, limit=SMALL if small else 2**16)


async def rest(streams: Streams, request: Callable[[], bytes]) -> None:
    """One answer, whole as far as it came at once; then nothing."""
    reader, writer = streams
    writer.write(request())
    if not await reader.read(2**16):
        raise ConnectionError("closed instead of answered")


async def read_slowly(streams: Streams, request: Callable[[], bytes]) -> None:
    """Until it is cancelled."""
    reader, writer = streams
    while True:
        writer.write(request())
        end = b""
        while not end.endswith(b"0\r\n\r\n"):
            piece = await reader.read(SIP)
            if not piece:
                raise ConnectionError("closed in mid-stream")
            end = (end + piece)[-5:]
            await asyncio.sleep(SIP_SECONDS)


async def send_slowly(streams: Streams, request: Callable[[], bytes]) -> None:
    """Until it is cancelled."""
    reader, writer = streams
    while True:
        data = request()
        for at in range(0, len(data), DRIP):
            writer.write(data[at : at + DRIP])
            await asyncio.sleep(DRIP_SECONDS)
        if not await reader.read(2**16):
            raise ConnectionError("closed instead of answered")


async def hold(what: str, plan: Plan) -> None:
    """Bring them all about, say so, and wait."""
    make, number = requests_of(plan), 0

    def request() -> bytes:
        nonlocal number
        number += 1
        return make(number)

    gate = asyncio.Semaphore(AT_ONCE)
    ways: dict[str, Callable[[Streams, Callable[[], bytes]], Awaitable[None]]]
    ways = {"idle": rest, "read": read_slowly, "send": send_slowly}

    async def one() -> tuple[Streams, asyncio.Future[None] | None]:
        async with gate:
            streams = await connected(plan.port, small=what == "read")
            if what == "idle":
                await rest(streams, request)
                return streams, None
            return streams, asyncio.ensure_future(ways[what](streams, request))

    held = await asyncio.gather(*(one() for _ in range(plan.connections)))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    for streams, busy in held:
        if busy is not None:
            busy.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await busy
        streams[1].close()


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], plan_from_bytes(sys.stdin.buffer.readline())))
