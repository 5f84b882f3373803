"""The machine that the bench runs on: cores, ports, open files, versions.

With two cores or more the gateway under measurement has `GATEWAY_CORE` alone; the load and the stand-in upstream share
`OTHER_CORE`.
"""

import importlib.metadata
import os
import platform
import resource
import socket
from pathlib import Path

ROOT = Path(__file__).parents[1]
GATEWAY_CORE, OTHER_CORE = 0, 1


def pin(pid: int, core: int) -> None:
    """Keep a process on one core, where the system can and has as many."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(pid, {cores[core]})


def raise_open_files() -> int:
    """As many open files as the system allows, for this process and all that it starts; how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def environment_of(more: dict[str, str]) -> dict[str, str]:
    """What a process gets of ours: where programs are, and this checkout as source."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "HOME") if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT)} | more


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether anybody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def facts() -> dict[str, str | int | None]:
    """What the figures were made on and of."""
    return {
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("mitmproxy", "aiohttp", "httptools")},
    }


def processor() -> str:
    """Its name, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
