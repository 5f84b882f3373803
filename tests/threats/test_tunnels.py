"""GreyFox is no open proxy (T11, T12, T32, B4-B7): who may have a tunnel, to where, and what goes on inside."""

import asyncio
import base64
import ssl
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import trustme

from tests.contract.house import House
from tests.kit.provider import Behaviour
from tests.threats.conftest import CHAT, CHAT_BODY, Listener, Opens, chat
from tests.threats.wire import Reply, Wire, request, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOVERNED = "api.openai.test"
SECRET = b"nobody in between reads this"


class TlsServer:
    """A server of somebody else's, with a certificate of its own: greets, then repeats what it hears."""

    def __init__(self) -> None:
        self.ca = trustme.CA()
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "TlsServer":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("localhost").configure_cert(context)
        self._server = await asyncio.start_server(self._echo, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello ")
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def friend() -> AsyncIterator[TlsServer]:
    async with TlsServer() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens, friend: TlsServer) -> AsyncIterator[House]:
    proxy = {"allow": [f"localhost:{friend.port}"], "shadow": "deny"}
    async with opens({"alice": {}, "bob": {}}, cache={"enabled": False}, proxy=proxy) as house:
        yield house


def basic(text: str) -> str:
    return "Proxy-Authorization: Basic " + base64.b64encode(text.encode()).decode()


def connect(house: House, authority: str, *fields: str) -> bytes:
    """CONNECT with alice's key, or with the given fields instead."""
    return request("CONNECT", authority, *(fields or (basic(f"alice:{house.keys['alice']}"),)), host=authority)


async def opened(line: Wire, house: House, authority: str, *fields: str) -> Reply:
    await line.send(connect(house, authority, *fields))
    reply = await line.reply(to_head=True)
    assert reply is not None
    return reply


def trusting(house: House) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(house.gateway.ca_file))
    context.check_hostname = False
    return context


async def refusal(house: House, data: bytes) -> Reply:
    async with wire(house.gateway.port) as line:
        await line.send(data)
        reply = await line.reply()
    assert reply is not None
    return reply


# --- who

WITHOUT_A_KEY = {
    "nothing": (),
    "empty": ("Proxy-Authorization:",),
    "basic-nothing": ("Proxy-Authorization: Basic",),
    "bad-base64": ("Proxy-Authorization: Basic !!!",),
    "no-colon": (basic("alice"),),
    "empty-password": (basic("alice:"),),
    "wrong-password": (basic("alice:gf_wrong"),),
    "digest": ('Proxy-Authorization: Digest username="alice"',),
    "bearer-nobody": ("Proxy-Authorization: Bearer gf_" + "A" * 43,),
    "for-the-upstream": ("Authorization: Bearer {key}",),
    "twice": (basic("alice:{key}"), basic("bob:{key}")),
}


@pytest.mark.parametrize("fields", [pytest.param(value, id=name) for name, value in WITHOUT_A_KEY.items()])
@pytest.mark.parametrize("where", ["listener", "governed", "friend"])
async def test_a_stranger_gets_no_tunnel_to_anywhere(
    fields: tuple[str, ...], where: str, house: House, friend: TlsServer, listener: Listener
) -> None:
    ports = {
        "listener": f"127.0.0.1:{listener.port}",
        "governed": f"{GOVERNED}:443",
        "friend": f"localhost:{friend.port}",
    }
    key = house.keys["alice"]
    presented = tuple(
        basic(f"alice:{key}") if "{" in field and "Basic" in field else field.format(key=key) for field in fields
    )
    data = request("CONNECT", ports[where], *presented, host=ports[where])

    reply = await refusal(house, data)

    assert (reply.status, reply.code) == (407, "greyfox_unauthenticated")
    assert reply.headers["proxy-authenticate"].startswith("Basic ")
    assert listener.connections == 0


@pytest.mark.parametrize("form", ["absolute", "origin"])
@pytest.mark.parametrize(
    "fields", [pytest.param(value, id=name) for name, value in WITHOUT_A_KEY.items() if name != "for-the-upstream"]
)
async def test_the_same_caller_is_407_to_a_proxy_and_401_to_a_server(
    fields: tuple[str, ...], form: str, house: House
) -> None:
    target = f"http://{GOVERNED}{CHAT}" if form == "absolute" else CHAT
    presented = [field.replace("{key}", house.keys["alice"]) for field in fields]

    reply = await refusal(house, request("POST", target, *presented, body=CHAT_BODY, host=GOVERNED))

    assert (reply.status, reply.code) == (407 if form == "absolute" else 401, "greyfox_unauthenticated")
    assert ("proxy-authenticate" in reply.headers) == (form == "absolute")


