"""`greyfox key`: virtual keys."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from greyfox_core.auth.keys import PEPPER_VERSION, KeyRecord, digest_of, load_pepper, new_id, new_key, pepper_file
from greyfox_core.auth.names import is_name
from greyfox_core.cli.desk import ConfigFile, Failed, Json, desk_of
from greyfox_core.cli.help import group
from greyfox_core.cli.render import remark, shown, write, write_json, write_table
from greyfox_core.cli.when import after, rfc3339

User = Annotated[str, typer.Option("--user", metavar="NAME", help="whose key it is")]
KeyName = Annotated[str | None, typer.Option("--name", metavar="NAME", help="what it is for, `laptop` say")]
Roles = Annotated[list[str], typer.Option("--role", metavar="ROLE", help="a role of the user; may be repeated")]
Team = Annotated[str | None, typer.Option("--team", metavar="NAME", help="the user's team")]
Models = Annotated[
    list[str], typer.Option("--models", metavar="GLOB", help="models that the key is for, else all; may be repeated")
]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="WHEN", help="30d, 12h, or a date; else it never expires")
]
OnlyUser = Annotated[str | None, typer.Option("--user", metavar="NAME", help="only this user's")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="as `greyfox key list` shows them")]


def commands() -> typer.Typer:
    """The noun."""
    return group("Virtual keys.", {"create": create, "list": list_keys, "revoke": revoke})


def create(
    context: typer.Context,
    user: User,
    name: KeyName = None,
    roles: Roles = [],  # noqa: B006  # the parser makes a new list each time
    team: Team = None,
    models: Models = [],  # noqa: B006
    expires: Expires = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Make a virtual key and show it. This once: GreyFox keeps only a keyed hash.

    Example: greyfox key create --user alice --team core --models 'gpt-4o*' --expires 30d
    Exit status: 0 made, 1 not made, 2 wrong usage
    """
    desk = desk_of(context)
    now = desk.now()
    expires_at = None if expires is None else after(expires, now, "--expires")
    for option, values in (
        ("--user", [user]),
        ("--name", [name]),
        ("--role", roles),
        ("--team", [team]),
        ("--models", models),
    ):
        _check(option, values)
    loaded = desk.config(config)
    secret = new_key()
    with desk.store(loaded) as store:
        first = not asyncio.run(store.keys.list())
        pepper = load_pepper(pepper_file(loaded.store_path), create=first)
        record = KeyRecord(
            id=new_id(),
            digest=digest_of(secret, pepper),
            pepper_version=PEPPER_VERSION,
            name=name,
            user=user,
            team=team,
            roles=frozenset(roles),
            models=tuple(models),
            created_at=now,
            expires_at=expires_at,
        )
        asyncio.run(store.keys.add(record))
    if as_json:
        write_json({"id": record.id, "key": secret} | {name: facts(record, now)[name] for name in CREATED})
        return
    until = f" It expires at {rfc3339(expires_at)}." if expires_at is not None else ""
    remark(f"Key {record.id} of user {user}, shown this once.{until}")
    write(secret)


def list_keys(context: typer.Context, user: OnlyUser = None, as_json: Json = False, config: ConfigFile = None) -> None:
    """List every key, oldest first. Revoked and expired ones too; the secrets are not known.

    Example: greyfox key list --json | jq -r '.[] | select(.state == "expired").id'
    Exit status: 0 shown, 1 store not reachable, 2 wrong usage
    """
    desk = desk_of(context)
    with desk.store(desk.config(config)) as store:
        records = asyncio.run(store.keys.list())
    write_keys([record for record in records if user in (None, record.user)], desk.now(), as_json=as_json)


def revoke(context: typer.Context, ids: Ids, as_json: Json = False, config: ConfigFile = None) -> None:
    """Revoke keys by id. A running gateway refuses them within a second; nothing brings them back.

    Example: greyfox key revoke key_7c5v2mzq4xwa
    Exit status: 0 all revoked, 1 an id is unknown (the others are revoked), 2 wrong usage
    """
    desk = desk_of(context)
    with desk.store(desk.config(config)) as store:
        unknown = [id_ for id_ in ids if not asyncio.run(store.keys.revoke(id_, desk.now()))]
        revoked = {record.id: record for record in asyncio.run(store.keys.list()) if record.id in ids}
    if as_json:
        write_json([facts(revoked[id_], desk.now()) for id_ in dict.fromkeys(ids) if id_ in revoked])
    else:
        for id_ in dict.fromkeys(ids):
            if id_ in revoked:
                remark(f"Key {id_} of user {revoked[id_].user} is revoked since {rfc3339(revoked[id_].revoked_at)}.")
    if unknown:
        raise Failed(f"there is no key {', '.join(map(shown, unknown))}")


CREATED = ("user", "team", "roles", "models", "expires_at")


def facts(record: KeyRecord, now: datetime) -> dict[str, Any]:
    """A key as JSON tells it."""
    return {
        "id": record.id,
        "name": record.name,
        "user": record.user,
        "team": record.team,
        "roles": sorted(record.roles),
        "models": list(record.models),
        "created_at": rfc3339(record.created_at),
        "expires_at": rfc3339(record.expires_at),
        "revoked_at": rfc3339(record.revoked_at),
        "state": state(record, now),
    }


def state(record: KeyRecord, now: datetime) -> str:
    """In a word."""
    if record.revoked_at is not None:
        return "revoked"
    return "active" if record.usable(now) else "expired"


def write_keys(records: Sequence[KeyRecord], now: datetime, *, as_json: bool) -> None:
    """As a table or as JSON."""
    if as_json:
        write_json([facts(record, now) for record in records])
        return
    columns = ("ID", "NAME", "USER", "TEAM", "ROLES", "MODELS", "CREATED", "EXPIRES", "STATE")
    rows = [
        (
            *(record.id, record.name, record.user, record.team),
            *(", ".join(sorted(record.roles)), ", ".join(record.models) or "all"),
            *(rfc3339(record.created_at), rfc3339(record.expires_at) or "never", state(record, now)),
        )
        for record in records
    ]
    write_table(columns, rows)


def _check(option: str, values: Sequence[str | None]) -> None:
    for value in values:
        if value is not None and not is_name(value):
            raise typer.BadParameter("1 to 256 printable characters without spaces around them", param_hint=option)
