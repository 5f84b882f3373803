"""What a request presents as credentials, slot by slot, and the request without them. Pure.

A slot is a place where an API's clients put their key. What lies there is GreyFox's own (a virtual key, or a JWT of a
configured issuer) or something else: the caller's own credential for the upstream. Proxy-Authorization is addressed to
the gateway whatever it holds.

Errors:  Unauthenticated where a slot occurs twice or cannot be read.
Source:  RFC 7617 (Basic), RFC 6750 (Bearer); the providers' own documentation for the other slots.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_plus

from greyfox_core.auth.keys import PREFIX
from greyfox_core.errors import Unauthenticated
from greyfox_core.values.http import Headers, RequestHead

PROXY_SLOT = "proxy-authorization"
BARE_SLOTS = frozenset(("x-api-key", "api-key", "x-goog-api-key"))
SLOTS = BARE_SLOTS | {"authorization", PROXY_SLOT}
QUERY_SLOT = "key"
QUERY_SLOT_AS_HEADER = "x-goog-api-key"  # the same key to the same API, and no URL holds it

LONGEST = 16_384  # characters of a credential; the largest JWTs of identity providers have about half
MESSAGE = (
    "No valid GreyFox credential. Send your GreyFox key (gf_…) as the API key, or as the password of the proxy's URL; "
    "whoever runs this gateway issues one with `greyfox key create`."
)

_KEY_INSIDE = re.compile(r"gf_[A-Za-z0-9_-]{43}", re.IGNORECASE)
_VISIBLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Presented:
    """`proxy` is what identifies the caller to the proxy. `own` are GreyFox's credentials of the other slots.

    `foreign` are the caller's own upstream credentials, as header fields.
    """

    proxy: str | None
    own: tuple[str, ...]
    foreign: Headers


def unauthenticated() -> Unauthenticated:
    """The one refusal for every reason: nobody learns from it which keys exist."""
    return Unauthenticated(MESSAGE)


def collect(head: RequestHead, is_own_jwt: Callable[[str], bool]) -> Presented:
    """What every slot of `head` holds. `is_own_jwt` tells whether a token claims to be of a configured issuer."""
    found: dict[str, str] = {}
    for name, value in head.headers:
        if name in SLOTS:
            if name in found:
                raise unauthenticated()
            found[name] = value
    proxy = _proxy_credential(found.pop(PROXY_SLOT)) if PROXY_SLOT in found else None
    own: list[str] = []
    foreign: list[tuple[str, str]] = []
    for name, value in found.items():
        credential = value.strip() if name in BARE_SLOTS else _of_scheme(value)
        if not credential:
            continue  # an SDK without a key sends the field empty
        if _is_own(credential, is_own_jwt):
            own.append(credential)
        else:
            foreign.append((name, value.strip()))
    if (key := _query_key(head.query)) is not None:
        in_header = dict(foreign).get(QUERY_SLOT_AS_HEADER, key)
        if _is_own(key, is_own_jwt):
            own.append(key)
        elif in_header != key:
            raise unauthenticated()  # two different credentials for one upstream: no telling which is meant
        elif QUERY_SLOT_AS_HEADER not in found:
            foreign.append((QUERY_SLOT_AS_HEADER, key))
    return Presented(proxy, tuple(own), tuple(foreign))


def proxy_credential(headers: Headers) -> str:
    """What a CONNECT presents: its Proxy-Authorization, and nothing else counts."""
    fields = [value for name, value in headers if name == PROXY_SLOT]
    if len(fields) != 1:
        raise unauthenticated()
    return _proxy_credential(fields[0])


def strip(head: RequestHead) -> tuple[Headers, str]:
    """Fields and query without any credential: for forwarding, for views, for logs.

    Without slots, cookies and GreyFox's own request fields; and without any other field or parameter that holds a
    virtual key (a Referer, a parameter of another name).
    """
    headers = tuple(
        [
            (name, value)
            for name, value in head.headers
            if name not in SLOTS and name != "cookie" and not name.startswith("x-greyfox-") and not _holds_key(value)
        ]
    )
    if not head.query:
        return headers, ""
    kept = [pair for pair in head.query.split("&") if not _secret_pair(pair)]
    return headers, "&".join(kept)


def _proxy_credential(value: str) -> str:
    credential = _of_scheme(value)
    if not credential or len(credential) > LONGEST:
        raise unauthenticated()
    return credential


def _of_scheme(value: str) -> str:
    """The secret of an Authorization value: a Bearer's token, a Basic's password; else the value as it stands.

    Empty where there is none, or where Basic cannot be read.
    """
    scheme, _, rest = value.strip().partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "bearer":
            return rest
        case "basic":
            try:
                decoded = base64.b64decode(rest, validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError, ValueError):
                return ""
            user, _, password = decoded.partition(":")
            return decoded if _holds_key(user) else password  # a key in the wrong half is refused, never passed on
        case _:
            return value.strip()


def _is_own(credential: str, is_own_jwt: Callable[[str], bool]) -> bool:
    if len(credential) > LONGEST or not _VISIBLE.fullmatch(credential.replace(" ", "")):
        raise unauthenticated()
    # In any case and anywhere: what was a key before somebody mangled it must not travel upstream either.
    if credential[: len(PREFIX)].lower() == PREFIX or _holds_key(credential):
        return True
    return is_own_jwt(credential)


def _holds_key(value: str) -> bool:
    return "_" in value and _KEY_INSIDE.search(value) is not None


def _query_key(query: str) -> str | None:
    if QUERY_SLOT not in unquote_plus(query):
        return None
    keys = [unquote_plus(value) for name, value in _pairs(query) if unquote_plus(name) == QUERY_SLOT]
    if len(keys) > 1:
        raise unauthenticated()
    if not keys or not keys[0]:
        return None
    if not _VISIBLE.fullmatch(keys[0]):  # it may become a header field
        raise unauthenticated()
    return keys[0]


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&"))]


def _secret_pair(pair: str) -> bool:
    decoded = unquote_plus(pair)
    return decoded.partition("=")[0] == QUERY_SLOT or _holds_key(decoded)
