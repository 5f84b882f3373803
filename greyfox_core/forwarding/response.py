"""An upstream's answer as the steps see it: status, head, and a body in pieces.

Units: time-outs are seconds, bodies bytes. A body that comes compressed though nobody asked for that is decompressed;
the head still says how it came.
Errors: UpstreamFailed where the body breaks off, is not what its framing or coding says, or is too long;
UpstreamTimeout where nothing comes for too long.
"""

from collections.abc import AsyncIterator

from greyfox_core.errors import UpstreamFailed, UpstreamTimeout
from greyfox_core.forwarding.decompress import BadCoding, Decompressor, decompressor
from greyfox_core.forwarding.http1_incoming import Incoming


class Pieces:
    """The body as it comes: what has come together is one piece, and taken without waiting."""

    def __init__(self, upstream: str, incoming: Incoming, idle_timeout: float) -> None:
        self._upstream = upstream
        self._incoming = incoming
        self._idle_timeout = idle_timeout

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        incoming = self._incoming
        while not (data := incoming.take()):
            if incoming.complete:
                raise StopAsyncIteration
            try:
                await incoming.more(self._idle_timeout)
            except TimeoutError:
                raise UpstreamTimeout(
                    f"Upstream {self._upstream} sent nothing for {self._idle_timeout:g} seconds."
                ) from None
            except OSError:
                raise broke_off(self._upstream) from None
        return data


class Unpacked:
    """Pieces without their content-encoding."""

    def __init__(self, upstream: str, packed: Pieces, plain: Decompressor) -> None:
        self._upstream = upstream
        self._packed = packed
        self._plain = plain

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            plain = self._plain.more()
            while not plain:
                plain = self._plain.more(await anext(self._packed))
            return plain
        except StopAsyncIteration:
            if not self._plain.whole:
                raise broke_off(self._upstream) from None
            raise
        except BadCoding:
            raise broke_off(self._upstream) from None


class Response:
    """An answer whose head has come. Its connection is free as soon as all has come; until then `close` cuts it."""

    def __init__(self, upstream: str, incoming: Incoming, idle_timeout: float) -> None:
        self._upstream = upstream
        self._incoming = incoming
        self.status = incoming.status
        self.headers = incoming.headers
        self.content_type = incoming.fields.get("content-type", "")
        self._pieces: AsyncIterator[bytes]
        pieces = self._pieces = Pieces(upstream, incoming, idle_timeout)
        coding = incoming.fields.get("content-encoding")
        if coding is not None and (plain := decompressor(coding)) is not None:
            self._pieces = Unpacked(upstream, pieces, plain)

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes; asked again, what is left of it.

        Raises UpstreamFailed where it breaks off, UpstreamTimeout where nothing comes for too long.
        """
        return self._pieces

    async def read(self, limit: int) -> bytes:
        """The whole body; UpstreamFailed where it is longer than `limit` bytes. What has come is not waited for."""
        collected: list[bytes] = []
        size = 0
        async for piece in self._pieces:
            collected.append(piece)
            size += len(piece)
            if size > limit:
                raise UpstreamFailed(f"The answer of upstream {self._upstream} is longer than {limit:,} bytes.")
        return b"".join(collected)

    def close(self) -> None:
        """Cut the connection where the answer has not come whole, which stops the upstream."""
        self._incoming.close()


def broke_off(upstream: str) -> UpstreamFailed:
    """The failure of an answer that is not whole."""
    return UpstreamFailed(f"Upstream {upstream} broke off its answer.")
