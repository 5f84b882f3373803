"""What no part of the file alone can know: names that must be unique, names that must exist, files that must be there.

Works on the document's tree, not on a Config, so that these problems are told together with those of single parts.
Parts that are not even of the right kind are passed over: they have been told.
"""

import ssl
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from greyfox_core.config import forms, jwt_keys
from greyfox_core.config.document import Document
from greyfox_core.config.findings import Finding, Place, nearest

MAX_ALIAS_STEPS = 8
DEFAULT_ROUTE = "default"  # the name of what decides where no rule does
DIALECTS = (
    "openai",
    "openai-chat",
    "openai-responses",
    "openai-completions",
    "openai-embeddings",
    "anthropic",
    "gemini",
    "ollama",
)


def check(document: Document, folder: Path) -> list[Finding]:
    """Every finding across parts. `folder` is where relative paths begin."""
    checks = _Checks(document, folder)
    return [
        *checks.names("quotas"),
        *checks.names("rate_limits"),
        *checks.names("routes"),
        *checks.hosts(),
        *checks.issuers(),
        *checks.routes(),
        *checks.aliases(),
        *checks.files(),
    ]


class _Checks:
    """The tree, and the names that it defines."""

    def __init__(self, document: Document, folder: Path) -> None:
        tree = document.tree if isinstance(document.tree, dict) else {}
        self._document = document
        self._tree: dict[str, Any] = tree
        self._folder = folder
        self._upstreams = _mapping(tree.get("upstreams"))
        self._contents = _mapping(tree.get("content"))

    def names(self, section: str) -> Iterator[Finding]:
        """No two of one name; no route with the name of the default."""
        seen: set[str] = set()
        for place, item in _parts(self._tree.get(section), (section,)):
            name = item.get("name")
            if not isinstance(name, str):
                continue
            if name in seen:
                yield Finding(
                    (*place, "name"), f"{self._quoted((*place, 'name'))} is the name of another one in {section}"
                )
            if section == "routes" and name == DEFAULT_ROUTE:
                yield Finding((*place, "name"), f'"{name}" is the name of what decides where no rule matches')
            seen.add(name)

    def hosts(self) -> Iterator[Finding]:
        """A host leads to one upstream."""
        seen: dict[str, str] = {}
        for name, upstream in self._upstreams.items():
            for place, host in _texts(_mapping(upstream).get("hosts"), ("upstreams", name, "hosts")):
                normal = host.lower().removesuffix(".")
                if normal in seen:
                    yield Finding(place, f"{self._quoted(place)} is a host of upstream {seen[normal]} already")
                seen.setdefault(normal, name)

    def issuers(self) -> Iterator[Finding]:
        """A token's issuer decides what verifies it, so an issuer stands once."""
        seen: set[str] = set()
        for place, item in self._issuers():
            issuer = item.get("issuer")
            if isinstance(issuer, str):
                if issuer in seen:
                    yield Finding(
                        (*place, "issuer"), f"{self._quoted((*place, 'issuer'))} is the issuer of another entry"
                    )
                seen.add(issuer)

    def routes(self) -> Iterator[Finding]:
        """Rules name upstreams, pattern sets and dialects that exist."""
        for place, item in _parts(self._tree.get("routes"), ("routes",)):
            when = _mapping(item.get("when"))
            for at, name in _texts(when.get("content"), (*place, "when", "content")):
                if name not in self._contents:
                    yield self._unknown(at, name, "pattern set", tuple(self._contents))
            for at, pattern in _texts(when.get("dialect"), (*place, "when", "dialect")):
                if not any(fnmatchcase(dialect, pattern) for dialect in DIALECTS):
                    yield self._unknown(at, pattern, "dialect", DIALECTS)
            for at, use in _items(item.get("use"), (*place, "use")):
                goal, at = (use.get("model"), (*at, "model")) if isinstance(use, dict) else (use, at)
                if isinstance(goal, str) and "/" in goal and goal.partition("/")[0] not in self._upstreams:
                    yield self._unknown(at, goal.partition("/")[0], "upstream", tuple(self._upstreams))

    def aliases(self) -> Iterator[Finding]:
        """An alias is a name; it ends at a model, in a few steps, and never comes back to itself."""
        aliases = _mapping(self._tree.get("aliases"))
        for name, goal in aliases.items():
            place: Place = ("aliases", name)
            if forms.is_glob(name):
                yield Finding(place, f'"{name}" is no alias: it is one name, without *, ? and [', on_key=True)
            if not isinstance(goal, str):
                continue
            if "/" in goal:
                upstream, _, model = goal.partition("/")
                if upstream not in self._upstreams:
                    yield self._unknown(place, upstream, "upstream", tuple(self._upstreams))
                elif not model or forms.is_glob(model):
                    yield Finding(
                        place, f"{self._quoted(place)} is no target: write upstream/model, without *, ? and ["
                    )
            elif forms.is_glob(goal):
                yield Finding(place, f"{self._quoted(place)} is no model: an alias stands for one")
            steps = 0
            while isinstance(goal, str) and goal in aliases and steps < MAX_ALIAS_STEPS:
                goal, steps = aliases[goal], steps + 1
            if steps == MAX_ALIAS_STEPS:
                yield Finding(
                    place, f'alias "{name}" leads in a circle, or over more than {MAX_ALIAS_STEPS} steps', on_key=True
                )

    def files(self) -> Iterator[Finding]:
        """Files that are named are there and hold what they should."""
        for name, upstream in self._upstreams.items():
            path = _mapping(upstream).get("ca_file")
            if isinstance(path, str) and path:
                place: Place = ("upstreams", name, "ca_file")
                try:
                    ssl.create_default_context(cafile=str(self._folder / path))
                except (OSError, ValueError) as error:
                    reason = getattr(error, "strerror", None) or "it cannot be read"
                    yield Finding(place, f"{self._quoted(place)} is no file of CA certificates in PEM form ({reason})")
        for at, item in self._issuers():
            path = item.get("public_key_file")
            if isinstance(path, str) and path:
                yield from self._public_key((*at, "public_key_file"), path, (*at, "algorithms"), item.get("algorithms"))

    def _public_key(self, place: Place, path: str, at: Place, algorithms: Any) -> Iterator[Finding]:
        try:
            fitting = jwt_keys.algorithms_of((self._folder / path).read_text(encoding="ascii"))
        except OSError as error:
            yield Finding(place, f"{self._quoted(place)} is no file that can be read ({error.strerror})")
            return
        except UnicodeDecodeError:
            yield Finding(place, f"{self._quoted(place)} is no file in PEM form")
            return
        except ValueError as error:
            yield Finding(place, f"the key in {self._quoted(place)} is {error}")
            return
        for where, algorithm in _texts(algorithms, at):
            if algorithm in jwt_keys.PUBLIC_KEY_ALGORITHMS and algorithm not in fitting:
                message = f"{self._quoted(where)} is nothing that the key in public_key_file can verify"
                yield Finding(where, message, allowed=fitting)

    def _issuers(self) -> Iterator[tuple[Place, dict[str, Any]]]:
        return _parts(_mapping(self._tree.get("auth")).get("jwt"), ("auth", "jwt"))

    def _quoted(self, place: Place) -> str:
        token = self._document.token(place)
        return f'"{token}"' if token else "this"

    def _unknown(self, place: Place, name: str, kind: str, known: tuple[str, ...]) -> Finding:
        message = (
            f"{self._quoted(place)} names no {kind} of this file"
            if kind != "dialect"
            else f"{self._quoted(place)} is no dialect"
        )
        return Finding(place, message, allowed=known, meant=nearest(name, known))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any, place: Place) -> list[tuple[Place, Any]]:
    """The items of a list with their places; one value stands for a list of one."""
    if isinstance(value, list):
        return [((*place, index), item) for index, item in enumerate(value)]
    return [] if value is None else [(place, value)]


def _texts(value: Any, place: Place) -> list[tuple[Place, str]]:
    return [(at, item) for at, item in _items(value, place) if isinstance(item, str)]


def _parts(value: Any, place: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    return ((at, item) for at, item in _items(value, place) if isinstance(item, dict))
