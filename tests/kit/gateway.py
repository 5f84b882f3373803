"""The real gateway as a process: its own folder, configuration, database, ports and log files.

    gateway = await Gateway.start(folder, config_for(provider), certs=certs)
    key = await gateway.create_key("alice")
    ... gateway.base_url, gateway.proxy_url(key) ...
    await gateway.stop()

How the product is started and which table holds the ledger is said here and nowhere else in the tests.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import aiohttp
from ruamel.yaml import YAML

from tests.kit.configuration import UPSTREAM_KEYS

ROOT = Path(__file__).parents[2]
LEDGER = "ledger"
DATABASE = "greyfox.db"
DOOR = "GREYFOX_TEST_DOOR"  # the door that gateways are started with where a test does not say

type Launch = Literal["cli", "script"]

_CLI = (sys.executable, "-m", "greyfox_core.cli.main")
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class DidNotStart(AssertionError):
    """The gateway ended, or was not ready in time; the text holds its output."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command's exit status and what it wrote."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        return json.loads(self.stdout)


class Gateway:
    """One gateway on loopback. `launch`: by its own command ("cli"), or as a script of stock mitmdump ("script")."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        *,
        certs: Path,
        env: Mapping[str, str] | None = None,
        launch: Launch = "cli",
        arguments: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.admin_port = free_port()
        self.secrets: set[str] = set(UPSTREAM_KEYS.values())  # never to be seen in a log
        self.exit_code: int | None = None  # of the latest process that ended
        self._launch = launch
        self._arguments = tuple(arguments)
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(certs, folder / "certs", dirs_exist_ok=True)
        kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        self.env = kept | {"HOME": str(folder), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.env |= {"GREYFOX_CONFIG": str(folder / "config.yaml"), **(UPSTREAM_KEYS if env is None else env)}
        self.configure(config)

    @classmethod
    async def start(cls, folder: Path, config: Mapping[str, Any], *, certs: Path, **options: Any) -> Self:
        """Make and start one, and return when it is ready. Raises DidNotStart with its output."""
        gateway = cls(folder, config, certs=certs, **options)
        await gateway.run()
        return gateway

    # --- where it is

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    def proxy_url(self, key: str | None = None, user: str = "client") -> str:
        """For HTTPS_PROXY; the key is the password."""
        credential = f"{user}:{key}@" if key is not None else ""
        return f"http://{credential}127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """What a client has to trust for interception (PEM)."""
        return self.folder / "certs" / "mitmproxy-ca-cert.pem"

    @property
    def config_file(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    # --- life

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write config.yaml anew, in one step; a running gateway is to notice by itself."""
        own = {"store": f"sqlite:///{self.database}", "admin": {"listen": f"127.0.0.1:{self.admin_port}"}}
        beside = self.config_file.with_suffix(".new")
        yaml = YAML(typ="safe", pure=True)
        # The order of upstreams has a meaning. (The attribute is declared as None.)
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        with beside.open("w", encoding="utf-8") as file:
            yaml.dump(own | dict(config), file)
        beside.replace(self.config_file)

    def command(self) -> list[str]:
        """What starts it."""
        listen = ["--listen-host", "127.0.0.1", "--listen-port", str(self.port)]
        if DOOR in os.environ:
            listen += ["--set", f"greyfox_door={os.environ[DOOR]}"]
        if self._launch == "cli":
            return [*_CLI, "run", *listen, *self._arguments]
        mitmdump = str(Path(sys.executable).with_name("mitmdump"))
        return [mitmdump, "-q", "-s", str(ROOT / "addons" / "__init__.py"), *listen, *self._arguments]

    async def spawn(self) -> None:
        """Start the process without waiting for it; for tests of a start that fails."""
        with (self.folder / "stdout.log").open("ab") as out, (self.folder / "stderr.log").open("ab") as err:
            self._process = await asyncio.create_subprocess_exec(
                *self.command(), cwd=self.folder, env=self.env, stdout=out, stderr=err, start_new_session=True
            )
        self.exit_code = None

    async def run(self, seconds: float = 30) -> None:
        """Start the process and return when `/readyz` says so. Raises DidNotStart with its output."""
        await self.spawn()
        try:
            async with asyncio.timeout(seconds), aiohttp.ClientSession(trust_env=False) as session:
                while not await self._ready(session):
                    if not self.running:
                        raise DidNotStart(f"exit status {await self.wait()}\n{self.log_text()}")
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            await self.kill()
            raise DidNotStart(f"not ready after {seconds} s\n{self.log_text()}") from error

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            async with session.get(f"{self.admin_url}/readyz") as answer:
                return answer.status == 200
        return False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def died_unasked(self) -> bool:
        """It ended by itself, and no test waited for that."""
        return self._process is not None and not self.running and self.exit_code is None

    @property
    def pid(self) -> int:
        """Raises RuntimeError where it was never started."""
        if self._process is None:
            raise RuntimeError("the gateway was never started")
        return self._process.pid

    async def wait(self, seconds: float = 30) -> int:
        """Return the exit status when it has ended. Raises TimeoutError."""
        if self._process is None:
            raise RuntimeError("the gateway was never started")
        async with asyncio.timeout(seconds):
            self.exit_code = await self._process.wait()
        return self.exit_code

    async def stop(self, seconds: float = 45) -> int:
        """SIGTERM, then its exit status. Where it does not end in time it is killed, and TimeoutError raised."""
        if self._process is not None and self.running:
            self._process.terminate()
        try:
            return await self.wait(seconds)
        except TimeoutError:
            await self.kill()
            raise

    async def kill(self) -> int:
        """SIGKILL for it and everything it started."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return await self.wait()

    async def restart(self) -> None:
        """The same folder, ports and database in a new process; ends the old one politely where it still runs."""
        if self.running:
            await self.stop()
        await self.run()

    # --- the operator's side

    async def cli(self, *arguments: str, seconds: float = 60) -> Finished:
        """Run one command of the operator's command line beside the gateway."""
        process = await asyncio.create_subprocess_exec(
            *_CLI,
            *arguments,
            cwd=self.folder,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        return Finished(process.returncode or 0, out.decode(), err.decode())

    async def create_key(
        self, user: str, *, team: str | None = None, roles: Sequence[str] = (), models: Sequence[str] = (), **more: str
    ) -> str:
        """A new virtual key; it joins `secrets`. `more` are further options (`expires="30d"`)."""
        arguments = ["key", "create", "--user", user]
        arguments += ["--team", team] if team else []
        arguments += [part for role in roles for part in ("--role", role)]
        arguments += [part for model in models for part in ("--models", model)]
        arguments += [part for name, value in more.items() for part in (f"--{name.replace('_', '-')}", value)]
        done = await self.cli(*arguments, "--json")
        assert done.code == 0, f"key create ended with {done.code}: {done.stderr}"
        key = str(done.json()["key"])
        self.secrets.add(key)
        return key

    def ledger(self, *, after: int = 0) -> list[dict[str, Any]]:
        """The ledger's rows, oldest first, by column, without the first `after`. Read only: the gateway may run."""
        if not self.database.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute(f"SELECT * FROM {LEDGER} ORDER BY rowid LIMIT -1 OFFSET ?", (after,))
            return [dict(row) for row in rows]

    def log_text(self) -> str:
        """All it has written to stdout and stderr, over restarts."""
        files = (self.folder / "stdout.log", self.folder / "stderr.log")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def seen_in_logs(self, words: Sequence[str]) -> list[str]:
        """Which of the words (and of `secrets`) the log files hold. A secret of length 0 is no secret."""
        text = self.log_text()
        return sorted(word for word in {*words, *self.secrets} if word and word in text)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
