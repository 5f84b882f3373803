"""What requests go through: nothing but the stand-in upstream, stock mitmdump, GreyFox by either door."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.database import fill_ledger, make_keys
from bench.machine import GATEWAY_CORE, OTHER_CORE, free_port
from bench.processes import START, Running, await_ready, started
from bench.world import UPSTREAM_KEY, World, configuration
from greyfox_core.auth.keys import new_key

DOORS = ("auto", "flow", "fast")
ROW_SECONDS = 1e-4  # that a row of the ledger may add to the start: every page of the file is checked


@dataclass(frozen=True)
class GreyFox:
    """A running gateway, its keys, the key whose quota is used up once it has had an answer, and one of nobody."""

    running: Running
    keys: tuple[str, ...]
    spent: str
    unknown: str


@contextlib.contextmanager
def upstream(folder: Path, arguments: Sequence[str] = ()) -> Iterator[Running]:
    """The stand-in upstream."""
    port = free_port()
    command = [sys.executable, "-m", "bench.upstream", str(port), *arguments]
    with started("upstream", command, folder, port, OTHER_CORE) as running:
        yield running


@contextlib.contextmanager
def stock(folder: Path, upstream_port: int, *, optimised: bool = False) -> Iterator[Running]:
    """Stock mitmdump without addons, passing everything on to the upstream; `optimised`: with `python -O`."""
    port = free_port()
    environment = {"PYTHONOPTIMIZE": "1"} if optimised else {}
    command = [
        str(Path(sys.executable).with_name("mitmdump")),
        *("-q", "--mode", f"reverse:http://127.0.0.1:{upstream_port}"),
        *("--listen-host", "127.0.0.1", "--listen-port", str(port)),
        *("--set", f"confdir={folder / 'stock-ca'}"),
    ]
    with started("stock-O" if optimised else "stock", command, folder, port, GATEWAY_CORE, environment) as running:
        yield running


@contextlib.contextmanager
def greyfox(
    folder: Path, upstream_port: int, world: World, door: str = "auto", arguments: Sequence[str] = ()
) -> Iterator[GreyFox]:
    """GreyFox with authentication, quotas, a rate limit, cache and routing on, in a folder of its own."""
    port, admin_port = free_port(), free_port()
    home = folder / f"greyfox-{port}"
    home.mkdir()
    file = home / "config.yaml"
    file.write_text(configuration(world, home, upstream_port, admin_port), encoding="utf-8")
    keys, spent = make_keys(home / "bench.db", world.keys)
    if world.ledger:
        fill_ledger(home / "bench.db", world.ledger)
    environment = {"GREYFOX_CONFIG": str(file), "HOME": str(home), UPSTREAM_KEY: "sk-bench"}
    environment["PYTHONOPTIMIZE"] = "1"  # as run.sh starts it
    command = [
        *(sys.executable, "-m", "greyfox_core.cli.main", "run"),
        *("--listen-host", "127.0.0.1", "--listen-port", str(port), "--set", f"greyfox_door={door}", *arguments),
    ]
    patience = START + world.ledger * ROW_SECONDS
    with started("greyfox", command, home, port, GATEWAY_CORE, environment, patience) as running:
        await_ready(f"http://127.0.0.1:{admin_port}/readyz", patience)
        yield GreyFox(running, keys, spent, new_key())
