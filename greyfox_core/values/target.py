"""Where a request goes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One upstream (by its name in the configuration) and one model (by the name that this upstream knows)."""

    upstream: str
    model: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """The router's decision: the rule that decided (`route`) and its targets, first choice first, fallbacks after it.

    `route` is the rule's name, or `default` where no rule matched.
    """

    route: str
    targets: tuple[Target, ...]
