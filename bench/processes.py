"""A process of a run: started on a core, awaited, looked at, ended."""

import contextlib
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from bench.machine import environment_of, listens, pin

START = 60.0  # seconds within which each must answer


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
def started(
    name: str,
    command: Sequence[str],
    folder: Path,
    port: int,
    core: int,
    environment: dict[str, str] | None = None,
    patience: float = START,
) -> Iterator[Running]:
    """Run `command` on one core until it listens, for at most `patience` seconds; end it afterwards."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command), cwd=folder, env=environment_of(environment or {}), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        pin(process.pid, core)
        deadline = time.monotonic() + patience
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


def await_ready(url: str, patience: float = START) -> None:
    """Until `url` answers with success. Raises DidNotStart."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise DidNotStart(f"{url} did not say that the gateway is ready")
