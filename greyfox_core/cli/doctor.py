"""`greyfox doctor`: is everything here as it should be?"""

import asyncio
import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import typer

from greyfox_core.auth.keys import load_pepper, pepper_file
from greyfox_core.cli.ca import read_certificate
from greyfox_core.cli.desk import CA_CERTIFICATE, CA_WITH_KEY, ConfigFile, Desk, Failed, Json, desk_of
from greyfox_core.cli.render import write_json, write_table
from greyfox_core.cli.run import HOST, PORT
from greyfox_core.config.load import Loaded
from greyfox_core.errors import ConfigError, StoreUnavailable

OLDEST_PYTHON = (3, 12)
LITTLE_SPACE = 1_000_000_000  # bytes
CA_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `detail` says what to do where something is to be done."""

    check: str
    state: Literal["ok", "note", "failed"]
    detail: str


def doctor(context: typer.Context, as_json: Json = False, config: ConfigFile = None) -> None:
    """Check what the gateway stands on. Python, configuration, database, keys, CA, ports, permissions; changes nothing.

    Example: greyfox doctor
    Exit status: 0 nothing failed (there may be notes), 1 something did, 2 wrong usage
    """
    findings = list(examine(desk_of(context), config))
    if as_json:
        write_json([asdict(finding) for finding in findings])
    else:
        write_table(("CHECK", "STATE", ""), [(one.check, one.state, one.detail) for one in findings])
    failed = [finding.check for finding in findings if finding.state == "failed"]
    if failed:
        raise Failed(f"not as it should be: {', '.join(failed)}")


def examine(desk: Desk, config: Path | None) -> Iterator[Finding]:
    """Every check in turn. What depends on a failed one is left out."""
    yield _python()
    certs = desk.certs(config)
    try:
        loaded = desk.config(config)
    except ConfigError as error:
        yield Finding("configuration", "failed", str(error))
    else:
        yield _configuration(loaded)
        yield from _upstream_keys(loaded)
        yield from _database(desk, loaded)
        yield _space(loaded.store_path.parent)
        yield _port("admin port", *_split(loaded.config.admin.listen))
    yield _ca(desk, certs)
    yield _private("CA's key", certs / CA_WITH_KEY, "the first start makes it")
    yield _port("proxy port", HOST, PORT)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Finding("Python", "failed", f"{version}; GreyFox needs 3.12 or newer")
    return Finding("Python", "ok", version)


def _configuration(loaded: Loaded) -> Finding:
    count = len(loaded.warnings)
    if count:
        return Finding("configuration", "note", f"{loaded.path}: {count} warnings; greyfox config check tells them")
    return Finding("configuration", "ok", str(loaded.path))


def _upstream_keys(loaded: Loaded) -> Iterator[Finding]:
    upstreams = loaded.config.upstreams
    bare = [name for name, one in upstreams.items() if not one.api_key.get_secret_value() and one.dialect != "ollama"]
    if bare:
        yield Finding("upstream keys", "note", f"none for {', '.join(bare)}: callers need their own, by HTTPS_PROXY")
    else:
        yield Finding("upstream keys", "ok", "each upstream has one")


def _database(desk: Desk, loaded: Loaded) -> Iterator[Finding]:
    path = loaded.store_path
    if not path.exists():
        yield Finding("database", "note", f"{path}: not there yet; the first start makes it")
        return
    try:
        with desk.store(loaded) as store:
            count = len(asyncio.run(store.keys.list()))
            mismatches = store.reports.verify()
    except (ConfigError, StoreUnavailable) as error:
        yield Finding("database", "failed", str(error))
        return
    if mismatches:
        yield Finding("database", "failed", f"{path}: counters do not agree with the ledger; greyfox quota verify")
    else:
        yield Finding("database", "ok", str(path))
    yield _private("database's mode", path, "")
    yield _pepper(path, count)


def _pepper(database: Path, count: int) -> Finding:
    file = pepper_file(database)
    if not count and not file.exists():
        return Finding("virtual keys", "note", "none yet: greyfox key create --user NAME")
    try:
        load_pepper(file, create=False)
    except ConfigError as error:
        return Finding("virtual keys", "failed", str(error))
    return Finding("virtual keys", "ok" if count else "note", f"{count:,}, their pepper in {file}")


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    state: Literal["ok", "note"] = "note" if free < LITTLE_SPACE else "ok"
    return Finding("disk space", state, f"{free / 1e9:,.1f} GB free in {folder}")


def _ca(desk: Desk, certs: Path) -> Finding:
    file = certs / CA_CERTIFICATE
    if not file.exists():
        return Finding("CA", "note", f"{file}: not there yet; the first start makes it")
    try:
        until = read_certificate(file).not_valid_after_utc
    except (Failed, OSError) as error:
        return Finding("CA", "failed", str(error))
    left = until - desk.now()
    if left <= timedelta():
        return Finding("CA", "failed", f"{file}: expired at {until.isoformat()}; remove {certs} and start anew")
    return Finding("CA", "note" if left < CA_SOON else "ok", f"{file}, valid until {until.date().isoformat()}")


def _private(check: str, file: Path, absent: str) -> Finding:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        return Finding(check, "note", f"{file}: not there yet; {absent}")
    if os.name == "posix" and mode & 0o077:
        return Finding(check, "failed", f"{file}: others may open it (mode {mode:o}); chmod 600 {file}")
    return Finding(check, "ok", f"{file}, mode {mode:o}")


def _port(check: str, host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(1.0)
        taken = probe.connect_ex((host, port)) == 0
    # A gateway that runs is the usual reason, and no fault.
    return Finding(check, "note" if taken else "ok", f"{host}:{port}: " + ("in use (a gateway?)" if taken else "free"))


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)
