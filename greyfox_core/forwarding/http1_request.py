"""The bytes of an HTTP/1.1 request: where they go, and a head that can be read in one way only. Pure.

Units: bytes. Text is Latin-1, as it came: one character is one byte.
Errors: ValueError for what cannot be sent; its text quotes nothing of the request.
Source: RFC 9112 sections 3 (request line), 5 (fields) and 6.3 (length); RFC 9110 sections 7.2 (Host), 8.6.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
NO_LENGTH = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))  # without a body these say nothing of one

_URL = re.compile(r"([A-Za-z]+://[^/?#\\\s]+)((?:[/?][^#]*)?)(?:#.*)?", re.DOTALL)
_LINE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ /[\x21-\x7e\x80-\xff]* HTTP/1\.1")
_FRAMING = r"(?!(?:host|content-length|transfer-encoding):)"  # these are ours to write
_FIELDS = re.compile(rf"(?:{_FRAMING}[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """A server. `host` is a name or address without brackets, `field` what stands in the field Host."""

    secure: bool
    host: str
    port: int
    field: str


def split(url: str) -> tuple[Origin, str]:
    """The server of `url` and the target that is asked of it; a fragment is no part of either."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ValueError("no URL")
    target = parts[2]
    return _origin(parts[1]), target if target.startswith("/") else "/" + target


@lru_cache(256)
def _origin(base: str) -> Origin:
    parts = urlsplit(base)
    scheme, host = parts.scheme, parts.hostname
    if scheme not in PORTS or not host or "@" in base:
        raise ValueError("no URL of a server")
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if not all("!" <= sign <= "~" for sign in host):
        raise ValueError("no name of a server")
    port = PORTS[scheme] if parts.port is None else parts.port
    bare = f"[{host}]" if ":" in host else host
    return Origin(scheme == "https", host, port, bare if port == PORTS[scheme] else f"{bare}:{port}")


def head_of(method: str, target: str, origin: Origin, headers: list[tuple[str, str]], body: bytes | None) -> bytes:
    """Request line and fields, to the empty line. `headers` bring neither Host nor framing."""
    line = f"{method} {target} HTTP/1.1"
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if not _LINE.fullmatch(line):
        raise ValueError("no request line")
    # A value that smuggles a line in would match too, as one field more than there are.
    if not _FIELDS.fullmatch(fields) or fields.count("\n") != len(headers):
        raise ValueError("no header field")
    length = ""
    if body is not None:
        length = f"content-length: {len(body)}\r\n"
    elif method not in NO_LENGTH:
        length = "content-length: 0\r\n"
    return f"{line}\r\nhost: {origin.field}\r\n{fields}{length}\r\n".encode("latin-1")
