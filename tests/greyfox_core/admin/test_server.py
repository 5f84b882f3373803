"""The admin listener over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from greyfox_core.admin.server import AdminServer
from greyfox_core.errors import ConfigError
from greyfox_core.metrics import CONTENT_TYPE, Metrics

Got = tuple[int, str, dict[str, str]]


class House:
    """A running listener and what it is told."""

    def __init__(self, server: AdminServer, reasons: list[str], metrics: Metrics) -> None:
        self.server = server
        self.reasons = reasons
        self.metrics = metrics

    async def ask(self, path: str, *, method: str = "GET", **headers: str) -> Got:
        host, port = self.server.address
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://{host}:{port}{path}", headers=headers) as answer,
        ):
            got = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, await answer.text(), got


@pytest.fixture
async def house() -> AsyncIterator[House]:
    reasons: list[str] = []
    metrics = Metrics()
    server = AdminServer("127.0.0.1:0", lambda: list(reasons), metrics, hosts=["greyfox.internal"])
    await server.start()
    yield House(server, reasons, metrics)
    await server.stop()


async def test_it_is_alive_whatever_else_is_wrong(house: House) -> None:
    house.reasons.append("the store does not answer")
    status, text, _ = await house.ask("/healthz")
    assert (status, text) == (200, "ok\n")


async def test_it_is_ready_or_says_why_not(house: House) -> None:
    status, text, _ = await house.ask("/readyz")
    assert (status, json.loads(text)) == (200, {"ready": True, "reasons": []})
    house.reasons.append("draining")
    status, text, _ = await house.ask("/readyz")
    assert (status, json.loads(text)) == (503, {"ready": False, "reasons": ["draining"]})


async def test_metrics_are_in_prometheus_text_format(house: House) -> None:
    house.metrics.in_flight(3)
    status, text, headers = await house.ask("/metrics")
    assert status == 200
    assert headers["content-type"] == CONTENT_TYPE
    assert "greyfox_requests_in_flight 3.0\n" in text


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("GET", "/", 404), ("GET", "/api/v1/keys", 404), ("GET", "/metrics/", 404), ("POST", "/metrics", 405)],
)
async def test_there_is_nothing_else(house: House, method: str, path: str, expected: int) -> None:
    status, _, _ = await house.ask(path, method=method)
    assert status == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8090", 200),
        ("localhost", 200),
        ("LOCALHOST:9999", 200),
        ("127.0.0.2", 200),
        ("[::1]:8090", 200),
        ("greyfox.internal:8090", 200),
        ("evil.example:8090", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.nip.io", 421),
        ("10.0.0.7:8090", 421),
        ("0x7f000001", 421),
        ("", 421),
    ],
)
async def test_only_its_own_names_are_answered(house: House, host: str, expected: int) -> None:
    status, text, _ = await house.ask("/healthz", Host=host)
    assert status == expected
    assert ("ok" in text) is (expected == 200)


async def test_a_foreign_name_learns_nothing_of_the_paths(house: House) -> None:
    assert (await house.ask("/nothing", Host="evil.example"))[0] == 421


@pytest.mark.parametrize("path", ["/healthz", "/nothing"])
async def test_every_answer_forbids_guessing_and_keeping(house: House, path: str) -> None:
    _, _, headers = await house.ask(path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


async def test_two_host_fields_must_both_be_its_own(house: House) -> None:
    reader, writer = await asyncio.open_connection(*house.server.address)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.split(b" ", 2)[1] in (b"400", b"421")


async def test_a_probe_that_names_no_host_is_answered(house: House) -> None:
    reader, writer = await asyncio.open_connection(*house.server.address)
    writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.split(b" ", 2)[1] == b"200"


async def test_a_listener_on_every_address_answers_to_addresses_but_not_to_foreign_names() -> None:
    server = AdminServer("0.0.0.0:0", list, Metrics())
    await server.start()
    port = server.address[1]
    async with aiohttp.ClientSession() as session:
        for host, expected in (("10.0.0.7", 200), ("evil.example", 421)):
            async with session.get(f"http://127.0.0.1:{port}/healthz", headers={"Host": host}) as answer:
                assert answer.status == expected
    await server.stop()


async def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: another program listens there.*admin\.listen"):
            await AdminServer(f"127.0.0.1:{port}", list, Metrics()).start()


async def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(ConfigError, match="no such address"):
        await AdminServer("192.0.2.1:0", list, Metrics()).start()


@pytest.mark.parametrize("listen", ["8090", ":8090", "localhost", "localhost:", "localhost:http", "localhost:70000"])
def test_an_address_that_cannot_be_read_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError, match="host:port"):
        AdminServer(listen, list, Metrics())


async def test_stopping_twice_or_unstarted_is_fine() -> None:
    server = AdminServer("127.0.0.1:0", list, Metrics())
    await server.stop()
    await server.start()
    await server.stop()
    await server.stop()
