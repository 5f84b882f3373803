"""Is the answer known already? And if not: may this one be kept, and under which key?

    lookup   hit with its entry | miss with the key to store under | bypass with its reason
    store    a whole answer, once it is settled

Entries are served byte for byte as they were stored; a plain answer and a streamed one are two entries.

Units:   seconds; sizes are bytes.
Errors:  NotCached where the caller wants a stored answer or none.
Source:  RFC 9211 (Cache-Status), RFC 9111 section 5.1 (Age).
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from greyfox_core.cache.fingerprint import fingerprint
from greyfox_core.cache.policy import Controls, controls_of, excluded, models_of, scope_of
from greyfox_core.cache.ports import Entries, Entry, Stats
from greyfox_core.cache.recorder import Recorder
from greyfox_core.clock import Clock
from greyfox_core.config.schema import CachePart
from greyfox_core.errors import NotCached
from greyfox_core.record import record
from greyfox_core.values.http import Headers, RequestHead
from greyfox_core.values.principal import Principal
from greyfox_core.values.request import ParsedRequest
from greyfox_core.values.target import Target
from greyfox_core.values.usage import Usage

# Fields that choose an API's behaviour beside the body. Which of them went upstream does not matter: one too many
# costs a miss, one too few serves a wrong answer.
VERSION_FIELDS = (
    "anthropic-version",
    "anthropic-beta",
    "anthropic-workspace-id",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "x-goog-user-project",
)
CREDENTIAL_PARAMETERS = ("key", "access_token")  # the rest of a query can change an answer


@record
class Asked:
    """One metered request, resolved. `fields` is its body without what cannot change the answer, made when needed.

    `uncacheable` is the dialect's reason why the answer depends on more than the request, else None. `passthrough` is
    the caller's own upstream credential, where it goes along.
    """

    head: RequestHead
    principal: Principal
    parsed: ParsedRequest
    target: Target
    route: str
    fields: Callable[[], Mapping[str, Any]]
    uncacheable: str | None = None
    passthrough: Headers = ()


@record
class Decision:
    """`state` is what `x-greyfox-cache` says. `key` is where the answer is to be stored; None: nowhere.

    `entry` belongs to a hit. `reason` belongs to a bypass. `ttl` and `tags` are for the entry to be stored.
    """

    state: Literal["hit", "miss", "bypass"]
    key: bytes | None = None
    entry: Entry | None = None
    reason: str | None = None
    ttl: float = 0.0
    tags: frozenset[str] = frozenset()


@record
class Plan:
    """What is to be done for one request, by the request alone. `reason` is why it bypasses the cache; else None."""

    controls: Controls
    reason: str | None
    key: bytes = b""


class Cache:
    """Decides and keeps; where the entries lie is `entries`' affair."""

    def __init__(self, entries: Entries, clock: Clock) -> None:
        self._entries = entries
        self._clock = clock

    def plan(self, asked: Asked, config: CachePart) -> Plan:
        """Where the answer would lie. Looks at nothing but the request."""
        controls = controls_of(asked.head, config)
        reason = _bypass_reason(asked, controls, config)
        return Plan(controls, reason) if reason is not None else Plan(controls, None, _key(asked, controls, config))

    async def lookup(self, plan: Plan) -> Decision:
        """Decide for one request. Raises NotCached."""
        control = plan.controls.control
        if plan.reason is not None:
            if control.only_if_cached:
                raise _not_cached()
            return Decision("bypass", reason=plan.reason)
        if not control.no_cache:
            entry = await self._entries.get(plan.key, max_age=control.max_age)
            if entry is not None:
                return Decision("hit", entry=entry)
        if control.only_if_cached:
            raise _not_cached()
        ttl = plan.controls.ttl
        return Decision("miss", key=plan.key if ttl > 0 else None, ttl=ttl, tags=plan.controls.tags)

    def recorder(self, config: CachePart) -> Recorder:
        """For the pieces of a stream that may be stored."""
        return Recorder(config.max_entry_size)

    def store(
        self,
        key: bytes,
        *,
        status: int,
        headers: Headers,
        body: bytes,
        usage: Usage,
        target: Target,
        ttl: float,
        tags: frozenset[str] = frozenset(),
    ) -> bool:
        """Keep a whole, successful answer that is settled. False where it is too large, or no success."""
        if status != 200:
            return False
        return self._entries.put(
            key,
            Entry(
                status=status,
                headers=headers,
                body=body,
                usage=usage,
                upstream=target.upstream,
                model=target.model,
                stored_at=self._clock.monotonic(),
                stored=self._clock.now(),
                ttl=ttl,
                tags=tags,
            ),
        )

    def headers(self, decision: Decision) -> list[tuple[str, str]]:
        """What an answer says of the cache. `stored` on a miss is an intention: a head leaves before its end."""
        if decision.entry is not None:
            now = self._clock.monotonic()
            return [
                ("x-greyfox-cache", "hit"),
                ("cache-status", f"greyfox; hit; ttl={decision.entry.left(now)}"),
                ("age", str(decision.entry.age(now))),
            ]
        if decision.state == "miss":
            status = "greyfox; fwd=miss; stored" if decision.key is not None else "greyfox; fwd=miss"
        else:
            status = "greyfox; fwd=bypass"
        return [("x-greyfox-cache", decision.state), ("cache-status", status)]

    async def clear(self) -> int:
        """Forget everything; how many entries there were."""
        return await self._entries.clear()

    def stats(self) -> Stats:
        """Figures for metrics and the command line."""
        return self._entries.stats()

    def reconfigure(self, config: CachePart) -> None:
        """New bounds, in force at once. A cache that was switched off gives its memory back."""
        size = config.memory_bound if config.enabled else 0
        self._entries.resize(max_bytes=size, max_entry=config.max_entry_size)


def _bypass_reason(asked: Asked, controls: Controls, config: CachePart) -> str | None:
    parsed = asked.parsed
    if not config.enabled:
        return "disabled"
    if controls.control.no_store:
        return "no-store"
    if controls.refused is not None:
        return controls.refused
    if asked.uncacheable is not None:
        return asked.uncacheable
    if config.exclude:
        models = models_of(parsed.model, asked.target)
        if excluded(config.exclude, asked.head, parsed.endpoint, models, asked.route):
            return "excluded"
    return None


def _key(asked: Asked, controls: Controls, config: CachePart) -> bytes:
    head, parsed = asked.head, asked.parsed
    query = sorted(part for part in head.query.split("&") if part.partition("=")[0] not in CREDENTIAL_PARAMETERS)
    fields = [f"{name}: {value}" for name, value in head.headers if name in VERSION_FIELDS]
    return fingerprint(
        scope=scope_of(asked.principal, config.scope, asked.passthrough),
        upstream=asked.target.upstream,
        model=asked.target.model,
        operation=f"{parsed.endpoint.dialect} {parsed.endpoint.operation} {parsed.endpoint.path}",
        variant=_variant(parsed),
        versions=(controls.namespace, "&".join(query), *sorted(fields)),
        fields=asked.fields(),
    )


def _variant(parsed: ParsedRequest) -> str:
    if not parsed.stream:
        return "plain"
    return "stream with usage" if parsed.wants_usage else "stream"


def _not_cached() -> NotCached:
    return NotCached("The request asks for a stored answer only (Cache-Control: only-if-cached), and there is none.")
