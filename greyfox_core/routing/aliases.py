"""What an alias stands for. Pure. That aliases lead somewhere and in no circle is checked when the file loads."""

from collections.abc import Mapping

from greyfox_core.values.target import Target


def follow(aliases: Mapping[str, str], model: str) -> tuple[str, str | None]:
    """The model that `model` stands for, and its upstream where the alias names one."""
    while (goal := aliases.get(model)) is not None:
        if "/" in goal:
            target = target_of(goal)
            return target.model, target.upstream
        model = goal
    return model, None


def target_of(written: str) -> Target:
    """`upstream/model`; further slashes are the model's own."""
    upstream, _, model = written.partition("/")
    return Target(upstream, model)
