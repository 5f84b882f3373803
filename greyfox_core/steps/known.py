"""What requests like this one were found to be before, so that nothing is read or decided twice.

Clients repeat themselves: a head differs from the last one in the length that it states, and in a team many ask the
same question in the same bytes. What a step decides from such bytes alone is remembered, for as long as what else it
depends on is the same: the configuration, and the key (asked anew each time, so that a revocation holds at once).

Bounds: `HEADS` heads of at most `LONGEST_HEAD` bytes; bodies of at most `LONGEST_BODY`, together `BODIES` bytes. When
there are more, all are forgotten: to keep account of their use would cost more than to read some again. Only heads of
callers who were let in by a virtual key and nothing else are kept.
"""

from dataclasses import dataclass

from greyfox_core.auth.keys import KeyRecord
from greyfox_core.cache.service import Plan
from greyfox_core.http1.requests import Head
from greyfox_core.rules import Rules
from greyfox_core.steps.identify import Identify
from greyfox_core.values.endpoint import Access, Endpoint
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Headers, RequestHead
from greyfox_core.values.principal import Principal
from greyfox_core.values.request import ParsedRequest
from greyfox_core.values.target import Resolution

HEADS = 4_096
LONGEST_HEAD = 2_048  # bytes
BODIES = 2_097_152  # bytes
LONGEST_BODY = 16_384  # bytes
EACH = 2_560  # bytes that are counted for what was decided, beside the body


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a head was found to say. `head` is without credentials."""

    rules: Rules
    key: KeyRecord
    principal: Principal
    head: RequestHead
    controls: Headers
    endpoint: Endpoint
    addressed: str | None


@dataclass(slots=True, eq=False)
class Decided:
    """What a body was found to ask for. `plan` is what the cache is to do, once that has been asked."""

    parsed: ParsedRequest
    resolution: Resolution
    tags: dict[str, str]
    plan: Plan | None = None


class KnownHeads:
    """`parsed` is for those who read heads."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify
        self.parsed: dict[bytes, Head] = {}
        self._known: dict[bytes, Known] = {}

    def recall(self, head: Head, rules: Rules) -> Known | None:
        """What this head is known to say, if its key still holds under the same configuration."""
        known = self._known.get(head.raw)
        if known is None or known.rules is not rules or not self._identify.still_holds(known.key):
            return None
        return known

    def remember(self, head: Head, exchange: Exchange) -> None:
        """What this head said, where all of it followed from its bytes, the configuration and one virtual key."""
        key, endpoint, principal = exchange.key, exchange.endpoint, exchange.principal
        if key is None or endpoint is None or principal is None or len(head.raw) > LONGEST_HEAD:
            return
        if exchange.answered or endpoint.access is Access.LOCAL:
            return
        if len(self._known) >= HEADS:
            self.parsed.clear()
            self._known.clear()
        self.parsed[head.raw] = head
        self._known[head.raw] = Known(
            exchange.rules, key, principal, exchange.head, exchange.controls, endpoint, exchange.addressed
        )


class KnownBodies:
    """What bodies led to, each for one known head."""

    def __init__(self) -> None:
        self._decided: dict[tuple[Known, bytes], Decided] = {}
        self._size = 0  # bytes

    def recall(self, known: Known | None, body: bytes) -> Decided | None:
        """What was decided for this body before."""
        return None if known is None else self._decided.get((known, body))

    def remember(self, known: Known | None, body: bytes, decided: Decided) -> None:
        """Keep it, where the same body would lead to the same again."""
        if known is None or len(body) > LONGEST_BODY or not decided.resolution.repeatable:
            return
        if self._size >= BODIES:
            self._decided.clear()
            self._size = 0
        self._decided[known, body] = decided
        self._size += len(body) + EACH
