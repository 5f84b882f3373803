"""Whether a rule's condition fits a request. All named parts must fit; of a list, any. Pure.

Globs are case-sensitive: `*`, `?` and `[…]`, as in a shell. What costs most is asked last, and only where all else
fits.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import eq, ge, gt, le, lt

from greyfox_core.config.schema import When
from greyfox_core.config.units import Sign, comparison
from greyfox_core.values.principal import Principal
from greyfox_core.values.request import ParsedRequest

COMPARE: dict[Sign, Callable[[int, int], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "=": eq}


@dataclass(frozen=True, slots=True)
class Asked:
    """What rules are matched against. `model` is what an alias stands for; `tokens` counts the input."""

    principal: Principal
    request: ParsedRequest
    model: str
    tokens: Callable[[], int]
    content: Callable[[str], bool]


def fits(when: When, asked: Asked) -> bool:
    """Whether every part of the condition fits."""
    who, request = asked.principal, asked.request
    return (
        _any(when.model, (asked.model,))
        and _any(when.user, (who.user,))
        and _any(when.key, (who.key_id,))
        and _any(when.team, () if who.team is None else (who.team,))
        and _any(when.role, who.roles)
        and _any(when.dialect, (request.endpoint.api, request.endpoint.dialect))
        and (when.stream is None or when.stream == request.stream)
        and (when.input_tokens is None or compares(when.input_tokens, asked.tokens()))
        and (not when.content or any(map(asked.content, when.content)))
    )


def compares(written: str, number: int) -> bool:
    """Whether `number` is as `written` says: `"<500"`."""
    sign, bound = comparison(written)
    return COMPARE[sign](number, bound)


def glob_any(patterns: Iterable[str], name: str) -> bool:
    """Whether any of the globs fits `name`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _any(patterns: tuple[str, ...], names: Iterable[str]) -> bool:
    return not patterns or any(glob_any(patterns, name) for name in names)
