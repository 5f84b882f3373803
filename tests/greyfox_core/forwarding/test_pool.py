"""Connections are used again where that is safe, and where it is not a request is not made twice."""

import asyncio
import socket

import pytest

from greyfox_core.errors import UpstreamFailed
from greyfox_core.forwarding.client import NothingSent, UpstreamClient
from tests.kit.scripted import EVENTS, OK, Server, body_of, call, serving


async def test_calls_at_the_same_time_have_connections_of_their_own_and_later_ones_share_them(
    server: Server, client: UpstreamClient
) -> None:
    server.answers.extend(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n%02d" % number for number in range(50))

    async def one(number: int) -> bytes:
        return await body_of(await client.open(call(server.port, f"/{number}")))

    bodies = await asyncio.gather(*(one(number) for number in range(50)))
    assert sorted(bodies) == [b"%02d" % number for number in range(50)]
    connections = server.connections
    assert connections <= 50

    for _ in range(50):
        assert await one(0) == b"hello"

    assert server.connections == connections


async def test_another_servers_connection_is_not_used(server: Server, client: UpstreamClient) -> None:
    async with serving() as other:
        await body_of(await client.open(call(server.port)))
        await body_of(await client.open(call(other.port)))

        assert (len(server.heads), len(other.heads)) == (1, 1)


async def test_an_answer_that_is_not_read_yet_does_not_hold_its_connection(
    server: Server, client: UpstreamClient
) -> None:
    first = await client.open(call(server.port))
    second = await client.open(call(server.port))
    first.close()

    assert (await body_of(first), await body_of(second)) == (b"hello", b"hello")
    assert server.connections == 1


async def test_what_the_server_has_closed_is_not_used_though_the_loop_has_not_seen_it(client: UpstreamClient) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        opening = asyncio.create_task(client.open(call(listener.getsockname()[1])))
        first, _ = await loop.sock_accept(listener)
        await loop.sock_recv(first, 10_000)
        await loop.sock_sendall(first, OK)
        await body_of(await opening)

        first.close()  # and at once, without a turn of the loop in between:
        opening = asyncio.create_task(
            client.open(call(listener.getsockname()[1], method="POST", body=b"x", first_byte_timeout=10.0))
        )
        second, _ = await loop.sock_accept(listener)
        await loop.sock_recv(second, 10_000)
        await loop.sock_sendall(second, OK)
        assert await body_of(await opening) == b"hello"
        second.close()


async def test_what_the_server_says_unasked_ends_the_connection(server: Server, client: UpstreamClient) -> None:
    await body_of(await client.open(call(server.port)))
    server.writers[0].write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
    async with asyncio.timeout(10):
        await server.left.wait()

    assert (await client.open(call(server.port))).status == 200
    assert server.connections == 2


def closing_at(server: Server, *numbers: int) -> None:
    """At these requests, counted from 0, the server closes without a byte."""
    server.answers.extend(b"" if number in numbers else OK for number in range(6))
    server.after = lambda writer: writer.close() if len(server.heads) - 1 in numbers else None


async def test_a_get_over_a_connection_that_turns_out_dead_is_made_once_more(
    server: Server, client: UpstreamClient
) -> None:
    closing_at(server, 1)
    for _ in range(2):
        assert await body_of(await client.open(call(server.port))) == b"hello"

    assert (len(server.heads), server.connections) == (3, 2)


async def test_a_get_is_not_made_a_third_time(server: Server, client: UpstreamClient) -> None:
    closing_at(server, 1, 2)
    await body_of(await client.open(call(server.port)))

    with pytest.raises(UpstreamFailed):
        await client.open(call(server.port))

    assert len(server.heads) == 3


async def test_a_get_that_has_an_answer_begun_is_not_made_again(server: Server, client: UpstreamClient) -> None:
    closing_at(server, 1)
    server.answers[1] = b"HTTP/1.1 2"
    await body_of(await client.open(call(server.port)))

    with pytest.raises(UpstreamFailed):
        await client.open(call(server.port))

    assert len(server.heads) == 2


async def test_a_post_is_never_made_again_and_may_have_been_billed(server: Server, client: UpstreamClient) -> None:
    closing_at(server, 1)
    await body_of(await client.open(call(server.port)))

    with pytest.raises(UpstreamFailed) as failed:
        await client.open(call(server.port, method="POST", body=b"{}"))

    assert not isinstance(failed.value, NothingSent)
    assert len(server.heads) == 2


async def test_a_client_that_closes_ends_every_connection(server: Server, client: UpstreamClient) -> None:
    await body_of(await client.open(call(server.port)))
    server.answer = EVENTS
    under_way = await client.open(call(server.port))
    pieces = under_way.pieces()
    assert await anext(pieces) == b"hello"

    await client.close()

    with pytest.raises(UpstreamFailed, match="broke off"):
        await anext(pieces)
    async with asyncio.timeout(10):
        await server.left.wait()
    with pytest.raises(NothingSent):
        await client.open(call(server.port))
