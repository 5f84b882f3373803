"""One kept-alive connection of the load: one request at a time, and where its answer ends.

As little work an answer as Python allows: the load must not be what a run measures.
"""

import asyncio
import time
from typing import Protocol

END = b"0\r\n\r\n"
_HEAD, _CHUNKS = -2, -1  # what `_left` says while it is no number of bytes


class Owner(Protocol):
    """Who is told of it."""

    def answered(self, connection: "Connection", first: float, last: float) -> None:
        """An answer is whole; `first` and `last` are when its first and last bytes came (monotonic seconds)."""
        ...

    def lost(self, connection: "Connection") -> None:
        """It is closed."""
        ...


class Connection(asyncio.Protocol):
    """`status` is that of the last answer, `head` its head in small letters, `body` what came behind it at once."""

    __slots__ = ("_end", "_first", "_left", "_owner", "_read", "asking", "body", "due", "head", "status", "transport")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._read = b""
        self._left = _HEAD
        self._first = 0.0
        self._end = b""
        self.transport: asyncio.Transport | None = None
        self.asking = False
        self.due = 0.0
        self.status = b""
        self.head = b""
        self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._owner.lost(self)

    def ask(self, request: bytes, due: float) -> bool:
        """Send it; False where the connection is closed. `due` is kept for whoever is told of the answer."""
        if self.transport is None:
            return False
        self.asking, self.due = True, due
        self.transport.write(request)
        return True

    def close(self) -> None:
        """At once."""
        if self.transport is not None:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        left = self._left
        if left == _HEAD:
            if not self._read:
                self._first = time.perf_counter()
            else:
                data = self._read + data
            head_end = data.find(b"\r\n\r\n") + 4
            if head_end < 4:
                self._read = data
                return
            self.status, self.head, self.body = data[9:12], data[:head_end].lower(), data[head_end:]
            self._read = b""
            left = _length(self.head)
            if left >= 0:
                left -= len(self.body)
            else:
                self._end = data[-len(END) :]
        elif left == _CHUNKS:
            self._end = (self._end + data[-len(END) :])[-len(END) :]
        else:
            left -= len(data)
        if left > 0 or (left == _CHUNKS and self._end != END):
            self._left = left
            return
        self._left = _HEAD
        self.asking = False
        self._owner.answered(self, self._first, time.perf_counter())


def _length(head: bytes) -> int:
    """Bytes of the body, or _CHUNKS: its end is the last chunk (no body of ours ends like one)."""
    at = head.find(b"\r\ncontent-length:")
    return _CHUNKS if at < 0 else int(head[at + 17 : head.find(b"\r\n", at + 17)])
