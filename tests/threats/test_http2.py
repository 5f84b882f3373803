"""HTTP/2 frames that would become something else over HTTP/1 (T9, T10, B3), sent with prior knowledge."""

from collections.abc import AsyncIterator

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest

from tests.contract.house import House
from tests.threats.conftest import CHAT, CHAT_BODY
from tests.threats.wire import Wire, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

type Fields = list[tuple[str, str]]


def question(house: House, *, drop: str = "", **pseudo: str) -> Fields:
    """The fields of an ordinary question; `pseudo` replaces one of `:method`, `:scheme`, `:authority`, `:path`."""
    first = {"method": "POST", "scheme": "http", "authority": "gateway", "path": CHAT} | pseudo
    fields = [(f":{name}", value) for name, value in first.items() if name != drop]
    return [*fields, ("authorization", f"Bearer {house.keys['alice']}"), ("content-type", "application/json")]


async def statuses(house: House, fields: Fields, body: bytes = CHAT_BODY) -> list[str]:
    """What comes of it: statuses, `reset`, `gone`; the peer's checks are all that stands between, ours are off."""
    config = h2.config.H2Configuration(
        client_side=True,
        header_encoding="utf-8",
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    peer = h2.connection.H2Connection(config)
    peer.initiate_connection()
    peer.send_headers(1, fields)
    peer.send_data(1, body, end_stream=True)
    async with wire(house.gateway.port) as line:
        await line.send(peer.data_to_send())
        return [word async for word in _outcome(line, peer)]


async def _outcome(line: Wire, peer: h2.connection.H2Connection) -> AsyncIterator[str]:
    while data := await line.some():
        for event in peer.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                yield next(_text(value) for name, value in event.headers or () if _text(name) == ":status")
            if isinstance(event, h2.events.StreamReset):
                yield "reset"
            if isinstance(event, h2.events.ConnectionTerminated):
                yield "gone"
            if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated | h2.events.StreamEnded):
                return
    yield "closed"


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


ODD: dict[str, tuple[str, str]] = {
    "line-feed": ("x-a", "b\nx-c: d"),
    "line-ends": ("x-a", "b\r\nx-c: d"),
    "whole-request": ("x-a", "b\r\n\r\nPOST /v1/files HTTP/1.1\r\nhost: x\r\n\r\n"),
    "nul": ("x-a", "b\0c"),
    "upper-case": ("X-A", "b"),
    "line-end-in-name": ("x-a\r\nx-b", "c"),
    "space-in-name": ("x a", "b"),
    "colon-in-name": ("x:a", "b"),
    "empty-name": ("", "b"),
    "connection": ("connection", "close"),
    "keep-alive": ("keep-alive", "timeout=5"),
    "proxy-connection": ("proxy-connection", "keep-alive"),
    "transfer-encoding": ("transfer-encoding", "chunked"),
    "upgrade": ("upgrade", "websocket"),
    "te": ("te", "gzip"),
    "second-path": (":path", "/v1/files"),
    "second-method": (":method", "GET"),
    "second-authority": (":authority", "evil.test"),
    "unknown-pseudo": (":x", "y"),
    "wrong-length": ("content-length", "5"),
    "no-length": ("content-length", "+106"),
}


@pytest.mark.parametrize("field", [pytest.param(value, id=name) for name, value in ODD.items()])
@pytest.mark.usefixtures("untouched")
async def test_a_field_that_http2_forbids_ends_the_request(field: tuple[str, str], house: House) -> None:
    outcome = await statuses(house, [*question(house), field])

    assert outcome[0] in ("400", "413", "426", "reset", "gone", "closed")


@pytest.mark.parametrize("missing", ["method", "scheme", "path"])
@pytest.mark.usefixtures("untouched")
async def test_a_request_without_what_makes_it_one_is_ended(missing: str, house: House) -> None:
    outcome = await statuses(house, question(house, drop=missing))

    assert outcome[0] in ("400", "reset", "gone", "closed")


@pytest.mark.parametrize(
    ("pseudo", "expected"),
    [
        ({"path": "/v1//chat/completions"}, "404"),
        ({"path": "/v1/files"}, "404"),
        ({"path": "http://evil.test/v1/chat/completions"}, "404"),
        ({"path": "*", "method": "OPTIONS"}, "405"),
        ({"path": "v1/chat/completions"}, "404"),
        ({"path": ""}, "400"),
        ({"path": "/v1/chat/completions HTTP/1.1\r\nx: y"}, "400"),
        ({"method": "TRACE"}, "405"),
        ({"scheme": "ftp"}, "400"),
        ({"authority": "alice@x"}, "400"),
        ({"authority": "x/y"}, "400"),
    ],
)
@pytest.mark.usefixtures("untouched")
async def test_what_names_no_metered_path_is_refused(pseudo: dict[str, str], expected: str, house: House) -> None:
    (outcome,) = await statuses(house, question(house, **pseudo))

    assert outcome in (expected, "reset", "gone", "closed")


@pytest.mark.usefixtures("untouched")
async def test_connect_over_http2_opens_nothing(house: House) -> None:
    fields = [(":method", "CONNECT"), (":authority", "127.0.0.1:443")]

    (outcome,) = await statuses(house, [*fields, ("proxy-authorization", f"Bearer {house.keys['alice']}")], b"")

    assert outcome in ("400", "403", "404", "405", "reset", "gone", "closed")


@pytest.mark.parametrize(
    "more", [[(f"x-{number}", "y") for number in range(200)], [("x-long", "a" * 70_000)]], ids=["fields", "bytes"]
)
@pytest.mark.usefixtures("untouched")
async def test_a_head_beyond_measure_is_refused(more: Fields, house: House) -> None:
    outcome = await statuses(house, [*question(house), *more])

    assert outcome[0] in ("431", "reset", "gone", "closed")


async def test_an_ordinary_question_is_answered_whatever_host_it_names(house: House) -> None:
    house.provider.reset()

    outcome = await statuses(house, question(house, authority="evil.test"))

    assert outcome == ["200"]
    (entry,) = house.provider.requests
    assert entry.headers["host"] == f"127.0.0.1:{house.provider.port}"
    assert entry.body_bytes == CHAT_BODY
