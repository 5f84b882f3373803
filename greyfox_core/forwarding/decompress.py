"""Undo the content-encoding of an answer, a bounded step at a time. Pure.

Units: bytes. Errors: BadCoding for data that its encoding does not fit.
Source: RFC 9110 section 8.4 (codings), RFC 1952 section 2.2 (a gzip body may be several members), RFC 8878 section 3.1
(and a zstd one several frames). `deflate` is zlib's format, though some send it raw.
"""

import sys
import zlib
from collections.abc import Callable
from typing import Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STEP = 65_536
"""The most that one step gives, or with brotli, which rounds it up, twice that: no bomb lies in memory whole."""


class BadCoding(Exception):
    """The data is not what its content-encoding says, or ends too early."""


class Decompressor:
    """The plain bytes of one body: `more(data)` begins with a piece, `more()` goes on with it until nothing comes."""

    def __init__(self, start: Callable[[bytes], "_Stream"], repeats: bool) -> None:
        self._start = start
        self._repeats = repeats
        self._stream: _Stream | None = None
        self._pending = b""

    def more(self, data: bytes = b"") -> bytes:
        """At most STEP bytes more; empty: the next piece is needed."""
        self._pending += data
        try:
            while True:
                stream = self._stream
                if stream is None:
                    if not self._pending:
                        return b""
                    stream = self._stream = self._start(self._pending)
                plain = stream.more(self._pending)
                self._pending = stream.left
                if stream.over:
                    if self._pending and not self._repeats:
                        raise BadCoding
                    self._stream = None
                elif not plain:
                    return b""
                if plain:
                    return plain
        except (zlib.error, brotli.error, zstd.ZstdError, EOFError):
            raise BadCoding from None

    @property
    def whole(self) -> bool:
        """Whether a body may end here."""
        return self._stream is None


class _Stream(Protocol):
    """One compressed stream. `left` is input that it has not taken, `over` whether it has ended."""

    left: bytes
    over: bool

    def more(self, data: bytes) -> bytes: ...


class _Zlib:
    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)
        self.left = b""
        self.over = False

    def more(self, data: bytes) -> bytes:
        plain = self._stream.decompress(data, STEP)
        self.over = self._stream.eof
        self.left = self._stream.unused_data if self.over else self._stream.unconsumed_tail
        return plain


class _Brotli:
    left = b""

    def __init__(self, first: bytes) -> None:
        self._stream = brotli.Decompressor()
        self.over = False

    def more(self, data: bytes) -> bytes:
        if self.over and data:
            raise EOFError
        plain: bytes = self._stream.process(data, output_buffer_limit=STEP)
        self.over = self._stream.is_finished()
        return plain


class _Zstd:
    def __init__(self, first: bytes) -> None:
        self._stream = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 25})
        self.left = b""
        self.over = False

    def more(self, data: bytes) -> bytes:
        plain = self._stream.decompress(data, STEP)
        self.over = self._stream.eof
        self.left = self._stream.unused_data if self.over else b""
        return plain


def _gzip(first: bytes) -> _Stream:
    return _Zlib(zlib.MAX_WBITS | 16)


def _deflate(first: bytes) -> _Stream:
    return _Zlib(zlib.MAX_WBITS if first[0] & 0x0F == 8 else -zlib.MAX_WBITS)


_KNOWN: dict[str, tuple[Callable[[bytes], _Stream], bool]] = {
    "gzip": (_gzip, True),
    "x-gzip": (_gzip, True),
    "deflate": (_deflate, False),
    "br": (_Brotli, False),
    "zstd": (_Zstd, True),
}


def decompressor(coding: str) -> Decompressor | None:
    """For the value of a field content-encoding; None for one that is not known: such a body stays as it is."""
    known = _KNOWN.get(coding.strip().lower())
    return None if known is None else Decompressor(*known)
