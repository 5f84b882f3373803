"""Whom a quota or a rate limit selects, and whose counter it charges. Pure.

A subject is canonical JSON in ASCII, `{"user":"alice","model":"gpt-4o"}`: dimensions always in the order user, key,
team, model, whatever order the configuration has them in. A principal without a team is a team of its own: where a
team is asked for, its subject names the user instead (`{"user":"alice"}`), which no team's name can equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

from greyfox_core.config.schema import Dimension, Match
from greyfox_core.values.principal import Principal
from greyfox_core.values.shortlist import plain

_ORDER: tuple[Dimension, ...] = ("user", "key", "team", "model")


def selects(match: Match, who: Principal, model: str | None) -> bool:
    """Whether every stated condition fits. None as the model stands for any: it fits only a match that names none."""
    if match.model and (model is None or not _any(match.model, (model,))):
        return False
    return selects_caller(match, who)


def selects_caller(match: Match, who: Principal) -> bool:
    """Whether it fits this caller with some model."""
    return (
        (not match.user or _any(match.user, (who.user,)))
        and (not match.key or _any(match.key, (who.key_id,)))
        and (not match.team or (who.team is not None and _any(match.team, (who.team,))))
        and (not match.role or _any(match.role, who.roles))
    )


def subject_of(per: Iterable[Dimension], who: Principal, model: str) -> str:
    """The subject that a quota of these dimensions charges."""
    parts: dict[str, str] = {}
    for dimension in per:
        match dimension:
            case "user":
                parts["user"] = who.user
            case "key":
                parts["key"] = who.key_id
            case "team" if who.team is not None:
                parts["team"] = who.team
            case "team":
                parts["user"] = who.user
            case "model":
                parts["model"] = model
    return canonical(parts)


def canonical(parts: Mapping[str, str]) -> str:
    """The text of a subject; ASCII, so that any name can be stored."""
    return json.dumps({name: parts[name] for name in _ORDER if name in parts}, separators=(",", ":"))


def parts_of(subject: str) -> dict[str, str]:
    """The dimensions of a subject's text."""
    parts: dict[str, str] = json.loads(subject)
    return parts


@lru_cache(4_096)
def words(subject: str) -> str:
    """For a sentence: `user alice`, `team core and model gpt-4o`."""
    return " and ".join(f"{name} {value}" for name, value in parts_of(subject).items())


def _any(patterns: Iterable[str], names: Iterable[str]) -> bool:
    # A plain name is not compiled: there can be tens of thousands.
    return any(
        name == pattern if plain(pattern) else fnmatchcase(name, pattern) for name in names for pattern in patterns
    )
