"""A house that is built and not started: its steps, its store, one key."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from greyfox_core.app import App
from greyfox_core.clock import ManualClock
from greyfox_core.http1.requests import Head, RequestReader
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import RequestHead, Way

UPSTREAM = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "upstream-secret"}
BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Tide?"}]}).encode()


class House:
    """`key` is a virtual key that its memory knows."""

    def __init__(self, app: App) -> None:
        assert app.first_key is not None
        self.app = app
        self.key = app.first_key.key

    def head(self, *fields: str, length: int = len(BODY)) -> Head:
        """As a client's head is read; with the key, unless a field says who calls."""
        mine = () if any("uthorization" in field for field in fields) else (f"Authorization: Bearer {self.key}",)
        lines = ("POST /v1/chat/completions HTTP/1.1", "Host: gateway", *mine, *fields, f"Content-Length: {length}")
        reader = RequestReader(32_768, 32_768)
        reader.feed("\r\n".join((*lines, "", "")).encode())
        head = reader.head()
        assert isinstance(head, Head)
        return head

    def opened(self, head: Head) -> Exchange:
        """The exchange of a head that is read for the first time; who calls is not decided."""
        request = RequestHead(head.method, head.path, head.query, head.fields, Way.BASE_URL, "", 0)
        return self.app.ingress.open(request, self.app.rules)

    def decided(self, head: Head) -> Exchange:
        """The same, with all that the head decides."""
        exchange = self.opened(head)
        assert self.app.serve.head(exchange, None, head.length, draining=False)
        return exchange


type Build = Callable[..., Awaitable[House]]


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    """`await build(routes=[…])`: parts of the configuration. Time stands still."""
    made: list[App] = []

    async def build(**parts: Any) -> House:
        file = tmp_path / "config.yaml"
        config = {"store": f"sqlite:///{tmp_path}/greyfox.db", "upstreams": {"openai": UPSTREAM}} | parts
        file.write_text(json.dumps(config))
        made.append(App.open(file, {}, tmp_path, ManualClock(datetime(2026, 11, 24, tzinfo=UTC))))
        house = House(made[-1])
        await house.app.store.changes()
        await house.app.identify(house.opened(house.head()), None)
        return house

    yield build
    for app in made:
        app.store.close()


@pytest.fixture
async def house(build: Build) -> House:
    return await build()
