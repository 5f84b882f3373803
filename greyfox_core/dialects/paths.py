"""From a request's line to what it is: which API's path, metered or free, and which upstream it names. Pure.

Nothing is guessed about unknown paths: what no table names is refused, since it would go out under a key that all
callers share. One spelling is known per path; doubled slashes, dot segments, encoded slashes, `;` and a trailing slash
are refused, so that the path that is judged and the path that is sent cannot differ.

Errors:  NoRoute (unknown or not metered), MethodNotAllowed, UpgradeRequired (WebSockets).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

from greyfox_core.dialects import path_tables as tables
from greyfox_core.dialects.path_tables import Row
from greyfox_core.errors import MethodNotAllowed, NoRoute, UpgradeRequired
from greyfox_core.values.endpoint import Access, Endpoint
from greyfox_core.values.http import Headers

REMEMBERED = 1_024  # paths: there are few, but for those that name a model
SERVED = (
    "GreyFox serves /v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings and /v1/models (OpenAI), "
    "/v1/messages (Anthropic), /v1beta/models/… (Gemini), /api/chat, /api/generate and /api/embed (Ollama), "
    "and the same below /NAME of an upstream."
)


@dataclass(frozen=True, slots=True)
class Served:
    """What of an upstream's configuration decides about paths; `base_path` is base_url's path without a last slash."""

    api: str
    base_path: str = ""
    allow_paths: tuple[str, ...] = ()

    @classmethod
    def of(cls, api: str, base_url: str, allow_paths: tuple[str, ...] = ()) -> "Served":
        return cls(api, urlsplit(base_url).path.rstrip("/"), allow_paths)

    @property
    def azure(self) -> bool:
        """Azure's older form: base_url ends in `/openai`, the deployment stands in the path."""
        return (
            self.api == "openai" and self.base_path.endswith("/openai") and not self.base_path.endswith("beta/openai")
        )


@dataclass(frozen=True, slots=True)
class Classified:
    """`upstream` is the upstream that the path itself names; None: the model decides."""

    endpoint: Endpoint
    upstream: str | None = None


def classify(
    method: str, path: str, query: str, headers: Headers, *, prefix_upstreams: Mapping[str, Served]
) -> Classified:
    """A request to GreyFox's own address (base URL). `path` is raw; `prefix_upstreams` are served below `/NAME/`."""
    _refuse_upgrade(headers)
    segments = _segments(path)
    api = _api_of(segments, query, headers)
    probe = _probe(method, segments, api)
    if probe:
        return Classified(probe)
    first, rest = segments[0], segments[1:]
    if (
        first == "openai"
        and rest
        and (rest[0] == "deployments" or (rest[0] != "v1" and _query_has(query, "api-version")))
    ):
        return _azure(method, path, query, headers, rest, prefix_upstreams)
    if first in prefix_upstreams:
        return classify_at(method, path, query, headers, first, prefix_upstreams[first], rest)
    if api == "gemini" and segments[1:2] == ("openai",):
        for name, served in prefix_upstreams.items():
            if served.api == "openai" and served.base_path == "/" + "/".join(segments[:2]):
                return classify_at(method, path, query, headers, name, served, segments)
    found = _look_up(api, method, _relative(api, segments), path)
    if found:
        return Classified(found)
    for name, served in prefix_upstreams.items():
        if served.api == api and (allowed := _allowed(served, method, _relative(api, segments))):
            return Classified(allowed, name)
    raise _no_route(api, path, segments)


def classify_at(
    method: str,
    path: str,
    query: str,
    headers: Headers,
    name: str,
    served: Served,
    segments: tuple[str, ...] | None = None,
) -> Classified:
    """A request that names its upstream: by host (`path` is the provider's own) or by prefix (`segments`: the rest)."""
    _refuse_upgrade(headers)
    if segments is None:
        segments = _segments(path)
    probe = _probe(method, segments, served.api)
    if probe:
        return Classified(probe, name)
    segments = _below_base(served, segments)
    relative = _relative(served.api, segments)
    found = _look_up_deployment(method, relative, path) if served.azure else None
    found = found or _look_up(served.api, method, relative, path)
    if found and served.azure and segments[:1] == ("v1",):
        found = Endpoint(found.api, found.dialect, found.operation, found.access, "/v1" + found.path, found.model)
    found = found or _allowed(served, method, relative)
    if not found:
        raise _no_route(served.api, path, segments)
    return Classified(found, name)


