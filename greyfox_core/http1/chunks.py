"""A chunked body, read strictly: bounded lines, no bare line feeds, trailers read and left out.

In the form that h11's body readers have, so that whoever holds one of h11's buffers can use it. Bytes behind the body
stay in the buffer.

Units:   bytes.
Errors:  h11.RemoteProtocolError where the body is not framed as RFC 9112 section 7.1 says, or beyond the bounds.
"""

import re

import h11
from h11._receivebuffer import ReceiveBuffer

LONGEST_CHUNK_LINE = 4096  # bytes of a chunk's size with its extensions, or of one trailer
MAX_TRAILERS = 100

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")


class Chunks:
    """Reads a chunked body, in the form that h11's readers have."""

    def __init__(self) -> None:
        self._left = 0  # bytes of the chunk under way
        self._next = self._size
        self._trailers = 0

    def __call__(self, buffer: ReceiveBuffer) -> h11.Data | h11.EndOfMessage | None:
        while True:
            if self._left:
                data = buffer.maybe_extract_at_most(self._left)
                if data is None:
                    return None
                self._left -= len(data)
                return h11.Data(data=bytes(data))
            line = buffer.maybe_extract_next_line()
            if line is None:
                if len(buffer) > LONGEST_CHUNK_LINE or b"\n" in bytes(buffer):
                    raise h11.RemoteProtocolError("bad chunk line")
                return None
            if len(line) > LONGEST_CHUNK_LINE or b"\n" in line[:-2]:
                raise h11.RemoteProtocolError("bad chunk line")
            if self._next(bytes(line)):
                return h11.EndOfMessage()

    def read_eof(self) -> None:
        raise h11.RemoteProtocolError("the body is incomplete")

    def _size(self, line: bytes) -> bool:
        found = _SIZE.fullmatch(line)
        if found is None:
            raise h11.RemoteProtocolError("bad chunk size")
        self._left = int(found[1], 16)
        self._next = self._end_of_chunk if self._left else self._trailer
        return False

    def _end_of_chunk(self, line: bytes) -> bool:
        if line != b"\r\n":
            raise h11.RemoteProtocolError("bad end of chunk")
        self._next = self._size
        return False

    def _trailer(self, line: bytes) -> bool:
        self._trailers += 1
        if self._trailers > MAX_TRAILERS:
            raise h11.RemoteProtocolError("too many trailers")
        return line == b"\r\n"
