"""Requests of one HTTP/1 connection, from bytes as they come. Sans-IO.

    feed      bytes of the connection
    head      the next request's head, once it has come
    body      its body, once that has come
    skip      its body, thrown away

Heads are read by llhttp, and only those are taken that nobody could read in two ways: HTTP/1.1, a target that begins
with a slash, one Host, one length at most. Whatever else is asked (`Foreign`) is somebody else's to read and to refuse:
not a byte of it has been taken then, `rest` gives all of them back.

Units:   bytes.
Errors:  BadBody for a body that is not framed as RFC 9112 section 7.1 says, TooLong past `max_body`.
Source:  RFC 9112; llhttp through httptools, with none of its lenient flags.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import h11
import httptools
from h11._receivebuffer import ReceiveBuffer

from greyfox_core.http1.chunks import Chunks
from greyfox_core.http1.strict_head import MAX_FIELDS, head_fault

_END = b"\r\n\r\n"
_PORT = r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}" + _PORT)
_LENGTH = re.compile(r"0|[1-9][0-9]{0,15}")
_FIGURES = re.compile(rb"0|[1-9][0-9]{0,15}")
_LENGTHS = (b"\r\ncontent-length: ", b"\r\nContent-Length: ")
_TARGET = re.compile(rb"/[\x21-\x7e]*")
_FIRST = re.compile(rb"[A-Z]{3,10} /")  # of what is worth waiting for the rest


class BadBody(Exception):
    """The body's chunks cannot be read."""


class TooLong(Exception):
    """The body is longer than is taken."""


@dataclass(slots=True)
class Head:
    """A request's head as it came. `path` and `query` are raw; names of `fields` are in lower case.

    `length` is the body's in bytes, None where it comes in chunks. `expects` is whether the client waits to be asked
    for the body. `keep_alive` is whether it wants another request on this connection. `raw` are its bytes but for the
    figures of its length: heads of one client mostly differ in nothing else.
    """

    method: str
    path: str
    query: str
    fields: tuple[tuple[str, str], ...]
    length: int | None
    expects: bool
    keep_alive: bool
    raw: bytes


class Foreign:
    """A head that is not for this reader."""


FOREIGN = Foreign()


