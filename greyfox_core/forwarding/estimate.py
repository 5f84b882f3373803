"""What an attempt cost where its upstream did not say, or did not get to say. Pure.

Units: tokens, seconds. All figures stay within the reservation, so that an estimate never passes a limit.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from greyfox_core.values.usage import Usage

THINKING_MODELS = (
    "o1*",
    "o3*",
    "o4*",
    "gpt-5*",
    "gpt-6*",
    "gemini-2.5*",
    "gemini-3*",
    "gemini-4*",
    "deepseek-reasoner*",
    "*thinking*",
)
"""Globs of models that may produce tokens which no client sees."""

UNSEEN_PER_SECOND = 200
"""Tokens a second that such a model can have produced unseen: above what providers stream today."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An attempt that ended before its usage was told.

    `received` is output tokens that did arrive; `at_least` is a running total that the provider had stated.
    """

    input_estimate: int
    reserved_output: int
    received: int
    seconds: float
    model: str
    thinks: bool = False
    at_least: Usage | None = None

    def usage(self, margin: int) -> Usage:
        """Input and what can have been produced.

        What was received plus `margin`, or for a model that thinks unseen what the time allowed.
        """
        output = self.received + margin
        if self.thinks or any(fnmatchcase(self.model, pattern) for pattern in THINKING_MODELS):
            output = max(output, int(self.seconds * UNSEEN_PER_SECOND) + margin)
        sent = self.input_estimate
        if self.at_least is not None:
            sent, output = self.at_least.input_total, max(output, self.at_least.output_total)
        return Usage(sent, min(output, self.reserved_output))


def worst_case(input_estimate: int, reserved_output: int) -> Usage:
    """For an answer of which nothing can be known: everything that was set aside."""
    return Usage(input_estimate, reserved_output)
