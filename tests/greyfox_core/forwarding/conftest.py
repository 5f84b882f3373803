"""A server on loopback that sends what it is told to, and the client that asks it."""

from collections.abc import AsyncIterator

import pytest

from greyfox_core.forwarding.client import UpstreamClient
from tests.kit.scripted import Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    made = UpstreamClient()
    made.start()
    yield made
    await made.close()
