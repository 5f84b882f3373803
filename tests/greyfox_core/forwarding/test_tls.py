"""Over TLS nothing leaves before the upstream has shown its certificate, and a cut is never taken for an end."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from greyfox_core.errors import UpstreamFailed, UpstreamTimeout
from greyfox_core.forwarding.client import Call, NothingSent, UpstreamClient
from greyfox_core.forwarding.tls import Contexts
from tests.kit.scripted import EVENTS, Server, body_of, call, serving

LONG = 8_000_000


@contextlib.asynccontextmanager
async def secure(ca: trustme.CA, name: str = "127.0.0.1") -> AsyncIterator[Server]:
    """A server with a certificate of `ca` for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    async with serving(context) as server:
        yield server


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return file


def asked(server: Server, ca_file: Path | None, host: str = "127.0.0.1") -> Call:
    return call(server.port, url=f"https://{host}:{server.port}/", ca_file=ca_file)


async def test_a_certificate_of_the_upstreams_own_ca_is_accepted_and_its_connection_used_again(
    client: UpstreamClient, ca: trustme.CA, ca_file: Path
) -> None:
    async with secure(ca) as server:
        for _ in range(3):
            assert await body_of(await client.open(asked(server, ca_file))) == b"hello"

        assert server.connections == 1


async def test_the_server_is_told_which_name_is_meant(client: UpstreamClient, ca: trustme.CA, ca_file: Path) -> None:
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    context.set_servername_callback(lambda connection, name, _: names.append(name))
    async with serving(context) as server:
        assert await body_of(await client.open(asked(server, ca_file, "localhost"))) == b"hello"

    assert names == ["localhost"]


@pytest.mark.parametrize("known", ["other", "machine"])
async def test_another_cas_certificate_gets_no_key(
    client: UpstreamClient, ca: trustme.CA, tmp_path: Path, known: str
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    async with secure(ca) as server:
        with pytest.raises(NothingSent):
            await client.open(asked(server, other if known == "other" else None))

        assert server.heads == []


async def test_an_upstream_with_a_certificate_for_another_name_gets_no_key(
    client: UpstreamClient, ca: trustme.CA, ca_file: Path
) -> None:
    async with secure(ca, "another.test") as server:
        with pytest.raises(NothingSent):
            await client.open(asked(server, ca_file))

        assert server.heads == []


async def test_a_connection_is_not_shared_by_those_who_trust_others(
    client: UpstreamClient, ca: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    async with secure(ca) as server:
        assert await body_of(await client.open(asked(server, ca_file))) == b"hello"
        with pytest.raises(NothingSent):
            await client.open(asked(server, None))

        assert len(server.heads) == 1


@pytest.mark.parametrize("missing", [True, False])
async def test_a_ca_file_that_cannot_be_used_lets_nothing_out(
    client: UpstreamClient, ca: trustme.CA, tmp_path: Path, missing: bool
) -> None:
    file = tmp_path / "none.pem"
    if not missing:
        file.write_text("no certificate", encoding="ascii")
    async with secure(ca) as server:
        with pytest.raises(NothingSent):
            await client.open(asked(server, file))


async def test_a_server_that_speaks_no_tls_gets_nothing(client: UpstreamClient, ca_file: Path, server: Server) -> None:
    refused = call(server.port, url=f"https://127.0.0.1:{server.port}/", ca_file=ca_file, connect_timeout=0.1)

    with pytest.raises(NothingSent) as late:
        await client.open(refused)

    assert isinstance(late.value, UpstreamTimeout)
    assert server.heads == []


async def test_a_long_answer_comes_whole(client: UpstreamClient, ca: trustme.CA, ca_file: Path) -> None:
    async with secure(ca) as server:
        body = bytes(range(250)) * (LONG // 250)
        server.answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

        assert await body_of(await client.open(asked(server, ca_file)), LONG) == body
        assert await body_of(await client.open(asked(server, ca_file)), LONG) == body

        assert server.connections == 1


async def test_closing_an_unfinished_answer_tells_the_upstream(
    client: UpstreamClient, ca: trustme.CA, ca_file: Path
) -> None:
    async with secure(ca) as server:
        server.answer = EVENTS
        response = await client.open(asked(server, ca_file))
        assert await anext(response.pieces()) == b"hello"

        response.close()

        async with asyncio.timeout(10):
            await server.left.wait()


@pytest.mark.parametrize("said", [True, False])
async def test_an_answer_without_a_length_is_whole_only_where_the_server_says_that_it_ends(
    client: UpstreamClient, ca: trustme.CA, ca_file: Path, said: bool
) -> None:
    async with secure(ca) as server:
        server.answer = b"HTTP/1.1 200 OK\r\n\r\nhello"
        # Without a word TCP ends, as anybody on the way can make it end.
        server.after = lambda writer: writer.close() if said else writer.transport.abort()
        response = await client.open(asked(server, ca_file))

        if said:
            assert await body_of(response) == b"hello"
        else:
            with pytest.raises(UpstreamFailed):
                await body_of(response)


async def test_a_context_is_made_once_and_verifies() -> None:
    contexts = Contexts()
    made = await asyncio.gather(contexts.of(None), contexts.of(None))

    assert made[0] is made[1] is await contexts.of(None)
    assert made[0].check_hostname
    assert made[0].verify_mode is ssl.CERT_REQUIRED
