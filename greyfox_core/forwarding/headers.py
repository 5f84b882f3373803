"""Which header fields cross the gateway, in either direction. Pure.

Upstream goes nothing that names the caller, the way or GreyFox: no credential, no cookie, no hop-by-hop field, no
GreyFox field, no stale framing. Down to the client goes nothing that describes the shared key, the organisation or
another framing than ours.
Source: RFC 9110 section 7.6.1 for hop-by-hop fields; docs/paths.md lists the rest.
"""

from collections.abc import Iterable, Mapping

from greyfox_core.values.http import Headers

HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-connection",
        "proxy-authenticate",
    )
)
CREDENTIALS = frozenset(("authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"))
IDENTITY = frozenset(  # these describe the key's owner: wrong beside another key
    (
        "openai-organization",
        "openai-project",
        "anthropic-workspace-id",
        "anthropic-user-profile-id",
        "x-goog-user-project",
    )
)
NEVER_UP = (
    HOP_BY_HOP
    | CREDENTIALS
    | frozenset(
        (
            "host",
            "content-length",
            "content-encoding",
            "accept-encoding",
            "expect",
            "forwarded",
            "via",
            "x-real-ip",
            "origin",
            "referer",
            "cache-control",
            "pragma",
            "if-none-match",
            "if-modified-since",
        )
    )
)
NEVER_DOWN = HOP_BY_HOP | frozenset(
    (
        "content-length",
        "content-encoding",
        "set-cookie",
        "set-cookie2",
        "server",
        "via",
        "alt-svc",
        "strict-transport-security",
        "openai-organization",
        "openai-project",
        "anthropic-organization-id",
        "anthropic-workspace-id",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "proxy-authorization",
        "cache-status",
        "age",
        "report-to",
        "nel",
    )
)
NEVER_DOWN_PREFIXES = ("x-greyfox-", "x-ratelimit-", "anthropic-ratelimit-", "cf-", "x-envoy-")
LONGEST_RETRY = 60  # seconds; an upstream's longer wish would freeze SDKs that obey any figure


def upstream_headers(
    caller: Headers,
    *,
    key: str,
    auth: str,
    passthrough: Headers = (),
    extra: Mapping[str, str] | None = None,
) -> list[tuple[str, str]]:
    """The head of the outgoing call.

    `key` is the upstream's own; empty: the caller's `passthrough` fields stand in for it.
    `auth` is `bearer`, `none`, or the name of the field that carries the key.
    """
    dropped = set(NEVER_UP)
    if key:
        dropped |= IDENTITY
    for name, value in caller:
        if name == "connection":  # RFC 9110: fields that it names are hop-by-hop too
            dropped.update(token.strip().lower() for token in value.split(","))
    kept = [
        (name, value)
        for name, value in caller
        if name not in dropped and not name.startswith(("x-greyfox-", "x-forwarded-", "proxy-"))
    ]
    kept.append(("accept-encoding", "identity"))  # metering reads in passing what comes
    if key:
        if auth == "bearer":
            kept.append(("authorization", f"Bearer {key}"))
        elif auth != "none":
            kept.append((auth, key))
    else:
        kept.extend(passthrough)
    if extra:
        kept = [(name, value) for name, value in kept if name not in extra]
        kept.extend(extra.items())
    return kept


def answer_headers(upstream: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What of an upstream's answer head goes on to the client; a `retry-after` only where it is a short one."""
    kept = []
    for name, value in upstream:
        if name in ("retry-after", "retry-after-ms"):
            if _short(name, value):
                kept.append((name, value))
        elif name not in NEVER_DOWN and not name.startswith(NEVER_DOWN_PREFIXES):
            kept.append((name, value))
    return kept


def _short(name: str, value: str) -> bool:
    seconds = value.strip()
    if not seconds.isascii() or not seconds.replace(".", "", 1).isdigit():
        return False
    return float(seconds) <= LONGEST_RETRY * (1000 if name == "retry-after-ms" else 1)
