"""The pooled client against a real server on loopback that behaves and misbehaves."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from greyfox_core.errors import UpstreamFailed, UpstreamTimeout
from greyfox_core.forwarding.client import NothingSent, UpstreamClient
from tests.kit.gateway import free_port
from tests.kit.scripted import EVENTS, Server, body_of, call, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    made = UpstreamClient()
    made.start()
    yield made
    await made.close()


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


@pytest.mark.parametrize("trusted", [True, False])
async def test_only_a_certificate_of_the_upstreams_own_ca_is_accepted(
    trusted: bool, client: UpstreamClient, tmp_path: Path
) -> None:
    ca, other, server = trustme.CA(), trustme.CA(), Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    (ca if trusted else other).cert_pem.write_to_path(str(ca_file))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        asked = call(port, url=f"https://127.0.0.1:{port}/", ca_file=ca_file)

        if trusted:
            assert await body_of(await client.open(asked)) == b"hello"
        else:
            with pytest.raises(NothingSent):
                await client.open(asked)
            assert server.heads == []
        await client.close()


async def test_an_upstream_with_a_certificate_for_another_name_gets_no_key(
    client: UpstreamClient, tmp_path: Path
) -> None:
    ca, server = trustme.CA(), Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("another.test").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    async with listening:
        port = listening.sockets[0].getsockname()[1]

        with pytest.raises(NothingSent):
            await client.open(call(port, url=f"https://127.0.0.1:{port}/", ca_file=ca_file))

        assert server.heads == []
