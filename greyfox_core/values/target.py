"""Where a request goes."""

from dataclasses import field

from greyfox_core.record import record


@record
class Target:
    """One upstream (by its name in the configuration) and one model (by the name that this upstream knows)."""

    upstream: str
    model: str


@record
class Resolution:
    """The router's decision: the rule that decided (`route`) and its targets, first choice first, fallbacks after it.

    `route` is the rule's name, or `default` where no rule matched. `repeatable` is whether the same request leads to
    the same again: no lot was drawn, and nothing was measured.
    """

    route: str
    targets: tuple[Target, ...]
    repeatable: bool = field(default=True, compare=False)
