"""Which of many conditions can fit a caller and a model, without asking each. Pure.

A condition that names users (or keys, teams, roles, models) by plain names, without a glob, can fit nobody else: it is
filed under those names. Where it does so in several dimensions, those names count that fewest conditions name. The
others, of which nothing is known beforehand, are on every list. A list is in the original order and may be longer than
need be, never shorter: whoever asks still tests each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from greyfox_core.values.principal import Principal

_DIMENSIONS = ("user", "key", "team", "role", "model")

_Place = tuple[str, str]  # dimension and name


def plain(pattern: str) -> bool:
    """Whether it is no glob: it fits its own name and no other."""
    return "*" not in pattern and "?" not in pattern and "[" not in pattern


class Condition(Protocol):
    """Globs by dimension: any of them must fit; none: all fit."""

    @property
    def user(self) -> tuple[str, ...]: ...
    @property
    def key(self) -> tuple[str, ...]: ...
    @property
    def team(self) -> tuple[str, ...]: ...
    @property
    def role(self) -> tuple[str, ...]: ...
    @property
    def model(self) -> tuple[str, ...]: ...


class Shortlist[Item]:
    """Items in order, each with its condition."""

    def __init__(self, items: Iterable[Item], condition: Callable[[Item], Condition]) -> None:
        self._items = tuple(items)
        choices = [list(_places(condition(item))) for item in self._items]
        crowd = Counter(place for choice in choices for places in choice for place in places)
        filed: defaultdict[_Place, list[int]] = defaultdict(list)
        always: list[int] = []
        for number, choice in enumerate(choices):
            if choice:
                for place in min(choice, key=lambda places: sum(crowd[place] for place in places)):
                    filed[place].append(number)
            else:
                always.append(number)
        self._filed = dict(filed)
        self._always = always
        self._on_every_list = tuple(self._items[number] for number in always)

    def of(self, who: Principal, model: str | None) -> Sequence[Item]:
        """All that can fit; with None as the model none that names models."""
        filed = self._filed
        found = [
            *filed.get(("user", who.user), ()),
            *filed.get(("key", who.key_id), ()),
        ]
        if who.team is not None:
            found += filed.get(("team", who.team), ())
        for role in who.roles:
            found += filed.get(("role", role), ())
        if model is not None:
            found += filed.get(("model", model), ())
        if not found:
            return self._on_every_list
        return [self._items[number] for number in sorted({*self._always, *found})]


def _places(condition: Condition) -> Iterator[list[_Place]]:
    """For each dimension in which all names are plain: where the condition may be filed."""
    for dimension in _DIMENSIONS:
        names: tuple[str, ...] = getattr(condition, dimension)
        if names and all(map(plain, names)):
            yield [(dimension, name) for name in dict.fromkeys(names)]
