"""What every test may ask for: a stand-in provider, gateways as processes, one CA, words that no log may hold."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings
from mitmproxy.certs import CertStore

from tests.kit.gateway import DOOR, Gateway
from tests.kit.provider import Provider

settings.register_profile("untimed", deadline=None)  # speed belongs in bench/
settings.load_profile("untimed")

# An official client that reads one of these would talk to somebody else, or with somebody else's key.
_FOREIGN = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "OLLAMA_", "GROQ_", "GREYFOX_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class GatewayFactory(Protocol):
    """`await gateway(config_for(provider, …))`: a started gateway; options as of `Gateway`."""

    async def __call__(self, config: Mapping[str, Any], *, start: bool = True, **options: Any) -> Gateway: ...


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """No proxy, base URL or key of the surrounding shell reaches a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith(_FOREIGN) or name.upper() in _PROXIES:
                patch.delenv(name)
        yield


@pytest.fixture(scope="module", params=["flow", "fast"])
def door(request: pytest.FixtureRequest) -> Iterator[str]:
    """Whoever asks for it runs through both doors. Fixtures that start a gateway for a module must ask for it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DOOR, request.param)
        yield request.param


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CA as mitmproxy makes it: once a session, since making one is slow."""
    folder = tmp_path_factory.mktemp("certs")
    CertStore.from_store(folder, "mitmproxy", 2048)
    return folder


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A stand-in provider in the test's own event loop."""
    async with Provider() as standing:
        yield standing


@pytest.fixture
def canaries() -> set[str]:
    """Words (prompts, credentials) that must not be in any log file; a test adds its own."""
    return set()


@pytest.fixture
async def gateway(tmp_path: Path, certs: Path, canaries: set[str]) -> AsyncIterator[GatewayFactory]:
    """Starts gateways on demand. Afterwards: each has ended, in peace unless a test killed it, and kept its secrets."""
    made: list[Gateway] = []

    async def start_one(config: Mapping[str, Any], *, start: bool = True, **options: Any) -> Gateway:
        fresh = Gateway(tmp_path / f"gateway-{len(made)}", config, certs=certs, **options)
        made.append(fresh)
        if start:
            await fresh.run()
        return fresh

    yield start_one
    complaints = []
    for one in made:
        if one.died_unasked:
            complaints.append(f"ended by itself with {await one.wait()}:\n{one.log_text()[-2000:]}")
        if one.running:
            try:
                code = await one.stop()
            except TimeoutError:
                complaints.append(f"did not end on SIGTERM:\n{one.log_text()[-2000:]}")
            else:
                if code != 0:
                    complaints.append(f"ended with {code}:\n{one.log_text()[-2000:]}")
        leaked = one.seen_in_logs(sorted(canaries))
        if leaked:
            complaints.append(f"{len(leaked)} secret(s) in its log files")
    assert not complaints, "\n".join(complaints)
