"""One gateway in front of upstreams that fail, and one provider, for all tests of a file."""

from collections.abc import Iterator

import pytest

from tests.kit.gateway import Gateway
from tests.kit.provider import Provider


@pytest.fixture
def gateway(faulty: Gateway) -> Gateway:
    return faulty


@pytest.fixture
def key(faulty_key: str) -> str:
    return faulty_key


@pytest.fixture
def provider(shared_provider: Provider) -> Iterator[Provider]:
    shared_provider.reset()
    yield shared_provider
    shared_provider.reset()


@pytest.fixture
def prompt(request: pytest.FixtureRequest) -> str:
    """Words that no other test asks."""
    return f"What of {request.node.name}?"
