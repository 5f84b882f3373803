"""Answers as bytes of an HTTP/1.1 connection. Pure.

Source: RFC 9112 sections 4 (status line), 6.1 (which answers have no body) and 7.1 (chunks).
"""

import json
from collections.abc import Iterable
from http import HTTPStatus

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BODILESS = frozenset((204, 304))

_REASONS = {status.value: status.phrase for status in HTTPStatus}

Fields = Iterable[tuple[str, str]]


def reason(status: int) -> str:
    """The words after a status."""
    return _REASONS.get(status, "Unknown")  # one client refuses an answer that has none


def whole(status: int, fields: Fields, body: bytes, *, to_head: bool, close: bool) -> bytes:
    """A whole answer. `to_head`: the request was HEAD, so its body is not sent. `close`: no other request is read."""
    if status in BODILESS:
        return _head(status, fields, "\r\n", close)
    head = _head(status, fields, f"content-length: {len(body)}\r\n\r\n", close)
    return head if to_head else head + body


def begun(status: int, fields: Fields, *, close: bool) -> bytes:
    """The head of an answer whose body comes in chunks."""
    return _head(status, fields, "transfer-encoding: chunked\r\n\r\n", close)


def chunk(piece: bytes) -> bytes:
    """One piece of such a body, which is not empty."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


_CODES = {408: "greyfox_timeout", 431: "greyfox_too_large", 503: "greyfox_unavailable"}


def unreadable(status: int, message: str, request_id: str) -> bytes:
    """An error for what was not, or could not be, read as a request, and so has no dialect. It ends the connection."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    code = _CODES.get(status, "greyfox_bad_request")
    error = {"message": message, "type": kind, "param": None, "code": code}
    fields = [("content-type", "application/json"), ("x-greyfox-request-id", request_id)]
    return whole(status, fields, json.dumps({"error": error}).encode(), to_head=False, close=True)


def _head(status: int, fields: Fields, end: str, close: bool) -> bytes:
    if close:
        end = "connection: close\r\n" + end
    lines = [f"{name}: {value}\r\n" for name, value in fields]
    return f"HTTP/1.1 {status} {reason(status)}\r\n{''.join(lines)}{end}".encode("latin-1", "replace")
