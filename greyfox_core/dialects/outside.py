"""What a request depends on beside itself, told apart: input of unknown size, and what is stored upstream. Pure.

What is stored under a provider's key (answers, conversations, files) belongs to whoever holds that key: under one that
all callers share, a handle to it would open one caller's things to another.
"""

from collections.abc import Iterable
from dataclasses import dataclass

STORED = frozenset(
    (
        "a stored answer",
        "a stored container",
        "a stored conversation",
        "a stored file",
        "a stored item",
        "a stored response",
        "a vector store",
        "cached content",
        "stored audio",
    )
)


@dataclass(frozen=True, slots=True)
class Outside:
    """The first reason of each kind; None where there is none."""

    unbounded: str | None = None
    stored: str | None = None

    @classmethod
    def of(cls, reasons: Iterable[tuple[str, bool]]) -> "Outside":
        """From a dialect's (reason, whether the input's size is unknown by it)."""
        unbounded = stored = None
        for reason, unknown in reasons:
            if unknown and unbounded is None:
                unbounded = reason
            if reason in STORED and stored is None:
                stored = reason
        return cls(unbounded, stored)
