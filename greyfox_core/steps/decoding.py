"""Undo a request body's content-encoding without falling for a bomb. Pure.

Units: bytes. Errors: Unsupported for an encoding we do not know or more than one, TooLarge past `max_size` or
`max_ratio`, BadRequest for data that its encoding does not fit.
Source: RFC 9110 section 8.4 (codings), RFC 9112 section 7.2 (`deflate` is zlib's format, though some send it raw).
"""

import sys
import zlib
from collections.abc import Callable, Iterator

import brotli

from greyfox_core.errors import BadRequest, TooLarge, Unsupported

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STEP = 65_536
RATIO_FROM = 1_048_576  # bytes; below this size a body may be as compressible as it likes

Decoder = Callable[[bytes], Iterator[bytes]]


def decoded(body: bytes, encoding: str, *, max_size: int, max_ratio: int) -> bytes:
    """The plain bytes of `body`. `encoding` is the field's value as it came, empty for none."""
    names = [name for part in encoding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if len(body) > max_size:
        raise too_large(max_size)
    if not names:
        return body
    if len(names) > 1:
        raise Unsupported("GreyFox takes a body with one content-encoding, not several on top of each other.")
    decoder = _DECODERS.get(names[0])
    if decoder is None:
        raise Unsupported("This content-encoding is not known. Use gzip, deflate, br or zstd, or send the body plain.")
    plain = bytearray()
    try:
        for piece in decoder(body):
            plain += piece
            if len(plain) > max_size:
                raise too_large(max_size)
            if len(plain) > RATIO_FROM and len(plain) > max_ratio * len(body):
                raise TooLarge("The body inflates more than GreyFox allows (limits.max_ratio).")
    except (zlib.error, brotli.error, zstd.ZstdError, EOFError):
        raise BadRequest(f"The body is not valid {names[0]} data.") from None
    return bytes(plain)


def too_large(max_size: int) -> TooLarge:
    """The refusal of a body over the limit."""
    return TooLarge(f"The request's body is larger than {max_size:,} bytes (limits.max_body).")


def _zlib(window: int) -> Decoder:
    def decode(body: bytes) -> Iterator[bytes]:
        decoder = zlib.decompressobj(window)
        data = body
        while not decoder.eof:
            piece = decoder.decompress(data, STEP)
            data = decoder.unconsumed_tail
            if not piece and not data and not decoder.eof:
                raise EOFError
            yield piece
        if decoder.unused_data:
            raise EOFError

    return decode


def _deflate(body: bytes) -> Iterator[bytes]:
    wrapped = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _zlib(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)(body)


def _brotli(body: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    piece = decoder.process(body, output_buffer_limit=STEP)
    while not decoder.is_finished():
        if not piece and decoder.can_accept_more_data():
            raise EOFError
        yield piece
        piece = decoder.process(b"", output_buffer_limit=STEP)
    yield piece


def _zstd(body: bytes) -> Iterator[bytes]:
    decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 25})
    data = body
    while not decoder.eof:
        if not data and decoder.needs_input:
            raise EOFError
        yield decoder.decompress(data, STEP)
        data = b""
    if decoder.unused_data:
        raise EOFError


_DECODERS: dict[str, Decoder] = {
    "gzip": _zlib(zlib.MAX_WBITS | 16),
    "x-gzip": _zlib(zlib.MAX_WBITS | 16),
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
