"""The processes of a run: stand-in upstream, stock mitmdump, GreyFox. Each is started, awaited and ended here."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
START = 60.0  # seconds within which each must answer
GATEWAY_CORE, OTHER_CORE = 0, 1


class DidNotStart(Exception):
    """A process ended or did not answer in time; the text holds its output."""


@dataclass(frozen=True)
class Running:
    """A process under measurement."""

    name: str
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """User and system time so far, children included."""
        times = [process.cpu_times() for process in self._all()]
        return float(sum(time.user + time.system for time in times))

    def memory(self) -> int:
        """Resident bytes now, children included."""
        return int(sum(process.memory_info().rss for process in self._all()))

    def rest(self) -> None:
        """Until it has nothing left to do, at most some seconds: what a run leaves is not for the next to bear."""
        for _ in range(20):
            before = self.cpu_seconds()
            time.sleep(0.25)
            if self.cpu_seconds() - before <= 0.02:
                return

    def _all(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextlib.contextmanager
def upstream(folder: Path, pause: float = 0.0) -> Iterator[Running]:
    """The stand-in upstream; `pause` is the seconds between two events of a stream."""
    port = free_port()
    command = [sys.executable, "-m", "bench.upstream", str(port), str(pause)]
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
def greyfox(folder: Path, upstream_port: int, arguments: Sequence[str] = ()) -> Iterator[tuple[Running, str]]:
    """GreyFox with authentication, two quotas, a rate limit, cache and routing on; and a key for it."""
    port, admin_port = free_port(), free_port()
    config = greyfox_config(upstream_port, admin_port, folder)
    file = folder / "config.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe", pure=True).dump(config, out)
    environment = {"GREYFOX_CONFIG": str(file), "HOME": str(folder), "BENCH_UPSTREAM_KEY": "sk-bench"}
    environment["PYTHONOPTIMIZE"] = "1"  # as run.sh starts it
    cli = [sys.executable, "-m", "greyfox_core.cli.main"]
    made = subprocess.run(
        [*cli, "key", "create", "--user", "bench", "--role", "developer", "--team", "bench", "--json"],
        cwd=folder,
        env=environment_of(environment),
        capture_output=True,
        text=True,
        timeout=START,
        check=False,
    )
    if made.returncode:
        raise DidNotStart(f"greyfox key create ended with {made.returncode}:\n{made.stderr}")
    key = str(json.loads(made.stdout)["key"])
    command = [*cli, "run", "--listen-host", "127.0.0.1", "--listen-port", str(port), *arguments]
    with started("greyfox", command, folder, port, GATEWAY_CORE, environment) as running:
        await_ready(f"http://127.0.0.1:{admin_port}/readyz")
        yield running, key


def greyfox_config(upstream_port: int, admin_port: int, folder: Path) -> dict[str, Any]:
    """Everything on, with limits that a run does not reach."""
    plenty = 10**15
    return {
        "store": f"sqlite:///{folder / 'bench.db'}",
        "admin": {"listen": f"127.0.0.1:{admin_port}"},
        "upstreams": {
            "openai": {
                "dialect": "openai",
                "base_url": f"http://127.0.0.1:{upstream_port}/v1",
                "api_key": "${BENCH_UPSTREAM_KEY}",
            }
        },
        "quotas": [
            {"name": "day", "per": "user", "period": "day", "input_tokens": plenty, "output_tokens": plenty},
            {"name": "month", "per": ["team", "model"], "period": "month", "output_tokens": plenty},
        ],
        "rate_limits": [{"name": "burst", "per": "key", "requests_per_minute": 10**8, "burst": 10**6}],
        "cache": {"enabled": True, "ttl": "1h", "scope": "team"},
        "routes": [
            {"name": "other", "when": {"role": "support"}, "use": ["openai/gpt-4o-mini"]},
            {"name": "code", "when": {"model": "auto", "content": "code"}, "use": ["openai/gpt-4o"]},
            {"name": "fast", "when": {"model": "fast"}, "use": ["openai/gpt-4o"]},
        ],
        "content": {"code": {"any": [r"(?i)\b(write|refactor|debug)\b.*\b(function|class|script|code)\b"]}},
    }


@contextlib.contextmanager
def started(
    name: str, command: list[str], folder: Path, port: int, core: int, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run `command` on one core until it listens; end it afterwards."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment_of(environment or {}), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        pin(process.pid, core)
        deadline = time.monotonic() + START
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise DidNotStart(f"{name} did not start:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.05)
        yield Running(name, port, psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment_of(more: Mapping[str, str]) -> dict[str, str]:
    """What a process gets of ours: where programs are, and this checkout as source."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "HOME") if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT)} | dict(more)


def pin(pid: int, core: int) -> None:
    """Keep a process on one core, where the system can and has as many."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(pid, {cores[core]})


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def await_ready(url: str) -> None:
    """Until `url` answers with success. Raises DidNotStart."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise DidNotStart(f"{url} did not say that GreyFox is ready")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
