"""Moments as operators write and read them. Pure.

Units:   moments are aware datetimes in UTC unless they say otherwise.
Errors:  typer.BadParameter, which is wrong usage.
"""

from datetime import UTC, datetime, timedelta

import typer

from greyfox_core.config.units import duration


def after(text: str, now: datetime, option: str) -> datetime:
    """`30d` from `now`, or a date; never one in the past."""
    moment = _read(text, now, +1, option)
    if moment <= now:
        raise typer.BadParameter("that is in the past", param_hint=option)
    return moment


def before(text: str, now: datetime, option: str) -> datetime:
    """`7d` before `now`, or a date."""
    return _read(text, now, -1, option)


def rfc3339(moment: datetime | None) -> str | None:
    """To the second, with its offset."""
    return None if moment is None else moment.isoformat(timespec="seconds")


def ahead(moment: datetime, now: datetime) -> str:
    """How long until then, roughly and rounded down: `in 6 h`."""
    seconds = (moment - now).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"in {int(seconds // size)} {unit}"
    return "in less than a minute"


def _read(text: str, now: datetime, sign: int, option: str) -> datetime:
    try:
        return now + sign * timedelta(seconds=duration(text))
    except ValueError:
        pass
    except OverflowError:
        raise typer.BadParameter("that is too far away", param_hint=option) from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        example = "30d, 12h or a date such as 2026-11-24 or 2026-11-24T18:00:00Z"
        raise typer.BadParameter(f"neither a duration nor a date: write {example}", param_hint=option) from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