def guess_dialect(path: str, query: str, headers: Headers, api: str | None = None) -> str:
    """Whose errors a caller understands, for a request that is refused before or without `classify`.

    `api` is the addressed upstream's, where one is.
    """
    segments = tuple(unquote(path).strip("/").split("/"))
    api = api or _api_of(segments, query, headers)
    return "openai-chat" if api == "openai" else api


@lru_cache(REMEMBERED)
def _segments(path: str) -> tuple[str, ...]:
    """The decoded segments. Raises NoRoute for every spelling that two readers could read differently."""
    lowered = path.lower()
    plain = "%2f" not in lowered and "%5c" not in lowered and "\\" not in path and path.startswith("/")
    decoded = unquote(path, errors="replace")
    if plain and decoded.isprintable() and not any(sign in decoded for sign in ";%\ufffd?#"):
        segments = tuple(decoded[1:].split("/"))
        if segments == ("",) or not any(part in ("", ".", "..") for part in segments):
            return segments
    raise NoRoute(
        "GreyFox reads one spelling of a path: no empty or dot segments, no encoded slashes, no `;`, no last slash."
    )


def _refuse_upgrade(headers: Headers) -> None:
    if any(name == "upgrade" and "websocket" in value.lower() for name, value in headers):
        raise UpgradeRequired("GreyFox does not meter WebSockets yet. Send the same request by HTTP POST.")


def _probe(method: str, segments: tuple[str, ...], api: str) -> Endpoint | None:
    """What coding agents ask to see whether somebody is there: answered here, for anybody."""
    here = "/" + "/".join(segments)
    if (here == "/" and method == "HEAD") or (here == "/api/hello" and method in tables.READ):
        return Endpoint(api, "openai-chat" if api == "openai" else api, "probe", Access.LOCAL, here)
    return None


def _api_of(segments: tuple[str, ...], query: str, headers: Headers) -> str:
    """Whose path this is; where several APIs share it (`/v1/models`), the credential's header decides."""
    segments = _undoubled(segments) or ("",)
    if segments[0] == "api":
        return "ollama"
    rest = segments[1:] if segments[0] == "v1" else segments
    verb = rest[-1].rpartition(":")[2] if rest[:1] == ("models",) else ""
    if segments[0] in ("v1beta", "v1alpha") or verb in tables.GEMINI_VERBS or verb in tables.GEMINI_REFUSED_VERBS:
        return "gemini"
    if rest[:1] == ("messages",):
        return "anthropic"
    names = {name for name, _ in headers}
    if rest[:1] in ((), ("",), ("models",)) or rest[0] in tables.REFUSED["anthropic"]:
        if "x-goog-api-key" in names or "x-goog-api-client" in names or _query_has(query, "key"):
            return "gemini"
        if "anthropic-version" in names:
            return "anthropic"
    return "openai"


def _undoubled(segments: tuple[str, ...]) -> tuple[str, ...]:
    """An SDK appends its own version to a base URL that ends in one."""
    if len(segments) > 1 and segments[0] in tables.GEMINI_VERSIONS and segments[1] in tables.GEMINI_VERSIONS:
        return segments[1:]
    return segments


def _relative(api: str, segments: tuple[str, ...]) -> tuple[str, ...]:
    """The segments in the form that the API's table has."""
    segments = _undoubled(segments)
    if api == "openai":
        return segments[1:] if segments[:1] == ("v1",) else segments
    if api == "anthropic" and segments[:1] != ("v1",):
        return ("v1", *segments)
    return segments


def _below_base(served: Served, segments: tuple[str, ...]) -> tuple[str, ...]:
    base = tuple(part for part in served.base_path.split("/") if part)
    return segments[len(base) :] if base and segments[: len(base)] == base else segments


