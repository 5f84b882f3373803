"""From latencies and counts to figures. Pure.

Units: latencies are whole microseconds going in and milliseconds coming out.
"""

from collections.abc import Sequence


def percentile(microseconds: Sequence[int], part: float) -> float | None:
    """In milliseconds; the smallest value that `part` per cent do not exceed."""
    if not microseconds:
        return None
    ordered = sorted(microseconds)
    rank = min(len(ordered) - 1, max(0, -int(-len(ordered) * part // 100) - 1))
    return round(ordered[rank] / 1000, 2)


def mean(microseconds: Sequence[int]) -> float | None:
    """In milliseconds."""
    return round(sum(microseconds) / len(microseconds) / 1000, 3) if microseconds else None


def ratio(value: float | None, base: float | None) -> float | None:
    """`value` to `base`, None where either is missing or nothing."""
    return round(value / base, 3) if value and base else None


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How steeply y grows with x, by least squares; 0 where the points tell nothing."""
    if len(points) < 2:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def settled(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The last two thirds of what was seen, by x: without the time in which caches and pools fill."""
    if not points:
        return []
    first, last = points[0][0], points[-1][0]
    return [point for point in points if point[0] >= first + (last - first) / 3]