# --- where to

LOOPBACK = ["127.0.0.1", "localhost", "localhost.", "LOCALHOST", "127.1", "0", "0.0.0.0", "2130706433", "0x7f000001"]
LOOPBACK += ["0x7f.1", "017700000001", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "[fd00::1]", "[fe80::1]"]
PRIVATE += ["2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "224.0.0.1", "255.255.255.255", "[2002:7f00:1::]"]


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE])
async def test_no_spelling_of_a_private_address_is_reached(host: str, house: House) -> None:
    reply = await refusal(house, connect(house, f"{host}:443"))

    assert (reply.status, reply.code) == (403, "greyfox_forbidden")


@pytest.mark.parametrize("host", LOOPBACK)
async def test_a_port_on_this_machine_is_never_dialled(host: str, house: House, listener: Listener) -> None:
    reply = await refusal(house, connect(house, f"{host}:{listener.port}"))

    assert (reply.status, reply.code) == (403, "greyfox_forbidden")
    assert listener.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0"])
@pytest.mark.parametrize("port", ["own", "admin"])
async def test_the_gateways_own_ports_are_not_reached_through_it(host: str, port: str, house: House) -> None:
    number = house.gateway.port if port == "own" else house.gateway.admin_port

    reply = await refusal(house, connect(house, f"{host}:{number}"))

    assert (reply.status, reply.code) == (403, "greyfox_forbidden")


@pytest.mark.parametrize(
    "authority", ["1.1.1.1:22", "1.1.1.1:25", "1.1.1.1:80", "1.1.1.1:8443", "[2606:4700::1111]:22"]
)
async def test_a_public_address_is_reached_on_443_only(authority: str, house: House) -> None:
    reply = await refusal(house, connect(house, authority))

    assert (reply.status, reply.code) == (403, "greyfox_forbidden")


@pytest.mark.parametrize(
    "authority",
    ["", "x", "x:", "x:0", "x:99999", "x:443:1", ":443", "alice@x:443", "x:44 3", "/v1/models", "a" * 300 + ":443"],
)
async def test_a_goal_that_is_none_is_refused(authority: str, house: House) -> None:
    data = connect(house, authority).replace(f"Host: {authority}".encode(), b"Host: x")

    reply = await refusal(house, data)

    assert (reply.status, reply.code) in ((400, "greyfox_bad_request"), (403, "greyfox_forbidden"))


@pytest.mark.parametrize("host", ["api.mistral.ai", "API.Mistral.AI", "api.mistral.ai.", "mine.openai.azure.com"])
async def test_shadow_use_of_a_model_service_is_refused_and_recorded(host: str, house: House) -> None:
    reply = await refusal(house, connect(house, f"{host}:443"))

    assert (reply.status, reply.code) == (403, "greyfox_forbidden")
    assert host.lower().rstrip(".").encode() in reply.body
    assert f"shadow use: alice of {host.lower().rstrip('.')}" in house.gateway.log_text()


# --- what goes on inside


async def test_a_tunnel_to_an_allowed_host_passes_untouched(house: House, friend: TlsServer) -> None:
    trust = ssl.create_default_context()
    friend.ca.configure_trust(trust)

    async with wire(house.gateway.port) as line:
        assert (await opened(line, house, f"localhost:{friend.port}")).status == 200
        await line.start_tls(trust, "localhost")
        assert dict(field[0] for field in line.certificate["issuer"])["organizationName"].startswith("trustme")
        await line.send(SECRET)
        assert await line.exactly(6 + len(SECRET)) == b"hello " + SECRET

    assert SECRET.decode() not in house.gateway.log_text()


@pytest.mark.parametrize("name", [GOVERNED, "evil.test", None], ids=["same", "another-name", "no-name"])
@pytest.mark.parametrize("host", [GOVERNED, "evil.test", "127.0.0.1:{listener}"], ids=["host", "evil", "private"])
async def test_what_a_governed_tunnel_names_inside_changes_nothing_about_its_upstream(
    name: str | None, host: str, house: House, listener: Listener
) -> None:
    house.provider.reset()

    async with wire(house.gateway.port) as line:
        assert (await opened(line, house, f"{GOVERNED}:443")).status == 200
        await line.start_tls(trusting(house), name)
        await line.send(chat("Authorization: Bearer not-a-key", host=host.format(listener=listener.port)))
        reply = await line.reply()

    assert reply is not None
    assert (reply.status, reply.headers["x-greyfox-upstream"]) == (200, "openai")
    assert listener.connections == 0
    (entry,) = house.provider.requests
    assert entry.headers["host"] == f"127.0.0.1:{house.provider.port}"
    assert entry.headers["authorization"] == "Bearer upstream-secret-openai"


