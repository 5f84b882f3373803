"""Coding agents in front of a gateway that serves their providers' own host names."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.clients.agents import Desk, NotToBeHad, installed
from tests.contract.house import House, open_house
from tests.kit.configuration import upstreams_for
from tests.kit.provider import Provider

OWN_HOSTS = {"anthropic": "api.anthropic.com", "openai": "api.openai.com"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "agents: runs the coding agents from npm, installed once in the user's cache")


@pytest.fixture(scope="session")
def commands() -> Path:
    """Where the agents' commands are; skips where they cannot be had."""
    try:
        return installed()
    except NotToBeHad as reason:
        pytest.skip(str(reason))


@pytest.fixture
def desk(commands: Path, tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk", commands)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    commands: Path, tmp_path_factory: pytest.TempPathFactory, certs: Path, door: str
) -> AsyncIterator[House]:
    def upstreams(provider: Provider) -> dict[str, dict[str, Any]]:
        known = upstreams_for(provider)
        for name, host in OWN_HOSTS.items():
            known[name]["hosts"] = [host]
        return known

    people = {"alice": {}, "bob": {"roles": ["guest"]}}
    quota = {"name": "guests", "per": "user", "match": {"role": "guest"}, "period": "day", "output_tokens": 1}
    async with open_house(
        tmp_path_factory.mktemp("house"),
        certs,
        people,
        upstreams=upstreams,
        proxy={"unknown_hosts": "deny", "shadow": "deny"},  # and so nothing leaves this machine
        quotas=[quota],
    ) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def fresh(house: House) -> AsyncIterator[None]:
    house.provider.reset()
    yield
    house.provider.reset()


@pytest.fixture(scope="module", autouse=True)
def both_doors(door: str) -> str:
    """Every test here holds for both."""
    return door
