"""What a conversation of the fast door wants done, in order; whoever holds the connection does it.

`bytes` are sent, the task of a `Call` is waited for, a `Piece` is fetched. `HandOver`: what is not plainly an ordinary
request (CONNECT, an upgrade, another version, anything malformed) is the flow door's, with the whole connection.
"""

from dataclasses import dataclass
from enum import Enum

from addons.fast_door import Call


@dataclass(slots=True)
class Piece:
    """The next piece of this call's answer is to be fetched."""

    call: Call


@dataclass(slots=True)
class HandOver:
    """The connection is the flow door's from here on, with these bytes."""

    rest: bytes


class End(Enum):
    """What becomes of the connection."""

    CLOSE = "it is closed"
    LEAVE = "nothing more is sent; the client may read what was, and is to close it"


CLOSE, LEAVE = End.CLOSE, End.LEAVE

Action = bytes | Call | Piece | HandOver | End
