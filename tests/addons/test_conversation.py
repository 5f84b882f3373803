"""A client of the fast door, without sockets: what is to be done with the bytes that it sends."""

from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.connection import Client

from addons import patience
from addons.actions import CLOSE, LEAVE, Action, HandOver
from addons.conversation import Conversation
from addons.fast_door import Call
from greyfox_core.config.schema import LimitsPart
from greyfox_core.http1.requests import RequestReader
from greyfox_core.values.http import Answer

GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
LIMITS = LimitsPart()


class Door:
    """Answers every request at once, on its head; `broken`: can open none."""

    def __init__(self, *, broken: bool = False) -> None:
        self.house = SimpleNamespace(app=object(), limits=LIMITS, watchman=patience.Watchman(lambda client, what: None))
        self.opened: list[Call] = []
        self.done: list[Call] = []
        self._broken = broken

    def reader(self) -> RequestReader:
        return RequestReader(LIMITS.max_head, LIMITS.max_body)

    def open(self, app: Any, client: Client, head: Any, tunnel: None) -> Call | None:
        if self._broken:
            return None
        exchange: Any = SimpleNamespace(answered=True, gone=False, answer=Answer(200, [], b""))
        self.opened.append(Call(app, client, exchange, to_head=False, close=not head.keep_alive))
        return self.opened[-1]

    def closed(self, call: Call) -> None:
        self.done.append(call)

    def gone(self, call: Call) -> None:
        call.exchange.gone = True


@pytest.fixture
def client() -> Client:
    return Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=0.0)


@pytest.fixture
def door() -> Door:
    return Door()


async def talk(door: Any, client: Client) -> Conversation:
    return Conversation(door, client, None, plain=True)


def statuses(actions: list[Action]) -> list[Any]:
    """The status of each answer; of other actions themselves."""
    return [int(action[9:12]) if isinstance(action, bytes) else action for action in actions]


async def test_each_request_that_was_answered_begins_the_wait_for_the_next_anew(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: now))
    conversation = await talk(door, client)
    for _ in range(3):
        list(conversation.receive(GET))
        assert conversation.patience.due == now + LIMITS.idle_timeout
        now += LIMITS.idle_timeout - 1
    await door.house.watchman.stop()


async def test_requests_that_come_together_are_answered_in_order(door: Door, client: Client) -> None:
    conversation = await talk(door, client)

    assert statuses(list(conversation.receive(GET + GET + GET[:10]))) == [200, 200]
    assert statuses(list(conversation.receive(GET[10:]))) == [200]
    assert door.done == door.opened
    await door.house.watchman.stop()


async def test_a_client_that_wants_no_more_is_closed(door: Door, client: Client) -> None:
    conversation = await talk(door, client)
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    assert statuses(list(conversation.receive(last + GET))) == [200, CLOSE]
    assert list(conversation.receive(GET)) == []
    await door.house.watchman.stop()


async def test_what_is_not_plainly_a_request_is_handed_over_behind_those_that_are(door: Door, client: Client) -> None:
    conversation = await talk(door, client)
    odd = b"GET / HTTP/1.0\r\nhost: x\r\n\r\n"

    first, second = conversation.receive(GET + odd)

    assert statuses([first]) == [200]
    assert second == HandOver(odd)
    await door.house.watchman.stop()


async def test_without_an_app_everything_is_handed_over(door: Door, client: Client) -> None:
    conversation = await talk(door, client)
    door.house.app = None

    assert list(conversation.receive(GET)) == [HandOver(GET)]
    await door.house.watchman.stop()


async def test_a_refusal_on_the_head_does_not_wait_for_the_body(door: Door, client: Client) -> None:
    conversation = await talk(door, client)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"

    assert statuses(list(conversation.receive(head + b"12345"))) == [200]
    assert conversation.patience.awaited is patience.Awaited.UNWANTED
    assert list(conversation.receive(b"67890")) == [CLOSE]
    await door.house.watchman.stop()


async def test_a_request_that_cannot_be_opened_is_refused_and_the_connection_left(client: Client) -> None:
    door = Door(broken=True)
    conversation = await talk(door, client)

    assert statuses(list(conversation.receive(GET + GET))) == [503, LEAVE]
    assert list(conversation.receive(GET)) == []
    await door.house.watchman.stop()
