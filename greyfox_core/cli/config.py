"""`greyfox config`: is the configuration right, what may it say, and with what does one begin?"""

from pathlib import Path
from typing import Annotated

import typer

from greyfox_core.cli.desk import ConfigFile, Failed, Json, desk_of
from greyfox_core.cli.help import group
from greyfox_core.cli.render import remark, write_json
from greyfox_core.config.findings import Problem
from greyfox_core.config.load import load
from greyfox_core.config.schema import json_schema
from greyfox_core.shipped import config_template


def commands() -> typer.Typer:
    """The noun."""
    return group("The configuration.", {"check": check, "schema": schema, "template": template})


def check(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="else as --config")] = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Check a configuration: every problem at once, each with its line. Starts and changes nothing.

    Example: greyfox config check config.yaml
    Exit status: 0 it can be used (there may be warnings), 1 it cannot, 2 wrong usage
    """
    desk = desk_of(context)
    loaded = load(desk.config_path(file or config), desk.environ)
    if as_json:
        write_json({"file": str(loaded.path), "warnings": [_facts(problem) for problem in loaded.warnings]})
        return
    for problem in loaded.warnings:
        remark(f"warning: {problem.text()}\n")
    remark(f"{loaded.path} can be used.")


def schema(context: typer.Context, as_json: Json = False, config: ConfigFile = None) -> None:
    """Print the JSON Schema of the configuration, for an editor to complete and check it.

    Example: greyfox config schema > greyfox.schema.json
    Exit status: 0
    """
    write_json(json_schema())


def template(context: typer.Context, as_json: Json = False, config: ConfigFile = None) -> None:
    """Print the annotated configuration that a new installation starts from.

    Example: greyfox config template > config.yaml
    Exit status: 0 printed, 1 it is not there
    """
    file = config_template()
    text = file.read_bytes()
    if not text:  # in a checkout a shell has emptied the very file before this command could read it
        raise Failed(f"{file} is the template itself, and it is empty: write to another file")
    if as_json:
        write_json({"yaml": text.decode()})
    else:
        typer.echo(text, nl=False)  # its own bytes, whatever encoding the terminal has


def _facts(problem: Problem) -> dict[str, object]:
    span = problem.span
    return {
        "line": None if span is None else span.line,
        "column": None if span is None else span.column,
        "message": problem.message,
    }
