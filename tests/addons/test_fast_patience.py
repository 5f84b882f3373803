"""A connection of the fast door that is used is not idle, however quickly its requests are answered."""

from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.connection import Client
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.events import DataReceived, Start

from addons import patience
from addons.fast_door import Call
from addons.fast_layer import FastLayer
from greyfox_core.config.schema import LimitsPart
from greyfox_core.http1.requests import RequestReader
from greyfox_core.values.http import Answer

REQUEST = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
LIMITS = LimitsPart()


class Door:
    """Answers at once."""

    def __init__(self) -> None:
        self.house = SimpleNamespace(app=object(), limits=LIMITS)
        self.watchman = patience.Watchman()

    def reader(self) -> RequestReader:
        return RequestReader(LIMITS.max_head, LIMITS.max_body)

    def open(self, app: Any, client: Client, head: Any, tunnel: None) -> Call:
        exchange: Any = SimpleNamespace(answered=True, gone=False, answer=Answer(200, [], b""))
        return Call(app, client, exchange, to_head=False, close=False)

    def closed(self, call: Call) -> None:
        pass


async def test_each_request_that_was_answered_begins_the_wait_for_the_next_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: now))
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=0.0)
    door: Any = Door()
    layer = FastLayer(Context(client, Options()), door, None)
    list(layer.handle_event(Start()))
    for _ in range(3):
        list(layer.handle_event(DataReceived(client, REQUEST)))
        assert layer._patience.due == now + LIMITS.idle_timeout
        now += LIMITS.idle_timeout - 1
    await door.watchman.stop()
