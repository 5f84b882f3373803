"""What a command works with: the configuration, the database, the time, and where to write.

Errors:  ConfigError and StoreUnavailable, which `main` turns into one line.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from greyfox_core.clock import Clock, SystemClock
from greyfox_core.config.load import Loaded, load
from greyfox_core.errors import ConfigError
from greyfox_core.store.open import Store, open_store

CONFIG = "GREYFOX_CONFIG"
KEY = "GREYFOX_KEY"
CA_CERTIFICATE = "mitmproxy-ca-cert.pem"  # mitmproxy's names for the files in its confdir
CA_WITH_KEY = "mitmproxy-ca.pem"
ADDRESS = "http://127.0.0.1:8080"

Json = Annotated[bool, typer.Option("--json", help="JSON: exact numbers, RFC 3339 times")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help=f"the configuration; else {CONFIG}, else ./config.yaml")
]


class Failed(Exception):
    """A command that could not do what it was asked; the text is for the operator."""


@dataclass(frozen=True)
class Desk:
    """Handed to every command as its context's object."""

    clock: Clock = field(default_factory=SystemClock)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def now(self) -> datetime:
        return self.clock.now()

    def config_path(self, named: Path | None) -> Path:
        """The file that is meant, whether it is there or not."""
        return (named or Path(self.environ.get(CONFIG) or "config.yaml")).resolve()

    def config(self, named: Path | None) -> Loaded:
        """The configuration, checked."""
        path = self.config_path(named)
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file; `greyfox run` makes one, --config FILE names another")
        return load(path, self.environ)

    def certs(self, named: Path | None) -> Path:
        """The folder of the CA."""
        return self.config_path(named).parent / "certs"

    @contextmanager
    def store(self, loaded: Loaded) -> Iterator[Store]:
        """The database, beside a gateway that may be running on it."""
        store = open_store(loaded.store_path, self.clock, exclusive=False)
        try:
            yield store
        finally:
            store.close()


def desk_of(context: typer.Context) -> Desk:
    """The desk that `main` has put there."""
    desk = context.obj
    assert isinstance(desk, Desk)
    return desk
