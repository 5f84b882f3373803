"""`greyfox usage`: what the ledger says of who used what."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from greyfox_core.cli.desk import ConfigFile, Json, desk_of
from greyfox_core.cli.render import write_csv, write_json, write_table
from greyfox_core.cli.when import before

FIGURES = (
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_hits",
    "refused",
    "estimated",
)


class By(StrEnum):
    """What usage is summed by."""

    USER = "user"
    KEY = "key"
    MODEL = "model"
    TEAM = "team"
    DAY = "day"
    TAG = "tag"


def usage(
    context: typer.Context,
    by: Annotated[By, typer.Option("--by", help="what to sum by")] = By.USER,
    since: Annotated[str, typer.Option("--since", metavar="WHEN", help="7d ago, or a date")] = "7d",
    until: Annotated[str | None, typer.Option("--until", metavar="WHEN", help="1d ago, or a date; else now")] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="only this user's")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, for a spreadsheet")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Show what was used: requests, tokens, cache hits, refusals. Days are those of UTC.

    Example: greyfox usage --by team --since 30d --csv > usage.csv
    Exit status: 0 shown, 1 store not reachable, 2 wrong usage
    """
    desk = desk_of(context)
    if as_csv and as_json:
        raise typer.BadParameter("one of --csv and --json", param_hint="--csv")
    now = desk.now()
    begin = before(since, now, "--since")
    end = now if until is None else before(until, now, "--until")
    with desk.store(desk.config(config)) as store:
        rows = store.reports.usage(by.value, begin, end, user=user)
    if as_json:
        write_json(rows)
    elif as_csv:
        write_csv(rows, (by.value, *FIGURES))
    else:
        write_usage(rows, by.value)


def write_usage(rows: Sequence[Mapping[str, Any]], by: str) -> None:
    """As a table."""
    names = (">REQUESTS", ">INPUT", ">CACHED", ">OUTPUT", ">REASONING", ">CACHE HITS", ">REFUSED", ">ESTIMATED")
    write_table((by.upper(), *names), [[row[by], *(row[name] for name in FIGURES)] for row in rows])