@lru_cache(REMEMBERED)
def _look_up(api: str, method: str, relative: tuple[str, ...], path: str) -> Endpoint | None:
    if api == "gemini":
        return _look_up_gemini(method, relative, path)
    table = {"openai": tables.OPENAI, "anthropic": tables.ANTHROPIC, "ollama": tables.OLLAMA}[api]
    here = "/" + "/".join(relative)
    if row := table.get(here):
        return _endpoint(api, row, method, here, None, path)
    if relative[-2:-1] == ("models",) and (row := table.get("/".join(("", *relative[:-1], "{model}")))):
        return _endpoint(api, row, method, "/".join(("", *relative[:-1], "{model}")), relative[-1], path)
    return None


def _look_up_gemini(method: str, relative: tuple[str, ...], path: str) -> Endpoint | None:
    if relative[:1] and relative[0] in tables.GEMINI_VERSIONS and relative[1:2] == ("models",):
        models = f"/{relative[0]}/models"
        if len(relative) == 2:
            return _endpoint("gemini", tables.GEMINI_MODELS, method, models, None, path)
        if len(relative) == 3:
            model, colon, verb = relative[2].rpartition(":")
            if not colon:
                return _endpoint("gemini", tables.GEMINI_MODEL, method, models + "/{model}", verb, path)
            if model and (row := tables.GEMINI_VERBS.get(verb)):
                return _endpoint("gemini", row, method, f"{models}/{{model}}:{verb}", model, path)
    return None


def _look_up_deployment(method: str, relative: tuple[str, ...], path: str) -> Endpoint | None:
    if len(relative) > 2 and relative[0] == "deployments":
        operation = "/".join(relative[2:])
        if row := tables.AZURE.get(operation):
            return _endpoint("openai", row, method, "/deployments/{model}/" + operation, relative[1], path)
    return None


def _azure(
    method: str, path: str, query: str, headers: Headers, rest: tuple[str, ...], upstreams: Mapping[str, Served]
) -> Classified:
    """AzureOpenAI's own paths below `/openai`: they make sense only at an upstream that is Azure."""
    for name, served in upstreams.items():
        if served.azure:
            return classify_at(method, path, query, headers, name, served, rest)
    raise NoRoute(
        "This is a path of Azure OpenAI, and no upstream is one: "
        "configure an upstream of dialect openai whose base_url ends in /openai."
    )


def _endpoint(api: str, row: Row, method: str, here: str, model: str | None, path: str) -> Endpoint:
    if method not in row.methods:
        raise MethodNotAllowed(f"{_shown(path)} takes {' and '.join(row.methods)}, not {method[:20]}.")
    return Endpoint(api, row.dialect, row.operation, row.access, here, model)


def _allowed(served: Served, method: str, relative: tuple[str, ...]) -> Endpoint | None:
    """What the operator lets pass uncounted: `GET /files/*`, the path relative to base_url, `*` for anything."""
    here = "/" + "/".join(relative)
    for rule in served.allow_paths:
        verb, _, pattern = rule.partition(" ")
        if verb == method and fnmatchcase(here, pattern.strip()):
            dialect = "openai-chat" if served.api == "openai" else served.api
            return Endpoint(served.api, dialect, "allowed", Access.FREE, quote(here, safe="/:@!$&'()*+,=~-._"))
    return None


def _no_route(api: str, path: str, segments: tuple[str, ...]) -> NoRoute:
    below = [part for part in _undoubled(segments) if part != "api" and part not in tables.GEMINI_VERSIONS]
    known = "v1" if api == "ollama" and segments[:1] == ("v1",) else next(iter(below), "")
    if reason := tables.REFUSED[api].get(known):
        return NoRoute(f"{_shown(path)} is not metered by GreyFox and is refused: {reason}.")
    return NoRoute(f"GreyFox knows no path {_shown(path)}. {SERVED}")


def _query_has(query: str, name: str) -> bool:
    return any(part.partition("=")[0] == name for part in query.split("&"))


def _shown(path: str) -> str:
    return path if len(path) <= 80 else path[:79] + "…"
