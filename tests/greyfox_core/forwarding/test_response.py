"""A body in pieces: at once where it has come, whole or a failure, and plain where it came compressed."""

import asyncio
import gzip

import pytest

from greyfox_core.errors import UpstreamFailed
from greyfox_core.forwarding.client import UpstreamClient
from tests.kit.scripted import EVENTS, Server, body_of, call

GZIP = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def test_a_body_that_came_with_its_head_is_read_without_waiting(server: Server, client: UpstreamClient) -> None:
    response = await client.open(call(server.port))

    with pytest.raises(StopIteration) as done:
        response.read(5).send(None)

    assert done.value.value == b"hello"


async def test_pieces_come_as_they_are_sent(server: Server, client: UpstreamClient) -> None:
    server.answer = EVENTS
    pieces = (await client.open(call(server.port))).pieces()
    for data in (b"one", b"two", b"three"):
        assert await anext(pieces) in (b"hello", b"one", b"two")
        server.writers[0].write(chunk(data))
    assert await anext(pieces) == b"three"
    server.writers[0].write(b"0\r\n\r\n")

    with pytest.raises(StopAsyncIteration):
        await anext(pieces)
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


async def test_a_reader_that_is_cancelled_can_be_followed_by_another(server: Server, client: UpstreamClient) -> None:
    server.answer = EVENTS
    response = await client.open(call(server.port))
    assert await anext(response.pieces()) == b"hello"
    reading = asyncio.create_task(response.read(100))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])

    server.writers[0].write(chunk(b"more") + b"0\r\n\r\n")

    assert await body_of(response) == b"more"


async def test_a_compressed_body_is_plain_in_its_pieces_and_the_head_says_how_it_came(
    server: Server, client: UpstreamClient
) -> None:
    packed = gzip.compress(b"hello")
    server.answer = GZIP + b"".join(chunk(packed[at : at + 3]) for at in range(0, len(packed), 3)) + b"0\r\n\r\n"

    response = await client.open(call(server.port))

    assert ("content-encoding", "gzip") in response.headers
    assert b"".join([piece async for piece in response.pieces()]) == b"hello"


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(b"hello")[:-3], b"hello", gzip.compress(b"hello") + b"junk"],
    ids=["cut", "plain", "junk-behind"],  # what is packed tells the time of it
)
async def test_a_compressed_body_that_is_not_whole_is_a_failure(
    server: Server, client: UpstreamClient, packed: bytes
) -> None:
    server.answer = GZIP + chunk(packed) + b"0\r\n\r\n"

    with pytest.raises(UpstreamFailed, match="broke off"):
        await body_of(await client.open(call(server.port)))


async def test_a_bomb_is_read_no_further_than_the_limit(server: Server, client: UpstreamClient) -> None:
    packed = gzip.compress(bytes(50_000_000))
    server.answer = GZIP + chunk(packed) + b"0\r\n\r\n"

    with pytest.raises(UpstreamFailed, match="longer than 100,000 bytes"):
        await body_of(await client.open(call(server.port)), 100_000)


async def test_a_body_in_an_unknown_coding_stays_as_it_is(server: Server, client: UpstreamClient) -> None:
    server.answer = GZIP.replace(b"gzip", b"x-own") + chunk(b"hello") + b"0\r\n\r\n"

    assert await body_of(await client.open(call(server.port))) == b"hello"


async def test_what_came_before_a_break_is_read_before_it_is_told(server: Server, client: UpstreamClient) -> None:
    server.answer = EVENTS
    server.after = lambda writer: writer.close()
    response = await client.open(call(server.port))
    async with asyncio.timeout(10):
        await server.left.wait()
    pieces = response.pieces()

    assert await anext(pieces) == b"hello"
    with pytest.raises(UpstreamFailed):
        await anext(pieces)
