"""What may name a user, a team or a role: in keys, in tokens, wherever a person is shown it. Pure."""

from typing import TypeGuard

LONGEST_NAME = 256  # characters


def is_name(value: object) -> TypeGuard[str]:
    """A text of 1 to 256 printable characters, without spaces around it."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable() and value == value.strip()
