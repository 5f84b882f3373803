"""`greyfox run`: the gateway itself, under one of mitmproxy's faces.

The only place of this package that starts mitmproxy, and it imports it then and not before: the other commands, and
every other part of the core, work without it.
"""

import argparse
import errno
import importlib
import os
import socket
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from greyfox_core.cli.desk import CONFIG, ConfigFile, Failed, Json, desk_of
from greyfox_core.cli.render import remark
from greyfox_core.config.load import load
from greyfox_core.shipped import addons_script, config_template

HOST, PORT = "127.0.0.1", 8080
WEB_PORT = 8081
WEB_COLUMNS = ("method", "path", "comment", "status", "size", "time")


class Face(StrEnum):
    """How the gateway shows itself."""

    DUMP = "dump"
    WEB = "web"
    CONSOLE = "console"


PROGRAMS = {Face.DUMP: "mitmdump", Face.WEB: "mitmweb", Face.CONSOLE: "mitmproxy"}


def run(
    context: typer.Context,
    face: Annotated[Face, typer.Option("--face", help="none, in the browser, or in the terminal")] = Face.DUMP,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Start the gateway, on 127.0.0.1:8080 unless options say otherwise. Further options go to mitmproxy unchanged.

    Where there is no ./config.yaml yet, and no other file is named, the annotated one is written first.

    Example: greyfox run --listen-port 9000
    Exit status: 0 ended when asked to, 1 could not start, 2 wrong usage
    """
    desk = desk_of(context)
    path = desk.config_path(config)
    if not path.exists():
        if config is not None or desk.environ.get(CONFIG):  # a mistyped name must not start another gateway
            raise Failed(f"{path}: there is no such file")
        path.write_bytes(config_template().read_bytes())
        remark(f"greyfox: wrote {path}: the annotated configuration, to be changed as you need")
    for problem in load(path, desk.environ).warnings:  # not kept: the gateway reads the file itself, and runs in here
        remark(f"greyfox: warning: {problem.text().splitlines()[0]}")
    certs = path.parent / "certs"
    certs.mkdir(mode=0o700, exist_ok=True)
    arguments = arguments_for(face, context.args, certs, addons_script())
    refuse_taken(*listening(context.args))
    os.environ[CONFIG] = str(path)  # for the addons' script, which mitmproxy loads
    sys.argv[0] = PROGRAMS[face]  # mitmproxy's own words begin with it
    getattr(importlib.import_module("mitmproxy.tools.main"), PROGRAMS[face])(arguments)


def arguments_for(face: Face, further: Sequence[str], certs: Path, script: Path) -> list[str]:
    """mitmproxy's command line. What the operator gives prevails; mitmproxy takes no option with two values."""
    made = ["-s", str(script), "--listen-host", HOST]
    settings = [f"confdir={certs}", "connection_strategy=lazy"]
    match face:
        case Face.DUMP:
            made.append("-q")
        case Face.WEB:
            made.append("--no-web-open-browser")
            settings += [f"web_port={WEB_PORT}", *(f"web_columns={column}" for column in WEB_COLUMNS)]
    given = {word.partition("=")[0].removeprefix("--").replace("-", "_") for word in further}
    for setting in settings:
        if setting.partition("=")[0] not in given:
            made += ["--set", setting]
    return made + list(further)


def listening(further: Sequence[str]) -> tuple[str, int]:
    """Where the gateway will listen."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--listen-host", default=HOST)
    parser.add_argument("--listen-port", "-p", type=int, default=PORT)
    try:
        known, _ = parser.parse_known_args(list(further))
    except argparse.ArgumentError as error:
        raise typer.BadParameter(str(error)) from None
    return known.listen_host, known.listen_port


def refuse_taken(host: str, port: int) -> None:
    """Raises Failed where another program listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the gateway itself does
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Failed(f"{host}:{port} is taken by another program; choose another: --listen-port N") from None
            raise Failed(f"{host}:{port}: cannot listen there: {error.strerror}") from None
