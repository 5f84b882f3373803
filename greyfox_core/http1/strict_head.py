"""Which HTTP/1 request heads are taken: only those that no two readers could read differently. Pure.

Refused are bare line feeds and carriage returns, control characters, folded lines, another transfer coding than
`chunked` alone, other versions than 1.0 and 1.1, and heads that are too long or have too many fields. A parser comes
after this: it must refuse the rest (several lengths, a length beside chunks, bad names).
Units: bytes.
Source: RFC 9112 sections 2.2 (line ends), 3 (request line), 5.2 (folding), 6.1 (transfer codings).
"""

import re
from dataclasses import dataclass

MAX_FIELDS = 100
"""Header fields of one request; official clients send some twenty."""

_END = b"\r\n\r\n"
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_FOLDED = re.compile(rb"\r\n[ \t]")
_LINE = re.compile(rb"[A-Za-z][A-Za-z-]{0,31} [\x21-\x7e\x80-\xff]+ HTTP/1\.[01]")
_OTHER_CODING = re.compile(rb"\r\ntransfer-encoding[ \t]*:(?![ \t]*chunked[ \t]*\r\n)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a head is refused; the words are for the client and quote nothing of it."""

    status: int
    message: str


def head_fault(received: bytes, max_head: int) -> Fault | None:
    """What is wrong with the head that `received` begins with, as far as it has come; None if nothing is."""
    end = received.find(_END)
    complete = end >= 0
    head = received[: end + len(_END)] if complete else received
    if len(head) > max_head:
        return Fault(431, f"The request's head is larger than {max_head:,} bytes (limits.max_head).")
    if _CONTROL.search(head):
        return Fault(400, "The request's head holds a control character.")
    if _BARE.search(head):
        return Fault(400, "Lines of a request's head end in carriage return and line feed, both.")
    line, line_is_whole, _ = head.partition(b"\r\n")
    if line_is_whole and not _LINE.fullmatch(line):
        return Fault(400, "The request line is not one of HTTP/1.0 or HTTP/1.1.")
    if _FOLDED.search(head):
        return Fault(400, "Header fields must not be folded over several lines.")
    if head.count(b"\r\n") > MAX_FIELDS + 2:
        return Fault(431, f"The request has more than {MAX_FIELDS} header fields.")
    if complete and _OTHER_CODING.search(head):
        return Fault(400, "The only transfer-encoding of a request is chunked.")
    return None
