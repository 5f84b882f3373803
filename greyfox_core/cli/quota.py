"""`greyfox quota`: what is used of each quota and what is left; limits for one subject; counters set to zero."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from greyfox_core.cli.desk import ConfigFile, Failed, Json, desk_of
from greyfox_core.cli.help import group
from greyfox_core.cli.render import remark, shown, write, write_json, write_table
from greyfox_core.cli.when import ahead
from greyfox_core.quota.counter import Limits
from greyfox_core.quota.subjects import canonical

LARGEST = 2**53  # tokens; the largest whole number that JSON readers agree on

Name = Annotated[str, typer.Argument(metavar="NAME", help="the quota's name in the configuration")]
OfUser = Annotated[str | None, typer.Option("--user", metavar="NAME", help="of this user")]
OfKey = Annotated[str | None, typer.Option("--key", metavar="ID", help="of this key")]
OfTeam = Annotated[str | None, typer.Option("--team", metavar="NAME", help="of this team")]
OfModel = Annotated[str | None, typer.Option("--model", metavar="NAME", help="for this model")]
Tokens = typer.Option(metavar="N", min=0, max=LARGEST)


def commands() -> typer.Typer:
    """The noun."""
    return group("Token quotas.", {"show": show, "set": set_limits, "reset": reset, "verify": verify})


def show(
    context: typer.Context,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="only those that count this user")] = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Show what is used and what is left of each quota in its running period.

    Example: greyfox quota show --json | jq -r '.[] | select(.output_tokens.remaining == 0).subject'
    Exit status: 0 shown, 1 store not reachable, 2 wrong usage
    """
    desk = desk_of(context)
    loaded = desk.config(config)
    with desk.store(loaded) as store:
        rows = store.reports.quota_show(loaded.config, desk.now(), user=user)
    if as_json:
        write_json(rows)
    else:
        write_quotas(rows, desk.now())
        if not loaded.config.quotas:
            remark("The configuration has no quotas: nobody is limited, and everybody counted.")


def set_limits(
    context: typer.Context,
    name: Name,
    user: OfUser = None,
    key: OfKey = None,
    team: OfTeam = None,
    model: OfModel = None,
    input_tokens: Annotated[int | None, Tokens] = None,
    output_tokens: Annotated[int | None, Tokens] = None,
    default: Annotated[bool, typer.Option("--default", help="back to what the configuration says")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Set the limits of a quota for one subject, over the configuration's. In force within a second, and until changed.

    Name the subject by what the quota counts per. A side that is not given stays as it is.

    Example: greyfox quota set developer-day --user alice --output-tokens 4000
    Exit status: 0 set, 1 no such quota or subject, 2 wrong usage
    """
    desk = desk_of(context)
    given = input_tokens is not None or output_tokens is not None
    if given == default:
        raise typer.BadParameter("give --input-tokens, --output-tokens or both; or --default", param_hint="--default")
    subject = _subject(user, key, team, model)
    if subject is None:
        raise typer.BadParameter("name the subject: --user, --key, --team, --model", param_hint="--user")
    loaded = desk.config(config)
    with desk.store(loaded) as store:
        before = store.overrides().get((name, canonical(subject)), Limits(None, None))
        limits = Limits(None, None) if default else Limits(input_tokens, output_tokens).over(before)
        try:
            store.reports.quota_set(loaded.config, name, subject, limits, desk.now())
        except ValueError as error:
            raise Failed(str(error)) from None
    if as_json:
        write_json({"quota": name, "subject": subject, "input_tokens": limits.input, "output_tokens": limits.output})
    else:
        remark(f"{name} of {in_words(subject)}: {_limit(limits.input, 'input')}, {_limit(limits.output, 'output')}.")


def reset(
    context: typer.Context,
    name: Name,
    user: OfUser = None,
    key: OfKey = None,
    team: OfTeam = None,
    model: OfModel = None,
    all_: Annotated[bool, typer.Option("--all", help="of every subject")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Set what is used of a quota in the running period to zero. What requests under way have reserved stays.

    Example: greyfox quota reset developer-day --user alice
    Exit status: 0 reset, 1 no such quota or subject, 2 wrong usage
    """
    desk = desk_of(context)
    subject = _subject(user, key, team, model)
    if (subject is None) != all_:
        raise typer.BadParameter("either name a subject (--user, --key, --team, --model) or all", param_hint="--all")
    loaded = desk.config(config)
    with desk.store(loaded) as store:
        try:
            count = store.reports.quota_reset(loaded.config, name, subject, desk.now())
        except ValueError as error:
            raise Failed(str(error)) from None
    if as_json:
        write_json({"quota": name, "subject": subject, "counters": count})
    else:
        remark(f"{count:,} counter{'' if count == 1 else 's'} of {name} set to zero.")


def verify(context: typer.Context, as_json: Json = False, config: ConfigFile = None) -> None:
    """Count every counter anew from the ledger, and tell which do not agree. Changes nothing.

    Example: greyfox quota verify
    Exit status: 0 all agree, 1 some do not, 2 wrong usage
    """
    desk = desk_of(context)
    with desk.store(desk.config(config)) as store:
        mismatches = [str(mismatch) for mismatch in store.reports.verify()]
    if as_json:
        write_json({"mismatches": mismatches})
    else:
        for mismatch in mismatches:
            write(shown(mismatch))
    if mismatches:
        raise Failed(f"{len(mismatches)} of the counters' figures do not agree with the ledger")
    if not as_json:
        remark("Every counter agrees with the ledger.")


def write_quotas(rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """As a table."""
    columns = ("QUOTA", "SUBJECT", ">INPUT USED", ">OF", ">OUTPUT USED", ">OF", "STATE", "RESETS")
    write_table(columns, [_row(row, now) for row in rows])


def in_words(subject: Mapping[str, str]) -> str:
    """`team core, model gpt-4o`."""
    return ", ".join(f"{dimension} {name}" for dimension, name in subject.items())


def _row(row: Mapping[str, Any], now: datetime) -> list[object]:
    sides = [row["input_tokens"], row["output_tokens"]]
    figures = [figure for side in sides for figure in ((side["settled"], side["limit"]) if side else (None, None))]
    resets_at = datetime.fromisoformat(row["resets_at"])
    resets = f"{ahead(resets_at, now)}, {resets_at.isoformat(timespec='minutes')}"
    return [row["quota"], ", ".join(row["subject"].values()), *figures, _state(sides), resets]


def _state(sides: Sequence[Mapping[str, int] | None]) -> str:
    if any(side and side["settled"] >= side["limit"] for side in sides):
        return "used up"
    # There is room, but requests under way have it reserved.
    return "busy" if any(side and side["remaining"] == 0 for side in sides) else "ok"


def _subject(user: str | None, key: str | None, team: str | None, model: str | None) -> dict[str, str] | None:
    named = {"user": user, "key": key, "team": team, "model": model}
    return {dimension: name for dimension, name in named.items() if name is not None} or None


def _limit(tokens: int | None, side: str) -> str:
    return f"{side} as configured" if tokens is None else f"{tokens:,} {side} tokens"
