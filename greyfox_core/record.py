"""`@record`: a dataclass whose fields are never set again.

The type checker sees to that, not the interpreter: `frozen=True` costs eight times as long to make, and a request is
made of some twenty values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import dataclass_transform


@dataclass_transform(frozen_default=True)
def record[T](cls: type[T]) -> type[T]:
    """With slots, compared and hashed by its fields."""
    made: Callable[[type[T]], type[T]] = dataclass(slots=True, unsafe_hash=True)
    return made(cls)
