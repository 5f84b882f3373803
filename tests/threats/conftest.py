"""What the tests of attacks share: a gateway a module, raw connections to it, and a provider that nothing may reach."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.contract.house import House, open_house
from tests.threats.wire import Reply, request, wire

CHAT = "/v1/chat/completions"
PROMPT = "Is the harbour at Whitby open?"
CHAT_BODY = orjson.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 20})

type Opens = Callable[..., AbstractAsyncContextManager[House]]


class Listener:
    """A server on loopback that counts who connects and says nothing."""

    def __init__(self) -> None:
        self.connections = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._count, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


@pytest.fixture(scope="module")
def opens(tmp_path_factory: pytest.TempPathFactory, certs: Path, door: str) -> Opens:
    """`opens(people, limits={…})`: as `open_house`, in a folder of its own."""

    def make(people: Any = None, **parts: Any) -> AbstractAsyncContextManager[House]:
        return open_house(tmp_path_factory.mktemp("house"), certs, people, **parts)

    return make


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    """The plainest gateway; a module that needs another one says so itself."""
    async with opens({"alice": {}, "bob": {}}, cache={"enabled": False}) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def untouched(house: House) -> AsyncIterator[None]:
    """No request, and not even a connection, reaches the provider during the test."""
    before, said = house.provider.connections, len(house.gateway.log_text())
    house.provider.reset()
    yield
    assert house.provider.requests == []
    assert house.provider.connections == before
    log = house.gateway.log_text()[said:]
    assert '"level": "error"' not in log and "Traceback" not in log, "an attack is answered, it makes nothing fail"


@pytest_asyncio.fixture(loop_scope="module")
async def listener() -> AsyncIterator[Listener]:
    """Somebody on loopback whom no tunnel may reach."""
    listening = Listener()
    await listening.start()
    yield listening
    await listening.stop()


@pytest.fixture
def bearer(house: House) -> str:
    """Alice's credential as a field."""
    return f"Authorization: Bearer {house.keys['alice']}"


async def ask(house: House, data: bytes) -> Reply | None:
    """Write these bytes on a connection of their own and read one answer."""
    async with wire(house.gateway.port) as line:
        await line.send(data)
        return await line.reply(to_head=data.startswith(b"HEAD "))


def chat(*fields: str, body: bytes = CHAT_BODY, **options: Any) -> bytes:
    """An ordinary question, as bytes."""
    return request("POST", CHAT, "Content-Type: application/json", *fields, body=body, **options)


@pytest.fixture(scope="module", autouse=True)
def both_doors(door: str) -> str:
    """Every test here holds for both."""
    return door