class RequestReader:
    """`max_head` bounds a head, `max_body` a body that comes in chunks (a stated length is judged by the caller).

    `known` are heads that were read before, by `raw`: those are not read anew.
    """

    def __init__(self, max_head: int, max_body: int, known: Mapping[bytes, Head] = MappingProxyType({})) -> None:
        self._known = known
        self.max_head = max_head
        self.max_body = max_body
        self._parser = httptools.HttpRequestParser(self)
        self._data = b""  # not read yet: a head, and what came behind it
        self._target = b""
        self._fields: list[tuple[str, str]] = []
        self._fed = False  # the parser has read the head, and is to see the body
        self._length: int | None = 0
        self._left = 0  # of a body with a length
        self._pieces: list[bytes] = []
        self._chunks: tuple[Chunks, ReceiveBuffer] | None = None
        self._taken = 0  # of a body in chunks

    @property
    def begun(self) -> bool:
        """Whether a part of a head has come."""
        return bool(self._data)

    @property
    def held(self) -> int:
        """How many bytes have come that nobody has asked for."""
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """What the client has sent."""
        self._data = self._data + data if self._data else data

    def rest(self) -> bytes:
        """All that was not read, for another reader."""
        data, self._data = self._data, b""
        return data

    # --- heads

    def head(self) -> Head | Foreign | None:
        """The next head; None while it is not whole."""
        data = self._data
        end = data.find(_END) + 4
        if end < 4:
            return self._is_it_worth_waiting(data)
        raw, figures = _without_length(data, end)
        head: Head | None = self._known.get(raw)
        if head is not None and (figures is None or _FIGURES.fullmatch(figures)):
            length = head.length if figures is None else int(figures)
            head = Head(
                head.method, head.path, head.query, head.fields, length, head.expects, head.keep_alive, head.raw
            )
            self._fed = False
        elif (head := self._parsed(data, end, raw)) is None:
            return FOREIGN
        self._data = data[end:]
        self._expect_body(head.length)
        return head

    def _parsed(self, data: bytes, end: int, raw: bytes) -> Head | None:
        self._target, self._fields = b"", []
        parser = self._parser
        self._fed = True
        try:
            parser.feed_data(data if end == len(data) else data[:end])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        return self._understood(parser, raw) if end <= self.max_head else None

    def _is_it_worth_waiting(self, data: bytes) -> Foreign | None:
        if not data:
            return None
        if len(data) > self.max_head or (len(data) > 11 and not _FIRST.match(data)) or head_fault(data, self.max_head):
            return FOREIGN
        return None

    def _understood(self, parser: httptools.HttpRequestParser, raw: bytes) -> Head | None:
        target, fields = self._target, self._fields
        method = parser.get_method()
        if not _TARGET.fullmatch(target) or not self._data.startswith(b"%b %b HTTP/1.1\r\n" % (method, target)):
            return None
        if len(fields) > MAX_FIELDS:
            return None
        length: int | None = 0
        hosts = 0
        expected, keep_alive = "", True
        for name, value in fields:
            if name == "host":
                hosts += 1
                if not _HOST.fullmatch(value):
                    return None
            elif name == "content-length":
                if not _LENGTH.fullmatch(value):
                    return None
                length = int(value)
            elif name == "transfer-encoding":
                if value.lower() != "chunked":
                    return None
                length = None
            elif name == "expect":
                expected = f"{expected}, {value}" if expected else value
            elif name == "connection":
                keep_alive = keep_alive and not says_close(value)
            elif name == "upgrade":
                return None
        if hosts != 1:
            return None
        path, _, query = target.decode("ascii").partition("?")
        expects = expected.lower() == "100-continue"
        return Head(method.decode("ascii"), path, query, tuple(fields), length, expects, keep_alive, raw)

    # what llhttp calls

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")))

    # --- bodies

    def _expect_body(self, length: int | None) -> None:
        self._length = length
        self._pieces = []
        self._left = length or 0
        if length is None:
            self._parser = httptools.HttpRequestParser(self)  # it waits for chunks, which another reads
            self._chunks = (Chunks(), ReceiveBuffer())
            self._taken = 0

    @property
    def whole(self) -> bool:
        """Whether the body of a stated length has come already."""
        return self._length is not None and len(self._data) >= self._left

    def body(self) -> bytes | None:
        """The body; None while it is not whole. Once for each head."""
        if self._length == 0:
            return b""
        return self._of_length(self._pieces.append) if self._chunks is None else self._in_chunks(self._pieces.append)

    def skip(self) -> bool:
        """Throw away what has come of the body; whether it was the last of it."""
        gone = self._of_length(_drop) if self._chunks is None else self._in_chunks(_drop)
        return gone is not None

    def _of_length(self, keep: Callable[[bytes], object]) -> bytes | None:
        data = self._data
        if len(data) > self._left:
            piece, self._data = data[: self._left], data[self._left :]
        else:
            piece, self._data = data, b""
        self._left -= len(piece)
        if piece:
            if self._fed:
                self._parser.feed_data(piece)  # so that it knows where the next head begins
            if not self._left and not self._pieces and keep != _drop:
                return piece
            keep(piece)
        return None if self._left else b"".join(self._pieces)

    def _in_chunks(self, keep: Callable[[bytes], object]) -> bytes | None:
        assert self._chunks is not None
        read, buffer = self._chunks
        buffer += self._data
        self._data = b""
        try:
            while (event := read(buffer)) is not None:
                if isinstance(event, h11.EndOfMessage):
                    self._data, self._chunks = bytes(buffer), None
                    return b"".join(self._pieces)
                self._taken += len(event.data)
                if self._taken > self.max_body and keep != _drop:
                    raise TooLong
                keep(bytes(event.data))
        except h11.RemoteProtocolError:
            raise BadBody from None
        return None


def says_close(connection: str) -> bool:
    """Whether a `connection` field asks for the end of the connection after this request."""
    return any(token.strip(" \t") == "close" for token in connection.lower().split(","))


def _drop(piece: bytes) -> None:
    """Nobody wants it."""


def _without_length(data: bytes, end: int) -> tuple[bytes, bytes | None]:
    """A head without the figures of its length, in the spellings that clients use; and the figures, if it has some."""
    for name in _LENGTHS:
        at = data.find(name, 0, end)
        if at >= 0:
            at += len(name)
            stop = data.find(b"\r", at)
            return data[:at] + data[stop:end], data[at:stop]
    return data[:end], None
