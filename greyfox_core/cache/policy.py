"""Who shares an entry, what a caller may ask of the cache, and what never touches it. Pure.

Units:   ages and TTLs are seconds.
Errors:  none for what a caller sends: a control that cannot be read is ignored, but for a namespace, which takes the
         request out of the cache, since to ignore it would share what was meant to be apart.
Source:  RFC 9111 section 5.2.1 (Cache-Control in requests) and 4.2.1 (of directives given twice the first counts).
"""

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Literal

from greyfox_core.config.schema import CachePart, Exclusion
from greyfox_core.config.units import duration
from greyfox_core.record import record
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.http import Headers, RequestHead
from greyfox_core.values.principal import Principal
from greyfox_core.values.target import Target

Scope = Literal["global", "team", "user", "key"]

OLDEST = 2**31  # seconds, as RFC 9111 section 1.2.2 caps what it reads
MOST_TAGS = 16
_SAFE = re.compile(r"[A-Za-z0-9._:/@=+-]{1,64}")
_SECONDS = re.compile(r"[0-9]{1,19}")


@record
class CacheControl:
    """What of a request's Cache-Control concerns a cache. `max_age` is seconds."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: int | None = None

    @classmethod
    def of(cls, values: Iterable[str]) -> "CacheControl":
        """From every field of that name; unknown directives and bad values are ignored."""
        given: dict[str, str] = {}
        for directive in ",".join(values).split(","):
            name, _, value = directive.partition("=")
            given.setdefault(name.strip().lower(), value.strip().strip('"'))
        age = given.get("max-age", "")
        return cls(
            no_cache="no-cache" in given,
            no_store="no-store" in given,
            only_if_cached="only-if-cached" in given,
            max_age=min(int(age), OLDEST) if _SECONDS.fullmatch(age) else None,
        )


@record
class Controls:
    """What one request asks of the cache, within what the operator allows. `ttl` is of the entry it may make."""

    ttl: float
    control: CacheControl = CacheControl()
    namespace: str = ""
    tags: frozenset[str] = frozenset()
    refused: str | None = None  # why the request has to stay out of the cache


def controls_of(head: RequestHead, config: CachePart) -> Controls:
    """Read the caller's controls; none count where the operator has switched them off."""
    ttl = config.ttl
    if not config.request_controls:
        return Controls(ttl)
    asked = head.get("x-greyfox-cache-ttl")
    if asked is not None:
        with suppress(ValueError):  # then the operator's own stands
            ttl = min(duration(asked), config.max_ttl)
    namespace = (head.get("x-greyfox-cache-namespace") or "").strip()
    named = [tag.strip() for value in head.all("x-greyfox-cache-tags") for tag in value.split(",")]
    return Controls(
        ttl=ttl,
        control=CacheControl.of(head.all("cache-control")),
        namespace=namespace,
        tags=frozenset([tag for tag in named if _SAFE.fullmatch(tag)][:MOST_TAGS]),
        refused="namespace" if namespace and not _SAFE.fullmatch(namespace) else None,
    )


def scope_of(principal: Principal, scope: Scope, passthrough: Headers) -> str:
    """Whose entries these are. Each kind has its own prefix, so that a team is never taken for a user of its name.

    A caller without a team has its own entries under `team`. A JWT's key id is its issuer's, shared by all its users,
    so the user belongs to it. `passthrough` is the caller's own upstream credential: what it may see, another may not.
    """
    match scope:
        case "global":
            shared = "global"
        case "team" if principal.team is not None:
            shared = f"team:{principal.team}"
        case "key":
            shared = f"key:{len(principal.key_id)}:{principal.key_id}:{principal.user}"
        case _:
            shared = f"user:{principal.user}"
    if not passthrough:
        return shared
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(passthrough):
        digest.update(f"{len(name)}:{len(value)}:{name}{value}".encode("utf-8", "surrogatepass"))
    return f"{digest.hexdigest()}|{shared}"


def excluded(
    exclusions: Iterable[Exclusion], head: RequestHead, endpoint: Endpoint, models: set[str], route: str
) -> bool:
    """Whether one of the operator's exclusions fits: each part that it names. `models` are from `models_of`."""
    paths: set[str] | None = None
    for exclusion in exclusions:
        if exclusion.route is not None and not fnmatchcase(route, exclusion.route):
            continue
        if exclusion.model is not None and not any(fnmatchcase(model, exclusion.model) for model in models):
            continue
        if exclusion.path is not None:
            paths = paths or _paths(head, endpoint)
            if not any(fnmatchcase(path, exclusion.path) for path in paths):
                continue
        return True
    return False


def models_of(asked: str, target: Target) -> set[str]:
    """The names under which an exclusion may mean this request's model."""
    return {asked, target.model, f"{target.upstream}/{target.model}"}


def _paths(head: RequestHead, endpoint: Endpoint) -> set[str]:
    """The path as it came, and as the API's own documentation writes it, whichever way the request came."""
    own = endpoint.path.replace("{model}", endpoint.model or "")
    documented = f"/v1{own}" if endpoint.api == "openai" and not own.startswith("/v1/") else own
    return {head.path, own, documented}
