"""Pattern sets over a request's text, as rules name them. A hostile text cannot hold up the loop.

Units:   limits are seconds, `LONGEST` characters.
Errors:  none: a set that takes too long does not fit, and is reported once by its name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from greyfox_core.config.patterns import Pattern
from greyfox_core.config.schema import Content

LONGEST = 65_536  # characters of a text that patterns see: its beginning
BUDGET = 0.02  # seconds that all pattern sets together may take of one request


@dataclass(frozen=True, slots=True)
class Texts:
    """A request's texts, made when a rule asks for them."""

    last_user: Callable[[], str]
    system: Callable[[], str]
    all: Callable[[], str]


@dataclass(frozen=True, slots=True)
class _Set:
    over: str
    any: tuple[Pattern, ...]
    all: tuple[Pattern, ...]
    none: tuple[Pattern, ...]


class Contents:
    """The compiled sets of one configuration. `seconds` gives the time, `report` is told a slow set's name, once."""

    def __init__(
        self, contents: Mapping[str, Content], *, seconds: Callable[[], float], report: Callable[[str], None]
    ) -> None:
        self._sets = {
            name: _Set(content.over, *(tuple(map(Pattern, part)) for part in (content.any, content.all, content.none)))
            for name, content in contents.items()
        }
        self._seconds = seconds
        self._report = report
        self._reported: set[str] = set()

    def reading(self, texts: Texts) -> "Reading":
        """One request's texts, to be asked for any set."""
        return Reading(self, texts)

    def search(self, name: str, texts: Callable[[str], str], left: float) -> tuple[bool, float]:
        """Whether the set fits, and how much of the `left` seconds remains: 0 where it ran out of them."""
        patterns = self._sets[name]
        text = texts(patterns.over)[:LONGEST]
        deadline = self._seconds() + left

        def found(pattern: Pattern) -> bool:
            remaining = deadline - self._seconds()
            if remaining <= 0:
                raise TimeoutError
            return pattern.search(text, remaining)

        try:
            fits = (
                (not patterns.any or any(map(found, patterns.any)))
                and all(map(found, patterns.all))
                and not any(map(found, patterns.none))
            )
        except TimeoutError:
            if name not in self._reported:
                self._reported.add(name)
                self._report(name)
            return False, 0.0
        return fits, max(0.0, deadline - self._seconds())


class Reading:
    """One request's texts: each is made once, each set is searched once, all share one budget of time."""

    def __init__(self, contents: Contents, texts: Texts) -> None:
        self._contents = contents
        self._texts = texts
        self._made: dict[str, str] = {}
        self._known: dict[str, bool] = {}
        self._left = BUDGET

    def fits(self, name: str) -> bool:
        """Whether the set of this name fits the request."""
        if name not in self._known:
            self._known[name], self._left = self._contents.search(name, self._text, self._left)
        return self._known[name]

    @property
    def in_time(self) -> bool:
        """Whether no set was cut short."""
        return self._left > 0

    def _text(self, over: str) -> str:
        if over not in self._made:
            self._made[over] = getattr(self._texts, over)()
        return self._made[over]
