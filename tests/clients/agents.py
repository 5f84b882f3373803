"""The coding agents from npm, as users run them: installed once in the user's cache, started in a home of their own.

Nothing of theirs reaches the network: what does not go to the gateway goes to a port where nobody listens, and their
telemetry and updates are switched off by their own documented settings.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = {"claude": "@anthropic-ai/claude-code", "codex": "@openai/codex"}
INSTALLING = 180  # seconds
PATIENCE = 90  # seconds until an agent that hangs fails a test
NOWHERE = "http://127.0.0.1:9"  # discard: nobody listens

QUIET_CLAUDE = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}
QUIET_CODEX = "check_for_update_on_startup = false\n[analytics]\nenabled = false\n"


class NotToBeHad(Exception):
    """The agents cannot be installed here; the text says why."""


def installed() -> Path:
    """The folder with the agents' commands; the current versions, fetched once. Raises NotToBeHad."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "greyfox-tests" / "agents"
    commands = folder / "node_modules" / ".bin"
    if all((commands / name).exists() for name in PACKAGES):
        return commands
    npm = shutil.which("npm")
    if npm is None:
        raise NotToBeHad("there is no npm on this machine")
    folder.mkdir(parents=True, exist_ok=True)
    asked = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", *PACKAGES.values()]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=INSTALLING, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise NotToBeHad(f"npm did not install the agents within {INSTALLING} s") from None
    if done.returncode != 0 or not all((commands / name).exists() for name in PACKAGES):
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NotToBeHad(f"npm cannot install the agents: {said[0] if said else done.returncode}")
    return commands


@dataclass(frozen=True, slots=True)
class Said:
    """What an agent's run came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def everything(self) -> str:
        return self.stdout + self.stderr


@dataclass(slots=True)
class Desk:
    """A home, a folder to work in, and the environment that an agent is started with."""

    folder: Path
    commands: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in (self.home, self.work, self.home / ".codex"):
            path.mkdir(parents=True)
        (self.home / ".codex" / "config.toml").write_text(QUIET_CODEX)
        self.env = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TERM": "dumb", "LANG": "C.UTF-8"}
        self.env |= {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1"} | QUIET_CLAUDE

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    async def run(self, *command: str, more: Mapping[str, str] | None = None, stdin: str = "") -> Said:
        """Run one command to its end. Raises TimeoutError."""
        program, *arguments = command
        process = await asyncio.create_subprocess_exec(
            str(self.commands / program),
            *arguments,
            cwd=self.work,
            env=self.env | dict(more or {}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                out, err = await process.communicate(stdin.encode())
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        return Said(process.returncode or 0, out.decode(), err.decode())


def proxied(proxy: str, ca_file: Path) -> dict[str, str]:
    """HTTPS_PROXY and the CA, as the gateway's own page tells users to set them."""
    return {
        "HTTPS_PROXY": proxy,
        "NO_PROXY": "",
        "NODE_EXTRA_CA_CERTS": str(ca_file),
        "SSL_CERT_FILE": str(ca_file),
    }
