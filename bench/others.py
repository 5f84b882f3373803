"""Other gateways, where they are installed: each passes requests on to the same stand-in upstream, and governs nothing.

LiteLLM's proxy is used where `litellm` is on the path. Portkey's gateway is used where `PORTKEY_GATEWAY` holds the
command that starts it (say, `node /opt/gateway/build/start-server.js`) or npm has the package `@portkey-ai/gateway`.
Neither is shipped or needed.
Source:  https://docs.litellm.ai/docs/proxy/configs and /docs/proxy/health; https://github.com/Portkey-AI/gateway.
"""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.machine import GATEWAY_CORE, free_port
from bench.processes import Running, await_ready, started

PORTKEY_PACKAGE = "@portkey-ai/gateway"
PATIENCE = 120.0  # seconds: LiteLLM imports for a while


@dataclass(frozen=True)
class Other:
    """A running gateway, and the header fields that tell it where to pass requests on to."""

    running: Running
    headers: tuple[tuple[str, str], ...] = ()


def litellm_found() -> bool:
    """Whether LiteLLM's proxy can be started here."""
    return shutil.which("litellm") is not None


@contextlib.contextmanager
def litellm(folder: Path, upstream_port: int) -> Iterator[Other]:
    """One worker, no keys, no database, no log of requests."""
    port = free_port()
    file = folder / "litellm.yaml"
    target = {"model": "openai/gpt-4o", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "sk-bench"}
    file.write_text(json.dumps({"model_list": [{"model_name": "gpt-4o", "litellm_params": target}]}), encoding="utf-8")
    command = ["litellm", "--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environment = {
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches one when it starts
        "LITELLM_TELEMETRY": "False",
    }
    with started("litellm", command, folder, port, GATEWAY_CORE, environment, PATIENCE) as running:
        await_ready(f"http://127.0.0.1:{port}/health/liveliness", PATIENCE)
        yield Other(running)


def portkey_command() -> list[str] | None:
    """What starts Portkey's gateway here, None where it is not installed."""
    if given := os.environ.get("PORTKEY_GATEWAY"):
        return shlex.split(given)
    if shutil.which("npm") is None or shutil.which("npx") is None:
        return None
    listed = subprocess.run(["npm", "ls", "--global", PORTKEY_PACKAGE], capture_output=True, timeout=30, check=False)
    return None if listed.returncode else ["npx", "--no-install", PORTKEY_PACKAGE]


@contextlib.contextmanager
def portkey(command: list[str], folder: Path, upstream_port: int) -> Iterator[Other]:
    """Without its console; each request names its provider and where that is."""
    port = free_port()
    arguments = [*command, f"--port={port}", "--headless"]
    with started("portkey", arguments, folder, port, GATEWAY_CORE, {"NODE_ENV": "production"}, PATIENCE) as running:
        host = f"http://127.0.0.1:{upstream_port}/v1"
        yield Other(running, (("x-portkey-provider", "openai"), ("x-portkey-custom-host", host)))
