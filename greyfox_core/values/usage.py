"""Tokens that one attempt cost. Source of the arithmetic: the providers' own definitions, see docs/usage.md."""

from greyfox_core.record import record


@record
class Usage:
    """Totals and their parts, in tokens. Parts are contained in the totals, never added to them."""

    input_total: int = 0
    output_total: int = 0
    input_cached_read: int = 0
    input_cache_write: int = 0
    output_reasoning: int = 0
