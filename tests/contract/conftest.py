"""A house that a module's tests share; each test finds its provider fresh."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.contract.house import House, open_house

type Opens = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture(scope="module")
def opens(tmp_path_factory: pytest.TempPathFactory, certs: Path, door: str) -> Opens:
    """`opens(people, quotas=[…])`: as `open_house`, in a folder of its own."""

    def make(people: Any = None, **options: Any) -> AbstractAsyncContextManager[House]:
        return open_house(tmp_path_factory.mktemp("house"), certs, people, **options)

    return make


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def fresh(house: House) -> AsyncIterator[None]:
    """No entry, rule or gate of one test is seen by the next."""
    house.provider.reset()
    yield
    house.provider.reset()


@pytest.fixture(scope="module", autouse=True)
def both_doors(door: str) -> str:
    """Every test here holds for both."""
    return door
