"""`greyfox user`: who there is. A user is whoever has a key or has called."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from greyfox_core.auth.keys import KeyRecord
from greyfox_core.cli.desk import ConfigFile, Failed, Json, desk_of
from greyfox_core.cli.help import group
from greyfox_core.cli.key import facts, write_keys
from greyfox_core.cli.quota import write_quotas
from greyfox_core.cli.render import shown, write, write_json, write_table
from greyfox_core.cli.usage import FIGURES, write_usage

DAYS = 30


def commands() -> typer.Typer:
    """The noun."""
    return group("Users.", {"list": list_users, "show": show})


def list_users(context: typer.Context, as_json: Json = False, config: ConfigFile = None) -> None:
    """List every user who has a key or has called in the last 30 days, with their usage of these days.

    Example: greyfox user list
    Exit status: 0 shown, 1 store not reachable, 2 wrong usage
    """
    desk = desk_of(context)
    now = desk.now()
    with desk.store(desk.config(config)) as store:
        keys = asyncio.run(store.keys.list())
        used = {row["user"]: row for row in store.reports.usage("user", now - timedelta(days=DAYS), now)}
    names = sorted({record.user for record in keys} | used.keys())
    rows = [_user(name, [record for record in keys if record.user == name], used.get(name), now) for name in names]
    if as_json:
        write_json(rows)
        return
    write_table(
        ("USER", "TEAM", "ROLES", ">ACTIVE KEYS", ">REQUESTS", ">INPUT", ">OUTPUT"),
        [
            (
                *(row["user"], ", ".join(row["teams"]), ", ".join(row["roles"]), row["active_keys"]),
                *(row[name] for name in ("requests", "input_tokens", "output_tokens")),
            )
            for row in rows
        ],
    )


def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="the user")],
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Show one user: keys, quotas, and usage of the last 30 days by model.

    Example: greyfox user show alice
    Exit status: 0 shown, 1 nobody of that name or store not reachable, 2 wrong usage
    """
    desk = desk_of(context)
    now = desk.now()
    loaded = desk.config(config)
    with desk.store(loaded) as store:
        keys = [record for record in asyncio.run(store.keys.list()) if record.user == name]
        used = store.reports.usage("model", now - timedelta(days=DAYS), now, user=name)
        quotas = store.reports.quota_show(loaded.config, now, user=name)
    if not keys and not used:
        raise Failed(f"no user {shown(name)} has a key or has called in the last {DAYS} days")
    if as_json:
        every_key = [facts(key, now) for key in keys]
        write_json(_user(name, keys, None, now) | {"keys": every_key, "quotas": quotas, "usage": used})
        return
    write_keys(keys, now, as_json=False)
    write("")
    write_quotas(quotas, now)
    write("")
    write_usage(used, "model")


def _user(name: str, keys: Iterable[KeyRecord], used: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    usable = [key for key in keys if key.usable(now)]
    figures = {figure: 0 if used is None else used[figure] for figure in FIGURES}
    return {
        "user": name,
        "teams": sorted({key.team for key in usable if key.team is not None}),
        "roles": sorted(frozenset[str]().union(*(key.roles for key in usable))),
        "active_keys": len(usable),
        **figures,
    }
