"""The objects of a JSON array that arrives in pieces. Sans-IO.

Units:   `MAX_OBJECT` is bytes; a longer object passes unread.
Source:  RFC 8259: braces and brackets inside strings do not count, a backslash hides the next byte.
"""

import re

MAX_OBJECT = 16 * 1024 * 1024
_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')


class ArrayScanner:
    """`closed` is whether the array's own bracket has come."""

    def __init__(self) -> None:
        self.closed = False
        self._depth = 0  # open braces and brackets of the current object; 0 between objects
        self._in_string = False
        self._hidden = False  # the next byte comes after a backslash
        self._object = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> list[bytes]:
        """The objects that this piece completes."""
        found: list[bytes] = []
        at, kept = 0, 0  # bytes before `kept` are dealt with
        if self._hidden and data:
            self._hidden, at = False, 1
        while match := (_INSIDE if self._in_string else _OUTSIDE).search(data, at):
            at = match.end()
            sign = match[0]
            if sign == b'"':
                self._in_string = not self._in_string
            elif sign == b"\\":
                at += 1
                self._hidden = at > len(data)
            elif sign in b"{[" and (self._depth or sign == b"{"):
                kept = kept if self._depth else match.start()
                self._depth += 1
            elif sign in b"}]" and self._depth:
                self._depth -= 1
                if not self._depth:
                    self._keep(data[kept:at])
                    if not self._too_long:
                        found.append(bytes(self._object))
                    self._object.clear()
                    self._too_long = False
                    kept = at
            elif sign == b"]":
                self.closed = True
        if self._depth:
            self._keep(data[kept:])
        return found

    def _keep(self, piece: bytes) -> None:
        if len(self._object) + len(piece) > MAX_OBJECT:
            self._too_long = True
            self._object.clear()
        if not self._too_long:
            self._object += piece
