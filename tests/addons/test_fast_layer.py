"""One connection of the fast door, over a socket. What both doors have in common is asked of both elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract.house import House, open_house
from tests.faults.scene import books_are_right, eventually
from tests.kit.gateway import DOOR
from tests.kit.provider import Behaviour, Gate
from tests.threats.conftest import CHAT_BODY, chat
from tests.threats.wire import request, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["fast", "flow"])
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certs: Path
) -> AsyncIterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DOOR, request.param)
        async with open_house(tmp_path_factory.mktemp("house"), certs, cache={"enabled": False}) as house:
            yield house


@pytest.fixture
def bearer(house: House) -> str:
    house.provider.reset()
    return f"Authorization: Bearer {house.keys['alice']}"


def numbered(n: int) -> bytes:
    return CHAT_BODY.replace(b"Whitby", b"Whitby%03d" % n)


async def test_requests_that_come_at_once_are_answered_in_their_order(house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(b"".join(chat(bearer, body=numbered(n)) for n in range(20)))
        replies = [await line.reply() for _ in range(20)]

    assert [reply.status for reply in replies if reply] == [200] * 20
    assert [entry.body_bytes for entry in house.provider.requests] == [numbered(n) for n in range(20)]


async def test_a_client_that_only_sends_is_read_no_further_and_loses_nothing(house: House, bearer: str) -> None:
    gate = Gate()
    house.provider.once(Behaviour(gate=gate))
    padded = [numbered(n) + b" " * 20_000 for n in range(30)]
    async with wire(house.gateway.port) as line:
        sending = asyncio.ensure_future(line.send(b"".join(chat(bearer, body=body) for body in padded)))
        await gate.held()
        gate.release()
        replies = [await line.reply() for _ in padded]
        await sending

    assert [reply.status for reply in replies if reply] == [200] * len(padded)
    assert [entry.body_bytes.rstrip() for entry in house.provider.requests] == [body.rstrip() for body in padded]


async def test_what_is_not_for_this_door_changes_nothing_about_what_follows(house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as line:
        statuses = []
        for data in (
            chat(bearer),
            request("OPTIONS", "*", bearer),
            chat(bearer),
            request("GET", "/v1/models", bearer, "Connection: upgrade", "Upgrade: websocket"),
            chat(bearer),
        ):
            await line.send(data)
            reply = await line.reply()
            assert reply is not None
            statuses.append(reply.status)

    assert statuses == [200, 405, 200, 426, 200]


@pytest.mark.parametrize("where", ["head", "chunks"])
async def test_last_words_are_heard_though_more_was_sent(house: House, bearer: str, where: str) -> None:
    """Bytes that nobody has read would make the kernel reset the connection, and take the answer back."""
    if where == "head":
        bad = b"GET / HTTP/1.1\r\nHost: gateway\r\nX-Bad: \x00\r\n\r\n"
    else:
        bad = request("POST", "/v1/chat/completions", bearer, "Transfer-Encoding: chunked") + b"no size\r\n"
    async with wire(house.gateway.port) as line:
        await line.send(bad + b"a" * 300_000)
        for _ in range(20):
            await line.send(b"a" * 10_000)  # fails where the connection was reset
        reply = await line.reply()

    assert reply is not None
    assert (reply.status, reply.headers["connection"]) == (400, "close")


async def test_a_client_that_leaves_while_others_wait_behind_it_ends_all_it_asked_for(
    house: House, bearer: str
) -> None:
    gate = Gate()
    house.provider.once(Behaviour(gate=gate))
    async with wire(house.gateway.port) as line:
        await line.send(chat(bearer) * 3)
        await gate.held()
    await eventually(lambda: house.provider.requests[0].dropped_by_client, what="the upstream is still being asked")
    await books_are_right(house.gateway)

    assert len(house.provider.requests) == 1
    gate.release()


async def test_a_connection_that_is_given_up_while_more_arrives_is_closed(house: House, bearer: str) -> None:
    both = request("POST", "/v1/chat/completions", bearer, "Transfer-Encoding: chunked", body=CHAT_BODY)

    async def given_up() -> bool:
        async with wire(house.gateway.port) as line:
            await line.send(both)
            await asyncio.sleep(0.0015)  # so that it comes while the refusal is under way, for some of them
            await line.send(chat(bearer))
            refused = await line.reply()
            return refused is not None and refused.status == 400 and await line.ended()

    for _ in range(5):
        assert all(await asyncio.gather(*(given_up() for _ in range(20))))
