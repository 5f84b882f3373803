"""What is permitted but worth a second look: shown by `greyfox config check`, which then still succeeds. Pure."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from greyfox_core.config import forms
from greyfox_core.config.findings import Finding
from greyfox_core.config.schema import Config, Upstream

DEFAULT_ROUTE = "default"


def warnings(config: Config) -> Iterator[Finding]:
    """Every finding of a configuration that can be used."""
    if config.cache.enabled and config.cache.scope == "global":
        yield Finding(
            ("cache", "scope"), "with scope global every caller is served answers that others have paid for and asked"
        )
    if config.cache.encryption_key.get_secret_value():
        yield Finding(("cache", "encryption_key"), "the cache is held in memory alone: there is nothing to encrypt yet")
    routes = {route.name for route in config.routes} | {DEFAULT_ROUTE}
    for index, one in enumerate(config.cache.exclude):
        if one.route is not None and not any(fnmatchcase(route, one.route) for route in routes):
            yield Finding(("cache", "exclude", index, "route"), "this names no route of this file and excludes nothing")
    if not forms.is_loopback(config.admin.listen.rpartition(":")[0].strip("[]")):
        yield Finding(("admin", "listen"), "the admin plane can be reached from other machines")
    for name, upstream in config.upstreams.items():
        if not upstream.api_key.get_secret_value() and _needs_key(upstream):
            yield Finding(
                ("upstreams", name, "api_key"),
                f"upstream {name} has no key: it serves only callers who bring their own by HTTPS_PROXY",
                on_key=True,
            )
        if upstream.allow_plaintext and upstream.base_url.startswith("http:"):
            yield Finding(("upstreams", name, "base_url"), f"upstream {name} gets its key and every prompt unencrypted")
    yield from _overlaps(config)


def _needs_key(upstream: Upstream) -> bool:
    if upstream.auth == "none" or forms.is_loopback_url(upstream.base_url):
        return False
    return not any(
        field.lower() in ("authorization", "x-api-key", "api-key", "x-goog-api-key") for field in upstream.headers
    )


def _overlaps(config: Config) -> Iterator[Finding]:
    """Two entries that claim one host: the first of them wins, and the other one's does nothing."""
    owners = {host: name for name, upstream in config.upstreams.items() for host in upstream.hosts}
    for name, upstream in config.upstreams.items():
        own = urlsplit(upstream.base_url).hostname or ""
        if (winner := owners.get(own, name)) != name:
            yield Finding(
                ("upstreams", name, "base_url"),
                f"proxied calls to the host of upstream {name} are those of upstream {winner}, which lists it",
            )
    for index, goal in enumerate(config.proxy.allow):
        if (owner := owners.get(goal.partition(":")[0])) is not None:
            yield Finding(
                ("proxy", "allow", index), f"this host is upstream {owner}'s: it is governed, never tunnelled"
            )
