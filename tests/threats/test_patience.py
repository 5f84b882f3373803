"""Clients that take their time (T25): a head or a body that trickles, a silent connection, a stream that nobody reads.

Each is ended after the time that `limits` gives it, leaves nothing reserved, and costs the others nothing.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contract.house import House
from tests.faults.scene import attempts, books_are_right, eventually
from tests.kit.provider import Behaviour, Gate
from tests.threats.conftest import CHAT, CHAT_BODY, Opens, chat
from tests.threats.wire import Reply, Wire, request, wire

SHORT = "300ms"
BODY = "1s"
WORDS = 40_000  # of a stream that is more than all buffers between it and its reader hold

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    limits = {"head_timeout": SHORT, "body_timeout": BODY, "idle_timeout": SHORT, "send_timeout": SHORT}
    quota = {"name": "day", "per": "user", "period": "day", "output_tokens": 10**9}
    async with opens(cache={"enabled": False}, quotas=[quota], limits=limits) as house:
        yield house


async def _trickle(line: Wire, data: bytes) -> None:
    """A byte every now and then, for as long as the other side takes them."""
    with contextlib.suppress(ConnectionError):
        for at in range(len(data)):
            await line.send(data[at : at + 1])
            await asyncio.sleep(0.1)


async def _last_words(line: Wire, data: bytes) -> Reply | None:
    """What the gateway says to somebody who goes on trickling `data`; then it has closed."""
    trickling = asyncio.create_task(_trickle(line, data))
    try:
        reply = await line.reply()
        assert await line.ended()
    finally:
        trickling.cancel()
        await asyncio.wait([trickling])
    return reply


@pytest.mark.usefixtures("untouched")
async def test_a_head_that_trickles_is_ended(house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(f"POST {CHAT} HTTP/1.1\r\nHost: gateway\r\n{bearer}\r\nX-Slow: ".encode())
        reply = await _last_words(line, b"a" * 1_000)

    assert reply is not None
    assert (reply.status, reply.code, reply.headers["connection"]) == (408, "greyfox_timeout", "close")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_that_trickles_is_ended_and_leaves_nothing_reserved(
    house: House, bearer: str, framing: str
) -> None:
    how = "Content-Length: 5000" if framing == "length" else "Transfer-Encoding: chunked"
    rows = len(house.gateway.ledger())
    async with wire(house.gateway.port) as line:
        await line.send(request("POST", CHAT, bearer, how) + (b"1000\r\n" if framing == "chunks" else b""))
        reply = await _last_words(line, CHAT_BODY * 10)

    assert reply is not None
    assert (reply.status, reply.code) == (408, "greyfox_timeout")
    await books_are_right(house.gateway)
    assert len(house.gateway.ledger()) == rows


@pytest.mark.usefixtures("untouched")
async def test_the_body_of_what_was_refused_may_not_trickle_either(house: House) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(request("POST", CHAT, "Authorization: Bearer gf_wrong", "Content-Length: 5000"))
        trickling = asyncio.create_task(_trickle(line, b"a" * 1_000))
        refused = await line.reply()
        assert refused is not None and refused.status == 401
        assert await line.ended()  # nothing is said twice
        trickling.cancel()
        await asyncio.wait([trickling])


async def test_a_slow_but_steady_body_passes(house: House, bearer: str) -> None:
    house.provider.reset()
    body = CHAT_BODY + b" " * 5_000
    async with wire(house.gateway.port) as line:
        await line.send(request("POST", CHAT, bearer, f"Content-Length: {len(body)}"))
        for at in range(0, len(body), 1_100):
            await line.send(body[at : at + 1_100])
            await asyncio.sleep(0.35)  # together longer than one KiB may take
        reply = await line.reply()

    assert reply is not None and reply.status == 200


async def test_a_connection_without_requests_is_closed_without_a_word(house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as silent, wire(house.gateway.port) as line:
        await line.send(chat(bearer))
        reply = await line.reply()
        assert reply is not None and reply.status == 200

        assert await line.ended()
        assert await silent.ended()


async def test_a_client_that_is_busy_is_not_idle(house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as line:
        for _ in range(25):  # together longer than a connection may be idle
            await line.send(chat(bearer))
            reply = await line.reply()
            assert reply is not None and reply.status == 200
            await asyncio.sleep(0.08)


async def test_an_answer_that_takes_long_is_waited_for(house: House, bearer: str) -> None:
    house.provider.reset()
    gate = Gate()
    house.provider.once(Behaviour(gate=gate))
    async with wire(house.gateway.port) as line:
        await line.send(chat(bearer))
        await gate.held()
        await asyncio.sleep(2.2)  # longer than a client may take for anything
        gate.release()
        reply = await line.reply()

    assert reply is not None and reply.status == 200


@pytest.mark.parametrize("inside", ["plain", "tls"])
async def test_a_client_that_does_not_read_its_stream_is_cut_and_settled(
    house: House, bearer: str, inside: str
) -> None:
    house.provider.reset()
    house.provider.once(Behaviour(output_tokens=WORDS))
    asked = chat(bearer, body=CHAT_BODY.replace(b'"max_tokens":20', b'"max_tokens":%d,"stream":true' % WORDS))
    before = len(attempts(house.gateway))
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", house.gateway.port))
        _, writer = await asyncio.open_connection(sock=small, limit=1_024)
        if inside == "tls":
            trust = ssl.create_default_context(cafile=str(house.gateway.ca_file))
            await writer.start_tls(trust, server_hostname="localhost")
        writer.write(asked)
        await eventually(lambda: len(attempts(house.gateway)) > before, what="it was not asked upstream")
        await books_are_right(house.gateway)  # nothing is open any more, though nobody has read or left
        row = attempts(house.gateway)[-1]
        assert (row["state"], row["outcome"]) == ("estimated", "cut-client")
        assert 0 < row["output_tokens"] < WORDS
        writer.transport.abort()


async def test_inside_tls_a_head_that_trickles_is_ended_too(house: House, bearer: str) -> None:
    trust = ssl.create_default_context(cafile=str(house.gateway.ca_file))
    async with wire(house.gateway.port) as line:
        await line.start_tls(trust, "localhost")
        await line.send(f"POST {CHAT} HTTP/1.1\r\nHost: gateway\r\n{bearer}\r\nX-Slow: ".encode())
        assert await line.ended()
