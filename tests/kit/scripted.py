"""A server of a few lines that sends the bytes it is told to, right or wrong; and calls to it."""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from greyfox_core.forwarding.client import Call, Response

FOREVER = 3600.0
OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\nSet-Cookie: a=b\r\n\r\nhello"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"


class Server:
    """Answers every request with the next of `answers`, or with `answer`, and then does what `after` says."""

    def __init__(self) -> None:
        self.answer = OK
        self.answers: deque[bytes] = deque()
        self.after: Callable[[asyncio.StreamWriter], Any] = lambda writer: None
        self.reads_bodies = True  # before it answers; else after that, and nothing more
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.asked = asyncio.Event()  # a request has come
        self.left = asyncio.Event()  # a client has closed its connection
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, found, length = head.lower().partition(b"content-length:")
                if found and self.reads_bodies:
                    self.bodies.append(await reader.readexactly(int(length.split(b"\r\n")[0])))
                self.heads.append(head)
                self.asked.set()
                writer.write(self.answers.popleft() if self.answers else self.answer)
                await writer.drain()
                self.after(writer)
                while not self.reads_bodies and await reader.read(65_536):
                    pass
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on a port of loopback."""
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()
    for writer in server.writers:
        writer.close()


def call(port: int, path: str = "/v1/x", **changes: Any) -> Call:
    """A GET without time-outs, save for the `changes`."""
    usual: dict[str, Any] = {
        "name": "openai",
        "method": "GET",
        "url": f"http://127.0.0.1:{port}{path}",
        "headers": [("accept", "x"), ("x-twice", "1"), ("x-twice", "2")],
        "body": None,
        "connect_timeout": FOREVER,
        "first_byte_timeout": FOREVER,
        "idle_timeout": FOREVER,
    }
    return Call(**usual | changes)


async def body_of(response: Response, limit: int = 100) -> bytes:
    """The whole body; the connection is given back or cut."""
    try:
        return await response.read(limit)
    finally:
        response.close()
