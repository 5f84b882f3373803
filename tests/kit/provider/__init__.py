"""A stand-in LLM provider over real sockets, in this process or (`python -m tests.kit.provider`) in its own."""

from tests.kit.provider.behaviour import Behaviour, Gate, ToolCall, sample, sample_index
from tests.kit.provider.bill import Entry, Totals
from tests.kit.provider.server import MODELS, Provider

__all__ = ["MODELS", "Behaviour", "Entry", "Gate", "Provider", "ToolCall", "Totals", "sample", "sample_index"]
