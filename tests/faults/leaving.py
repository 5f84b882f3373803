"""Clients that leave: over HTTP/1.1 by closing the connection, over HTTP/2 by resetting one stream of several."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import h2.config
import h2.connection
import h2.events

from tests.faults.scene import Question
from tests.kit.gateway import Gateway


class Leaver(Protocol):
    """One question of a client that will not wait for the end."""

    async def ask(self, asked: Question) -> None: ...

    async def head(self) -> int:
        """The status, once it has come."""
        ...

    async def body_holds(self, wanted: Callable[[bytes], bool]) -> bytes:
        """The body up to now, once it is as wanted."""
        ...

    async def leave(self) -> None: ...


class _Received:
    """What has come, and who waits for more."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.body = bytearray()
        self.ended = False
        self.more = asyncio.Condition()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.more:
            await self.more.wait_for(lambda: holds() or self.ended)
        assert holds(), f"the answer ended early: {self.status} {bytes(self.body[:500])!r}"

    async def changed(self) -> None:
        async with self.more:
            self.more.notify_all()


class Http1Client:
    """A connection for one question, read byte by byte as it comes."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self._gateway = gateway
        self._key = key
        self._received = _Received()
        self._raw = bytearray()

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._gateway.port)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.cancel()
        self._writer.transport.abort()

    async def ask(self, asked: Question) -> None:
        body = asked.content
        head = (
            f"POST {asked.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {self._key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        await self.send(head.encode() + body)

    async def send(self, data: bytes) -> None:
        """Any bytes at all."""
        self._writer.write(data)
        await self._writer.drain()

    async def _read(self) -> None:
        received = self._received
        while data := await self._reader.read(65536):
            self._raw += data
            head, gap, body = bytes(self._raw).partition(b"\r\n\r\n")
            if gap:
                received.status = int(head.split(b" ", 2)[1])
                received.body[:] = body  # with its chunk sizes: good enough to look for words
            await received.changed()
        received.ended = True
        await received.changed()

    async def head(self) -> int:
        await self._received.until(lambda: self._received.status is not None)
        assert self._received.status is not None
        return self._received.status

    async def body_holds(self, wanted: Callable[[bytes], bool]) -> bytes:
        await self._received.until(lambda: wanted(bytes(self._received.body)))
        return bytes(self._received.body)

    async def leave(self) -> None:
        self._writer.close()


class Http2Client:
    """A connection by prior knowledge; each question is a stream, and the newest is the one that `leave` resets."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self._gateway = gateway
        self._key = key
        self._streams: dict[int, _Received] = {}
        self._newest = 0

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._gateway.port)
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._h2.initiate_connection()
        self._flush()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.cancel()
        self._writer.transport.abort()

    async def ask(self, asked: Question) -> None:
        self._newest = self._h2.get_next_available_stream_id()
        self._streams[self._newest] = _Received()
        head = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "127.0.0.1"),
            (":path", asked.path),
            ("authorization", f"Bearer {self._key}"),
            ("content-type", "application/json"),
        ]
        self._h2.send_headers(self._newest, head)
        self._h2.send_data(self._newest, asked.content, end_stream=True)
        self._flush()

    def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())

    async def _read(self) -> None:
        while data := await self._reader.read(65536):
            for event in self._h2.receive_data(data):
                received = self._streams.get(getattr(event, "stream_id", None) or 0)
                match event:
                    case h2.events.ResponseReceived() if received is not None:
                        received.status = int(dict(event.headers)[b":status"])
                    case h2.events.DataReceived() if received is not None:
                        received.body += event.data
                        self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case h2.events.StreamEnded() | h2.events.StreamReset() if received is not None:
                        received.ended = True
                if received is not None:
                    await received.changed()
            self._flush()

    async def head(self) -> int:
        received = self._streams[self._newest]
        await received.until(lambda: received.status is not None)
        assert received.status is not None
        return received.status

    async def body_holds(self, wanted: Callable[[bytes], bool]) -> bytes:
        received = self._streams[self._newest]
        await received.until(lambda: wanted(bytes(received.body)))
        return bytes(received.body)

    async def leave(self) -> None:
        self._h2.reset_stream(self._newest, error_code=8)  # CANCEL
        self._flush()


CLIENTS: dict[str, type[Http1Client] | type[Http2Client]] = {"http1": Http1Client, "http2": Http2Client}
