"""One request and its answer, with all that was decided on the way.

Each step reads what came before and adds its own part; nothing is taken away. A front door makes the exchange from a
request's head, hands it from step to step and sends `answer`. What is not None has been decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greyfox_core.errors import Refused
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.http import Answer, Headers, RequestHead
from greyfox_core.values.principal import Principal
from greyfox_core.values.request import ParsedRequest
from greyfox_core.values.target import Resolution, Target
from greyfox_core.values.usage import Usage

if TYPE_CHECKING:
    from greyfox_core.auth.keys import KeyRecord
    from greyfox_core.rules import Rules
    from greyfox_core.steps.known import Decided, Known


@dataclass(slots=True, weakref_slot=True, eq=False)
class Exchange:
    """`started` is monotonic seconds. `rules` is the configuration that holds for this request from start to end."""

    id: str
    head: RequestHead
    started: float
    rules: Rules

    # ingress
    endpoint: Endpoint | None = None
    addressed: str | None = None  # the upstream that the request names by its host or its path
    unrouted: Refused | None = None  # why the path leads nowhere; told only to an authenticated caller
    own_page: str | None = None  # GreyFox's own pages: `me`, `connect`

    # auth
    principal: Principal | None = None
    passthrough: Headers = ()  # the caller's own upstream credential
    controls: Headers = ()  # the caller's `x-greyfox-*` fields
    key: KeyRecord | None = None  # by which alone the caller is known
    known: Known | None = None  # what a head like this one said before

    # resolve
    body: bytes = b""  # of a free path, compression undone; metered ones have theirs in `parsed`
    parsed: ParsedRequest | None = None
    resolution: Resolution | None = None
    tags: dict[str, str] = field(default_factory=dict)
    decided: Decided | None = None  # what a body like this one led to, for that head

    # quota
    exhausted: Refused | None = None  # what to answer unless the cache knows the answer

    # cache
    cache_state: str = "bypass"  # hit, miss or bypass
    cache_key: bytes | None = None  # where the answer is to be stored; None: nowhere
    cache_headers: list[tuple[str, str]] = field(default_factory=list)
    cache_ttl: float = 0.0  # seconds
    cache_tags: frozenset[str] = frozenset()

    # forward
    target: Target | None = None  # that answered
    attempts: int = 0
    output_cap: int | None = None  # tokens a choice that GreyFox has set
    upstream_seconds: float = 0.0  # spent waiting for upstreams, up to the answer's head
    usage: Usage | None = None
    estimated: bool = False

    # the end
    refusal: Refused | None = None
    answer: Answer | None = None
    closed: bool = False
    gone: bool = False  # the client has left, or was made to
    ended: Refused | None = None  # why it was made to
    on_gone: Callable[[], None] | None = None  # what to stop then

    @property
    def answered(self) -> bool:
        """A step has refused or served it: later steps leave it alone."""
        return self.answer is not None

    async def close_source(self) -> None:
        """Nobody takes the rest of the answer: what it cost so far is settled.

        Does nothing for a whole or a finished answer.
        """
        if self.answer is not None and not isinstance(self.answer.body, bytes):
            await self.answer.body.aclose()

    def leave(self, why: Refused | None = None) -> None:
        """Stop what is being done for the client: it has left, or may have no more of it (`why` tells it so)."""
        self.gone = True
        self.ended = why
        if self.on_gone is not None:
            self.on_gone()

    def control(self, name: str) -> str:
        """The caller's field of that (lower-case) name; empty where there is none."""
        return next((value for field, value in self.controls if field == name), "")
