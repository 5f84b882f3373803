"""Step 3 of a request: what does it ask for, and which model will answer?

Needs:  exchange.endpoint, exchange.principal, the body.
Leaves: exchange.parsed (metered paths), exchange.resolution, exchange.tags. A pure decision: nothing is sent or
written.
"""

import asyncio
from functools import partial

from greyfox_core.dialects.base import Dialect
from greyfox_core.dialects.registry import Dialects
from greyfox_core.routing.free import resolve_free
from greyfox_core.routing.router import Texts
from greyfox_core.steps.decoding import decoded
from greyfox_core.steps.known import Decided, KnownBodies
from greyfox_core.tokens.count import TokenCounter
from greyfox_core.values.endpoint import Access
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.request import ParsedRequest

ON_THE_LOOP = 65_536  # bytes of a body that are parsed without a thread
MAX_TAGS = 16
MAX_TAG = 64  # characters of a name or a value


class Resolve:
    """Understands the body and asks the router."""

    def __init__(self, dialects: Dialects, counter: TokenCounter) -> None:
        self._dialects = dialects
        self._counter = counter
        self._bodies = KnownBodies()

    async def __call__(self, exchange: Exchange, body: bytes) -> None:
        """Decide.

        Raises BadRequest, TooLarge, Unsupported, NoRoute, Forbidden.
        """
        endpoint, rules = exchange.endpoint, exchange.rules
        assert endpoint is not None and exchange.principal is not None
        decided = self._bodies.recall(exchange.known, body)
        if decided is not None:
            exchange.decided = decided
            exchange.parsed, exchange.resolution, exchange.tags = decided.parsed, decided.resolution, decided.tags
            return
        exchange.tags = tags_of(exchange.control("x-greyfox-tags"))
        limits = rules.config.limits
        encoding = ",".join(exchange.head.all("content-encoding"))
        decode = partial(decoded, body, encoding, max_size=limits.max_body, max_ratio=limits.max_ratio)
        # A few compressed bytes may hold as many as `max_body`: how much work they are is not known before.
        plain = await asyncio.to_thread(decode) if encoding else decode()
        if endpoint.access is not Access.METERED:
            exchange.resolution = resolve_free(rules.config, exchange.principal, endpoint, addressed=exchange.addressed)
            exchange.body = plain
            return
        dialect = self._dialects.of(endpoint)
        parse = partial(dialect.parse, endpoint, plain, max_depth=limits.max_depth)
        exchange.parsed = parse() if len(plain) <= ON_THE_LOOP else await asyncio.to_thread(parse)
        exchange.resolution = rules.router.resolve(
            exchange.principal,
            exchange.parsed,
            addressed=exchange.addressed,
            texts=_texts(dialect, exchange.parsed),
            input_tokens=partial(self._rough_count, dialect, exchange.parsed),
        )
        exchange.decided = Decided(exchange.parsed, exchange.resolution, exchange.tags)
        self._bodies.remember(exchange.known, body, exchange.decided)

    def _rough_count(self, dialect: Dialect, parsed: ParsedRequest) -> int:
        """Tokens for a rule's `input_tokens`: counted where that is quick, else a quarter of the bytes."""
        prompt = dialect.prompt(parsed, parsed.model)
        counted = self._counter.count_now(prompt, parsed.model)
        return counted if counted is not None else self._counter.bound(prompt) // 4


def _texts(dialect: Dialect, parsed: ParsedRequest) -> Texts:
    return Texts(
        last_user=partial(dialect.last_user_text, parsed),
        system=partial(dialect.system_text, parsed),
        all=partial(dialect.all_text, parsed),
    )


def tags_of(field: str) -> dict[str, str]:
    """`project=search,repo=web` as a mapping; what is not of this form, or too much, is left out."""
    tags: dict[str, str] = {}
    for part in field.split(","):
        name, sign, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if sign and name and value and len(name) <= MAX_TAG and len(value) <= MAX_TAG and (name + value).isprintable():
            tags[name] = value
        if len(tags) == MAX_TAGS:
            break
    return tags