async def test_a_redirect_is_handed_back_and_never_followed(house: House, listener: Listener) -> None:
    house.provider.reset()
    away = {"location": f"http://127.0.0.1:{listener.port}/"}
    house.provider.once(Behaviour(status=307, headers=away))

    async with wire(house.gateway.port) as line:
        await line.send(chat(f"Authorization: Bearer {house.keys['alice']}"))
        reply = await line.reply()

    assert reply is not None
    assert reply.status == 307
    assert listener.connections == 0


async def test_plain_http_inside_a_governed_tunnel_is_governed_too(house: House) -> None:
    house.provider.reset()

    async with wire(house.gateway.port) as line:
        assert (await opened(line, house, f"{GOVERNED}:443")).status == 200
        await line.send(chat(host=GOVERNED))
        reply = await line.reply()

    assert reply is not None
    assert reply.status == 200
    row = await house.row(reply.headers["x-greyfox-request-id"])
    assert (row["user"], row["way"]) == ("alice", "tunnel")


HEARD = {
    "ssh": b"SSH-2.0-OpenSSH_9.9\r\n",
    "smtp": b"EHLO evil.test\r\n",
    "binary": bytes(range(256)),
    "nested-connect": request("CONNECT", "127.0.0.1:{port}", host="x"),
    "nested-absolute": request("GET", "http://127.0.0.1:{port}/", host="127.0.0.1:{port}"),
}


@pytest.mark.parametrize("data", [pytest.param(value, id=name) for name, value in HEARD.items()])
@pytest.mark.usefixtures("untouched")
async def test_what_is_no_question_inside_a_governed_tunnel_reaches_nobody(
    data: bytes, house: House, listener: Listener
) -> None:
    async with wire(house.gateway.port) as line:
        assert (await opened(line, house, f"{GOVERNED}:443")).status == 200
        await line.send(data.replace(b"{port}", str(listener.port).encode()))
        reply = await line.reply()

    assert reply is None or reply.status >= 400
    assert listener.connections == 0


@pytest.mark.usefixtures("untouched")
async def test_bytes_sent_before_the_tunnel_is_granted_do_not_slip_through(house: House, listener: Listener) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(
            connect(house, f"127.0.0.1:{listener.port}") + chat(f"Authorization: Bearer {house.keys['bob']}")
        )
        first = await line.reply()
        assert first is not None
        assert first.status == 403
        assert await line.ended()

    assert listener.connections == 0


async def test_a_caller_who_was_refused_may_try_again_on_the_same_connection(house: House) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(request("CONNECT", f"{GOVERNED}:443", host=GOVERNED))
        first = await line.reply()
        assert first is not None
        assert first.status == 407
        assert (await opened(line, house, f"{GOVERNED}:443")).status == 200


async def test_old_tls_is_not_spoken(house: House) -> None:
    context = trusting(house)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    async with wire(house.gateway.port) as line:
        assert (await opened(line, house, f"{GOVERNED}:443")).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await line.start_tls(context, GOVERNED)


@pytest.mark.usefixtures("untouched")
async def test_a_tunnel_of_bob_is_not_a_tunnel_of_alice(house: House) -> None:
    async with wire(house.gateway.port) as line:
        assert (await opened(line, house, f"{GOVERNED}:443", basic(f"bob:{house.keys['bob']}"))).status == 200
        await line.start_tls(trusting(house), GOVERNED)
        await line.send(chat(f"Authorization: Bearer {house.keys['alice']}", host=GOVERNED))
        reply = await line.reply()

    assert reply is not None
    assert (reply.status, reply.code) == (401, "greyfox_unauthenticated")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(opens: Opens) -> AsyncIterator[House]:
    proxy: dict[str, Any] = {"unknown_hosts": "deny", "allow": ["allowed.test", "10.0.0.0/8"]}
    async with opens(proxy=proxy) as house:
        yield house


@pytest.mark.parametrize("authority", ["example.test:443", "1.1.1.1:443", "10.0.0.1:443"])
async def test_where_unknown_hosts_are_denied_no_tunnel_leads_to_one(authority: str, strict: House) -> None:
    reply = await refusal(strict, connect(strict, authority))

    assert (reply.status, reply.code) == (403, "greyfox_forbidden")


async def test_where_unknown_hosts_are_denied_governed_ones_are_reached(strict: House) -> None:
    async with wire(strict.gateway.port) as line:
        assert (await opened(line, strict, f"{GOVERNED}:443")).status == 200
