"""The forms that single values of the file must have: addresses, hosts, URLs, zones, globs. Pure, but for zone data.

Each function gives the value in its normal form. Errors: ValueError whose text completes a sentence that begins with
the value and does not repeat it (see `units.py`).
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

_HOST_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_ALLOWED_PATH = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) +(/[^\s?#]*)", re.ASCII)
OWN_HEADERS = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "content-encoding", "accept-encoding", "expect")
)
STORE_PREFIX = "sqlite:///"
FIRST_SEGMENTS = frozenset(  # a path that begins with one of these is an API's own, or GreyFox's
    (
        "v1",
        "v1beta",
        "v1alpha",
        "api",
        "greyfox",
        "chat",
        "completions",
        "responses",
        "embeddings",
        "models",
        "messages",
    )
)


def as_tuple(value: object) -> object:
    """One value where a list is expected is a list of one."""
    return tuple(value) if isinstance(value, list) else value if isinstance(value, tuple) else (value,)


def upstream_name(value: str) -> str:
    """A name that can stand as the first segment of a path."""
    if value.lower() in FIRST_SEGMENTS:
        raise ValueError("no name for an upstream: paths of the APIs begin with it")
    return value


def host(value: str) -> str:
    """A host's name or address alone, in lower case, without a dot at the end."""
    name = value.lower().removesuffix(".")
    if not _is_host(name):
        raise ValueError("no host name: write the name alone, as in api.example.com, without scheme, port, path or *")
    return name


def listen(value: str) -> str:
    """`127.0.0.1:8090`, `[::1]:8090`."""
    name, _, port = value.rpartition(":")
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    if not _is_port(port) or not _is_host(bare.lower()) or (":" in bare) != (bare != name):
        raise ValueError("no address to listen on: write host:port, as in 127.0.0.1:8090 or [::1]:8090")
    return value


def base_url(value: str) -> str:
    """An http(s) URL with nothing but scheme, host, port and path."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("no URL") from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or port == 0
        or not value.isprintable()
        or " " in value
    ):
        raise ValueError("no base URL: write it as in https://api.example.com/v1")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with credentials in it: put them into api_key, as ${NAME}")
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise ValueError("a URL with a query or fragment: paths are appended to base_url, so it can have neither")
    if not _is_host(parts.hostname):
        raise ValueError("a URL whose host is no host name")
    return value


def is_loopback_url(value: str) -> bool:
    """Whether the URL's host is this machine."""
    return is_loopback(urlsplit(value).hostname or "")


def is_loopback(name: str) -> bool:
    """Whether `name` is this machine, by its own spelling alone."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def secure_url(value: str) -> str:
    """An https URL; plain http is fine for this machine alone."""
    try:
        parts: SplitResult | None = urlsplit(value)
    except ValueError:
        parts = None
    if parts is None or not parts.hostname or parts.username is not None or parts.password is not None:
        raise ValueError("no URL: write it as in https://sso.example.com/jwks.json, without credentials")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("not https: keys that anybody on the way could replace verify nothing")
    return value


def zone(value: str) -> str:
    """The name of a time zone of the IANA database."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("no time zone: write a name of the IANA database, as in UTC or Europe/Berlin") from None
    return value


def time_of_day(value: str) -> str:
    """`HH:MM`, 24 hours."""
    if not _TIME.fullmatch(value):
        raise ValueError("no time of day: write HH:MM, from 00:00 to 23:59")
    return value


def store(value: str) -> str:
    """`sqlite:///greyfox.db`: a file beside the configuration, with four slashes an absolute path."""
    if value.startswith(("postgresql:", "postgres:", "postgresql+")):
        raise ValueError("not in this version: the store is a SQLite file, sqlite:///greyfox.db")
    path = value.removeprefix(STORE_PREFIX)
    if path == value or not path or path.endswith("/") or not path.isprintable() or any(sign in path for sign in "?#"):
        raise ValueError("no store: write sqlite:/// and the path of a file, as in sqlite:///greyfox.db")
    if path == ":memory:":
        raise ValueError("no store: what is in memory alone is lost with the process")
    return value


def headers(value: dict[str, str]) -> dict[str, str]:
    """Header fields that can be sent as they are, and that the gateway does not set itself."""
    for name, content in value.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(content):
            raise ValueError(
                "no header fields: names are tokens, values have no line breaks and no letters beyond Latin-1"
            )
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"setting {name.lower()}, which the gateway sets itself")
    return value


def allowed_path(value: str) -> str:
    """`GET /files/*`."""
    found = _ALLOWED_PATH.fullmatch(value.strip())
    if found is None:
        raise ValueError("no allowed path: write a method and a path below base_url, as in GET /files/*")
    return f"{found[1]} {found[2]}"


def tunnel_goal(value: str) -> str:
    """`host`, `host:port`, or a network such as `10.0.0.0/8`."""
    text = value.lower()
    try:
        if "/" in text:
            return str(ip_network(text, strict=False))
    except ValueError:
        raise ValueError("no network: write it as in 10.0.0.0/8") from None
    name, colon, port = text.rpartition(":")
    if not (_is_host(text) or (colon and _is_port(port) and _is_host(name) and ":" not in name)):
        raise ValueError("no goal of a tunnel: write host, host:port or a network such as 10.0.0.0/8")
    return text


def target(value: str) -> str:
    """`upstream/model`; the model may hold slashes, or be `*`: the one that was asked for."""
    upstream, slash, model = value.partition("/")
    if not slash or not upstream or not model or (is_glob(model) and model != "*"):
        raise ValueError("no target: write upstream/model, or upstream/* for the model that was asked for")
    return value


def is_glob(value: str) -> bool:
    """Whether `value` has signs that stand for other text."""
    return any(sign in value for sign in "*?[")


def unique(values: Iterable[str]) -> bool:
    """Whether no value comes twice."""
    listed = list(values)
    return len(listed) == len(set(listed))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65_536


def _is_host(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        labels = name.split(".")
        # A last label of digits alone is read as an address by some and as a name by others (`127.1`).
        return len(name) <= 253 and all(map(_HOST_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return True
