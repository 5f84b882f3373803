"""The pooled client against a real server on loopback that behaves and misbehaves."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import Iterator

import pytest

from greyfox_core.errors import UpstreamFailed, UpstreamTimeout
from greyfox_core.forwarding.client import NothingSent, UpstreamClient
from tests.kit.gateway import free_port
from tests.kit.scripted import EVENTS, Server, body_of, call


async def test_a_whole_answer_is_read_and_its_connection_used_again(server: Server, client: UpstreamClient) -> None:
    for _ in range(3):
        response = await client.open(call(server.port))
        assert (response.status, response.content_type) == (200, "text/plain")
        assert ("set-cookie", "a=b") in response.headers
        assert await response.read(5) == b"hello"
        response.close()

    assert server.connections == 1
    assert b"cookie" not in server.heads[1].lower()


async def test_nothing_is_added_to_the_head(server: Server, client: UpstreamClient) -> None:
    await body_of(await client.open(call(server.port, "/v1/a%2Fb?x=%41")))

    lines = server.heads[0].decode().split("\r\n")
    assert lines[0] == "GET /v1/a%2Fb?x=%41 HTTP/1.1"
    assert sorted(line.lower() for line in lines[1:] if line) == [
        "accept: x",
        f"host: 127.0.0.1:{server.port}",
        "x-twice: 1",
        "x-twice: 2",
    ]


async def test_a_redirect_is_an_answer(server: Server, client: UpstreamClient) -> None:
    server.answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"

    response = await client.open(call(server.port))
    response.close()

    assert response.status == 302
    assert len(server.heads) == 1


async def test_a_body_that_comes_compressed_is_read_plain(server: Server, client: UpstreamClient) -> None:
    packed = gzip.compress(b"hello")
    server.answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%s" % (len(packed), packed)

    assert await body_of(await client.open(call(server.port))) == b"hello"


async def test_an_answer_that_is_too_long_is_a_failure(server: Server, client: UpstreamClient) -> None:
    with pytest.raises(UpstreamFailed, match="longer than 4 bytes"):
        await body_of(await client.open(call(server.port)), 4)


async def test_closing_an_unfinished_answer_tells_the_upstream(server: Server, client: UpstreamClient) -> None:
    server.answer = EVENTS
    response = await client.open(call(server.port))
    assert await anext(response.pieces()) == b"hello"

    response.close()

    async with asyncio.timeout(10):
        await server.left.wait()


async def test_an_answer_that_breaks_off_is_a_failure_and_no_end(server: Server, client: UpstreamClient) -> None:
    server.answer = EVENTS
    server.after = lambda writer: writer.close()
    response = await client.open(call(server.port))
    pieces = response.pieces()

    assert await anext(pieces) == b"hello"
    with pytest.raises(UpstreamFailed, match="broke off"):
        await anext(pieces)
    response.close()


async def test_an_answer_that_stands_still_is_a_time_out(server: Server, client: UpstreamClient) -> None:
    server.answer = EVENTS
    response = await client.open(call(server.port, idle_timeout=0.05))
    pieces = response.pieces()

    assert await anext(pieces) == b"hello"
    with pytest.raises(UpstreamTimeout, match="sent nothing"):
        await anext(pieces)
    response.close()


async def test_a_head_that_does_not_come_is_a_time_out_of_something_that_was_sent(
    server: Server, client: UpstreamClient
) -> None:
    server.answer = b""

    with pytest.raises(UpstreamTimeout, match="did not begin to answer") as late:
        await client.open(call(server.port, first_byte_timeout=0.05))

    assert not isinstance(late.value, NothingSent)


async def test_a_connection_that_ends_before_the_head_may_have_been_billed(
    server: Server, client: UpstreamClient
) -> None:
    server.answer = b""
    server.after = lambda writer: writer.close()

    with pytest.raises(UpstreamFailed) as failed:
        await client.open(call(server.port, method="POST", body=b"{}"))

    assert not isinstance(failed.value, NothingSent)


async def test_where_nobody_listens_nothing_was_sent(client: UpstreamClient) -> None:
    with pytest.raises(NothingSent):
        await client.open(call(free_port()))


async def test_what_is_no_http_is_a_failure_that_quotes_nothing(server: Server, client: UpstreamClient) -> None:
    server.answer = b"secret garbage\r\n\r\n"

    with pytest.raises(UpstreamFailed) as failed:
        await client.open(call(server.port))

    assert "secret" not in failed.value.message


async def test_a_field_that_cannot_be_written_is_never_sent(server: Server, client: UpstreamClient) -> None:
    with pytest.raises(NothingSent):
        await client.open(call(server.port, headers=[("x-a", "b\r\nx-c: d")]))

    assert server.heads == []


async def test_a_client_that_is_not_started_sends_nothing() -> None:
    with pytest.raises(NothingSent):
        await UpstreamClient().open(call(1))


async def test_a_body_goes_out_as_it_is(server: Server, client: UpstreamClient) -> None:
    bodies = [b"{}", b"", bytes(1_000_000)]
    for body in bodies:
        assert await body_of(await client.open(call(server.port, method="POST", body=body))) == b"hello"

    assert server.bodies == bodies
    assert server.connections == 1


async def test_an_upstream_that_does_not_take_the_connection_is_a_time_out_and_got_nothing(
    client: UpstreamClient,
) -> None:
    with deaf() as port, pytest.raises(NothingSent, match=r"did not accept a connection in 0\.05 seconds") as late:
        await client.open(call(port, connect_timeout=0.05))

    assert isinstance(late.value, UpstreamTimeout)


async def test_a_caller_that_leaves_while_the_head_is_awaited_cuts_the_connection(
    server: Server, client: UpstreamClient
) -> None:
    server.answer = b"HTTP/1.1 200"
    opening = asyncio.create_task(client.open(call(server.port)))
    await server.asked.wait()

    opening.cancel()

    with pytest.raises(asyncio.CancelledError):
        await opening
    async with asyncio.timeout(10):
        await server.left.wait()


async def test_a_caller_that_leaves_while_connecting_leaves_nothing_behind(client: UpstreamClient) -> None:
    with deaf() as port:
        opening = asyncio.create_task(client.open(call(port)))
        for _ in range(5):
            await asyncio.sleep(0)

        opening.cancel()

        with pytest.raises(asyncio.CancelledError):
            await opening
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_answer_before_the_whole_request_is_an_answer(server: Server, client: UpstreamClient) -> None:
    server.reads_bodies = False
    server.answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"

    response = await client.open(call(server.port, method="POST", body=bytes(50_000_000)))

    assert response.status == 413
    assert await response.read(0) == b""
    async with asyncio.timeout(10):  # half a request cannot be followed by another
        await server.left.wait()


async def test_the_machines_proxy_is_not_asked(
    server: Server, client: UpstreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")

    assert await body_of(await client.open(call(server.port))) == b"hello"


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1/", "http://127.0.0.1:1/a b", "http://a:b@127.0.0.1/"])
async def test_a_url_that_cannot_be_asked_gets_nothing(client: UpstreamClient, url: str) -> None:
    with pytest.raises(NothingSent, match="could not be reached"):
        await client.open(call(1, url=url))


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """The port of a listener whose queue is full: a further connection hangs."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield int(port)
