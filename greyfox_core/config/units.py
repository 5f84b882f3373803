"""Durations, sizes and comparisons as people write them. Pure.

Units:   durations are seconds, sizes are bytes; KB is 1,000 bytes, KiB is 1,024.
Errors:  ValueError whose text completes a sentence that begins with the value (`"9 parsecs" is …`) and does not
         repeat it: the value may come from the environment.
"""

import math
import re
from typing import Literal

LONGEST = 100 * 365 * 86_400.0  # seconds; whatever is longer is a slip, and would overflow a date
LARGEST = 2**53  # bytes; the largest whole number that JSON readers agree on

_QUANTITY = re.compile(r"(\d{1,16}(?:\.\d{1,9})?)\s*([A-Za-z]*)", re.ASCII)
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_BYTES = {"": 1, "b": 1} | {
    f"{prefix}{infix}b": base**power
    for infix, base in (("", 1000), ("i", 1024))
    for power, prefix in enumerate("kmgt", start=1)
}
_COMPARISON = re.compile(r"\s*(<=|>=|<|>|=)\s*(\d{1,15})\s*", re.ASCII)

Sign = Literal["<", "<=", ">", ">=", "="]


def duration(value: object) -> float:
    """`90`, `"90s"`, `"1.5h"`, `"30d"` in seconds."""
    seconds = _quantity(value, _SECONDS)
    if seconds is None:
        raise ValueError("no duration: write seconds (90) or a number with a unit (500ms, 90s, 15m, 1h, 30d, 2w)")
    if seconds > LONGEST:
        raise ValueError("longer than a hundred years")
    return float(seconds)


def size(value: object) -> int:
    """`1048576`, `"32MiB"`, `"10GB"` in bytes."""
    number = _quantity(value, _BYTES)
    if number is None or number != int(number):
        raise ValueError("no size: write bytes (1048576) or a number with a unit (64KB, 32MiB, 10GB)")
    if number > LARGEST:
        raise ValueError("larger than nine petabytes")
    return int(number)


def comparison(value: str) -> tuple[Sign, int]:
    """`"<500"`, `">= 8000"` as sign and number."""
    found = _COMPARISON.fullmatch(value)
    if found is None:
        raise ValueError('no comparison: write a sign and a whole number, in quotes ("<500", ">=8000")')
    sign: Sign = found[1]  # type: ignore[assignment]  # the pattern admits no other
    return sign, int(found[2])


def _quantity(value: object, units: dict[str, float] | dict[str, int]) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if math.isfinite(value) and value >= 0 else None
    found = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    factor = units.get(found[2].lower()) if found else None
    if found is None or factor is None:
        return None
    number = float(found[1]) if "." in found[1] else int(found[1])
    return number * factor
