"""Gateways and providers that the tests of one file share: a start costs a second or two."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.faults.scene import DIALECTS
from tests.kit.configuration import config_for, upstreams_for
from tests.kit.gateway import Gateway, free_port
from tests.kit.provider import Provider

type Starter = Callable[..., Awaitable[Gateway]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_provider(door: str) -> AsyncIterator[Provider]:
    """One provider for a whole file; a test that needs a clean one calls `reset`."""
    async with Provider() as standing:
        yield standing


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway(
    shared_provider: Provider, tmp_path_factory: pytest.TempPathFactory, certs: Path, door: str
) -> AsyncIterator[Starter]:
    """`await shared_gateway(quotas=…)`: a gateway for a whole file. It must end in peace."""
    made: list[Gateway] = []

    async def start(**parts: Any) -> Gateway:
        folder = tmp_path_factory.mktemp("gateway")
        made.append(await Gateway.start(folder, config_for(shared_provider, **parts), certs=certs))
        return made[-1]

    yield start
    for one in made:
        assert await one.stop() == 0, one.log_text()[-2000:]
        assert not one.seen_in_logs([])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def noise() -> AsyncIterator[int]:
    """A port that answers anything with bytes that are no HTTP."""

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x16\x03\x01 SSH-2.0-nonsense\r\n\r\n" + bytes(range(256)))
        writer.close()

    async with await asyncio.start_server(shout, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def faulty(shared_gateway: Starter, shared_provider: Provider, noise: int) -> Gateway:
    """A gateway whose upstreams may be dead or noisy, and that loses patience soon."""
    quick = {"connect_timeout": 2, "first_byte_timeout": 0.4, "idle_timeout": 0.4}
    upstreams = {name: upstream | quick for name, upstream in upstreams_for(shared_provider).items()}
    dead = f"http://127.0.0.1:{free_port()}"
    for dialect in DIALECTS:
        base = f"{dead}/v1" if dialect == "openai" else dead
        upstreams[f"dead-{dialect}"] = {"dialect": dialect, "base_url": base, "api_key": "${GROQ_API_KEY:-}"} | quick
    upstreams["noise"] = {"dialect": "openai", "base_url": f"http://127.0.0.1:{noise}/v1", "api_key": "none"} | quick
    day: dict[str, Any] = {"period": "day", "input_tokens": 10**9, "output_tokens": 10**9}
    return await shared_gateway(
        upstreams=upstreams,
        quotas=[{"name": "day", "per": "user", **day}],
        routes=[
            *({"name": f"dead-{one}", "when": {"model": f"dead-{one}"}, "use": f"dead-{one}/m"} for one in DIALECTS),
            {"name": "noise", "when": {"model": "noise"}, "use": "noise/m"},
            {"name": "second", "when": {"model": "second"}, "use": ["dead-openai/m", "openai/gpt-4o"]},
            {"name": "busy", "when": {"model": "busy"}, "use": ["groq/llama3", "openai/gpt-4o"]},
        ],
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def faulty_key(faulty: Gateway) -> str:
    return await faulty.create_key("alice")


@pytest.fixture(scope="module", autouse=True)
def both_doors(door: str) -> str:
    """Every test here holds for both."""
    return door
