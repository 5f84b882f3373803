"""The decision where a request goes: aliases, then rules in order, then the default. Nothing is sent, nothing
remembered.

A request stays within its API: what it is translated to is not in this version, so targets of other APIs are passed
over. Where the request itself names an upstream (by host or path), that one is the default.

Errors:  NoRoute where nothing serves the model; Forbidden where the caller may not use it. Both say which.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from greyfox_core.config.schema import Config, Route, When
from greyfox_core.errors import Forbidden, NoRoute
from greyfox_core.routing.aliases import follow, target_of
from greyfox_core.routing.content import BUDGET, Contents, Texts
from greyfox_core.routing.defaults import Defaults, family
from greyfox_core.routing.match import Asked, fits
from greyfox_core.values.principal import Principal
from greyfox_core.values.request import ParsedRequest
from greyfox_core.values.shortlist import Shortlist
from greyfox_core.values.target import Resolution, Target

__all__ = ["Router", "Texts"]

DEFAULT = "default"
ANY_MODEL = "*"
API_NAMES = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini", "ollama": "Ollama"}
NO_TRANSLATION = "Translation between APIs is not in this version."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    when: When
    uses: tuple[tuple[Target, int], ...]
    weighted: bool

    @classmethod
    def of(cls, route: Route) -> "_Rule":
        uses = tuple((target_of(use.model), use.weight or 1) for use in route.use)
        return cls(route.name, route.when, uses, route.weighted)


class Router:
    """Decides by one configuration. `draw` gives numbers in [0, 1) for weighted rules; `seconds` is a clock that only
    grows.
    """

    def __init__(
        self,
        config: Config,
        draw: Callable[[], float],
        *,
        seconds: Callable[[], float] = time.monotonic,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self._draw = draw
        self._aliases: Mapping[str, str] = config.aliases
        self._apis = {name: upstream.dialect for name, upstream in config.upstreams.items()}
        self._defaults = Defaults(config.upstreams)
        self._rules = Shortlist(map(_Rule.of, config.routes), lambda rule: rule.when)
        self._counts = any(route.when.input_tokens is not None for route in config.routes)  # estimates, which learn
        self._contents = Contents(config.content, seconds=seconds, report=report or _warn)

    def resolve(
        self,
        principal: Principal,
        request: ParsedRequest,
        *,
        addressed: str | None,
        texts: Texts,
        input_tokens: Callable[[], int],
    ) -> Resolution:
        """The targets of a metered request. `addressed` is the upstream that the request names."""
        if not principal.may_use(request.model):
            raise _forbidden((request.model,))
        model, pinned = follow(self._aliases, request.model)
        rule, repeatable = None, True
        if rules := self._rules.of(principal, model):
            reading = self._contents.reading(texts)
            tokens = cache(input_tokens) if self._counts else input_tokens  # to make a cache takes its time, too
            asked = Asked(principal, request, model, tokens=tokens, content=reading.fits)
            rule = next((rule for rule in rules if fits(rule.when, asked)), None)
            repeatable = not self._counts and reading.in_time and not (rule is not None and rule.weighted)
        api = request.endpoint.api
        if rule is None:
            uses = [(Target(self._default(api, model, pinned, addressed), model), 1)]
        else:
            uses = [
                (Target(target.upstream, model if target.model == ANY_MODEL else target.model), weight)
                for target, weight in rule.uses
                if self._apis[target.upstream] == api
            ]
            if not uses:
                raise NoRoute(f"Rule {rule.name} leads {_shown(model)} to {self._others(rule, api)}. {NO_TRANSLATION}")
        permitted = [(target, weight) for target, weight in uses if principal.may_use(target.model)]
        if not permitted:
            raise _forbidden(target.model for target, _ in uses)
        ordered = self._drawn(permitted) if rule is not None and rule.weighted else [target for target, _ in permitted]
        return Resolution(DEFAULT if rule is None else rule.name, tuple(dict.fromkeys(ordered)), repeatable)

    def _default(self, api: str, model: str, pinned: str | None, addressed: str | None) -> str:
        if pinned is not None:
            if self._apis[pinned] != api:
                raise NoRoute(
                    f"The alias leads to {pinned}, which speaks the {API_NAMES[self._apis[pinned]]} API; "
                    f"this request speaks {API_NAMES[api]}. {NO_TRANSLATION}"
                )
            return pinned
        upstream = addressed or self._defaults.for_model(api, model)
        if upstream is not None:
            return upstream
        other = family(model)
        if other is not None and other != api:
            raise NoRoute(
                f"{_shown(model)} is served by the {API_NAMES[other]} API, and this request speaks {API_NAMES[api]}. "
                f"{NO_TRANSLATION}"
            )
        raise NoRoute(
            f"No upstream serves {_shown(model)} by the {API_NAMES[api]} API. "
            "An operator can name it in an upstream's models, or write a rule for it."
        )

    def _others(self, rule: _Rule, api: str) -> str:
        names = sorted({API_NAMES[self._apis[target.upstream]] for target, _ in rule.uses})
        return f"the API of {' and '.join(names)}, and this request speaks {API_NAMES[api]}"

    def _drawn(self, uses: list[tuple[Target, int]]) -> list[Target]:
        """One by lot in proportion to its weight; the others after it, the heaviest first."""
        point = self._draw() * sum(weight for _, weight in uses)
        chosen = len(uses) - 1
        for index, (_, weight) in enumerate(uses):
            point -= weight
            if point < 0:
                chosen = index
                break
        rest = sorted(uses[:chosen] + uses[chosen + 1 :], key=lambda use: -use[1])
        return [uses[chosen][0], *(target for target, _ in rest)]


def _forbidden(models: Iterable[str]) -> Forbidden:
    names = ", ".join(dict.fromkeys(map(_shown, models)))
    return Forbidden(f"This key may not use {names}.", param="model")


def _shown(model: str) -> str:
    return f"model {model if len(model) <= 80 else model[:79] + '…'}"


def _warn(name: str) -> None:
    logger.warning("content %s took longer than %d ms of a request and counts as not matching", name, BUDGET * 1000)
