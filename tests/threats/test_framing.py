"""Requests that two readers could cut at different places (T10, B1, B2, B14): refused, closed, nothing upstream."""

import asyncio
import contextlib

import pytest

from tests.contract.house import House
from tests.threats.conftest import CHAT, CHAT_BODY, ask, chat
from tests.threats.wire import request, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE = len(CHAT_BODY)
CHUNKED = b"Transfer-Encoding: chunked"
ONE_CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, CHAT_BODY)
LENGTH = b"Content-Length: %d" % SIZE


def head(*fields: bytes, version: bytes = b"1.1") -> bytes:
    """The start of a question; `{key}` stands for the credential."""
    lines = [b"POST %s HTTP/%s" % (CHAT.encode(), version), b"Host: gateway", b"Authorization: Bearer {key}", *fields]
    return b"\r\n".join([*lines, b"", b""])


LENGTHS = {
    "length-and-chunks": head(LENGTH, CHUNKED) + ONE_CHUNK,
    "chunks-and-length": head(CHUNKED, LENGTH) + ONE_CHUNK,
    "two-lengths": head(LENGTH, b"Content-Length: %d" % (SIZE + 1)) + CHAT_BODY,
    "the-same-length-twice": head(LENGTH, LENGTH) + CHAT_BODY,
    "a-list-of-lengths": head(b"Content-Length: %d, %d" % (SIZE, SIZE)) + CHAT_BODY,
    "plus": head(b"Content-Length: +%d" % SIZE) + CHAT_BODY,
    "minus": head(b"Content-Length: -1") + CHAT_BODY,
    "hexadecimal": head(b"Content-Length: 0x%x" % SIZE) + CHAT_BODY,
    "underscore": head(b"Content-Length: 1_0") + CHAT_BODY,
    "leading-zero": head(b"Content-Length: 0%d" % SIZE) + CHAT_BODY,
    "empty-length": head(b"Content-Length:") + CHAT_BODY,
}
CODINGS = {
    name: head(field) + ONE_CHUNK
    for name, field in {
        "unknown": b"Transfer-Encoding: xchunked",
        "gzip-first": b"Transfer-Encoding: gzip, chunked",
        "identity-last": b"Transfer-Encoding: chunked, identity",
        "quoted": b'Transfer-Encoding: "chunked"',
        "parameter": b"Transfer-Encoding: chunked;q=1",
        "vertical-tab": b"Transfer-Encoding: \x0bchunked",
        "no-break-space": b"Transfer-Encoding: \xa0chunked",
        "space-before-colon": b"Transfer-Encoding : chunked",
        "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "twice-differing": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "folded": b"Transfer-Encoding:\r\n chunked",
        "hidden-behind-a-line-feed": b"X: y\nTransfer-Encoding: chunked",
    }.items()
} | {"in-http-1.0": head(CHUNKED, version=b"1.0") + ONE_CHUNK}
CHUNKS = {
    name: head(CHUNKED) + body
    for name, body in {
        "enormous": b"FFFFFFFFF\r\n" + CHAT_BODY,
        "negative": b"-5\r\n" + CHAT_BODY,
        "prefixed": b"0x%x\r\n%s\r\n0\r\n\r\n" % (SIZE, CHAT_BODY),
        "no-size": b"\r\n" + CHAT_BODY,
        "space-after-size": b"%x \r\n%s\r\n0\r\n\r\n" % (SIZE, CHAT_BODY),
        "line-feeds-only": b"%x\n%s\n0\n\n" % (SIZE, CHAT_BODY),
        "line-feed-in-extension": b"%x;a\nb\r\n%s\r\n0\r\n\r\n" % (SIZE, CHAT_BODY),
        "too-short": b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE - 1, CHAT_BODY),
        "bad-end": b"%x\r\n%sXX0\r\n\r\n" % (SIZE, CHAT_BODY),
        "long-extension": b"%x;a=%s\r\n" % (SIZE, b"x" * 5000),
        "a-hundred-trailers": b"0\r\n" + b"a: b\r\n" * 101 + b"\r\n",
    }.items()
}
LINES = {
    "line-feeds-only": head(LENGTH).replace(b"\r\n", b"\n") + CHAT_BODY,
    "one-line-feed": head(b"X: a\nY: b", LENGTH) + CHAT_BODY,
    "carriage-return": head(b"X: a\rY: b", LENGTH) + CHAT_BODY,
    "folding": head(b"X: a\r\n b", LENGTH) + CHAT_BODY,
    "nul": head(b"X: a\0b", LENGTH) + CHAT_BODY,
    "nul-in-a-name": head(b"X\0: a", LENGTH) + CHAT_BODY,
    "space-in-a-name": head(b"X Y: a", LENGTH) + CHAT_BODY,
    "brackets-in-a-name": head(b"X(Y): a", LENGTH) + CHAT_BODY,
    "no-name": head(b": a", LENGTH) + CHAT_BODY,
    "no-colon": head(b"Authorization Bearer {key}", LENGTH) + CHAT_BODY,
    "backspace": head(b"X: a\x08b", LENGTH) + CHAT_BODY,
    "http-2.0": head(LENGTH, version=b"2.0") + CHAT_BODY,
    "http-1.2": head(LENGTH, version=b"1.2") + CHAT_BODY,
    "http-0.9": b"GET /v1/models\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.9\r\n",
    "binary": b"\x00\x01\x02\x03\r\n\r\n",
    "space-first": b" " + head(LENGTH) + CHAT_BODY,
    "two-spaces": head(LENGTH).replace(b"POST ", b"POST  ") + CHAT_BODY,
}


@pytest.mark.parametrize(
    "attack",
    [pytest.param(data, id=name) for table in (LENGTHS, CODINGS, CHUNKS, LINES) for name, data in table.items()],
)
@pytest.mark.usefixtures("untouched")
async def test_what_is_not_framed_beyond_doubt_is_refused_and_the_connection_closed(
    attack: bytes, house: House
) -> None:
    key = house.keys["alice"].encode()
    smuggled = request("POST", CHAT, f"Authorization: Bearer {house.keys['bob']}", body=CHAT_BODY)

    async with wire(house.gateway.port) as line:
        await line.send(attack.replace(b"{key}", key) + smuggled)
        reply = await line.reply()
        assert reply is not None
        assert (reply.status, reply.code) == (400, "greyfox_bad_request")
        assert key not in reply.body
        assert await line.ended(), "what follows was read as another request"


@pytest.mark.parametrize("pieces", [1, 7, 4096])
@pytest.mark.usefixtures("untouched")
async def test_a_head_that_is_too_long_is_refused_however_it_arrives(pieces: int, house: House, bearer: str) -> None:
    data = request("GET", "/v1/models", bearer, "X-Long: " + "a" * 40_000)

    async with wire(house.gateway.port) as line:
        answered = asyncio.create_task(line.reply())
        with contextlib.suppress(ConnectionError):  # refused before all of it was sent
            for start in range(0, len(data), len(data) // pieces + 1):
                await line.send(data[start : start + len(data) // pieces + 1])
                await asyncio.sleep(0)  # lets the answer in
        reply = await answered

    assert reply is not None
    assert (reply.status, reply.code) == (431, "greyfox_too_large")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request("GET", "/" + "a" * 65_536), id="line"),
        pytest.param(b"GET /" + b"a" * 65_536, id="line-without-end"),
        pytest.param(request("GET", "/v1/models", *[f"X-{number}: a" for number in range(200)]), id="fields"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200, id="fields-without-end"),
    ],
)
@pytest.mark.usefixtures("untouched")
async def test_a_line_or_a_number_of_fields_beyond_measure_is_refused(data: bytes, house: House) -> None:
    reply = await ask(house, data)

    assert reply is not None
    assert (reply.status, reply.code) == (431, "greyfox_too_large")


@pytest.mark.parametrize(
    "host", ["x/y", "x?y", "x#y", "alice@x", "x y", "x,y", "", "x:99999", "x:", "x\\y", "[::1", "x:abc", None]
)
@pytest.mark.usefixtures("untouched")
async def test_a_host_that_is_none_is_refused(host: str | None, house: House, bearer: str) -> None:
    reply = await ask(house, chat(bearer, host=host))

    assert reply is not None
    assert (reply.status, reply.code) == (400, "greyfox_bad_request")


@pytest.mark.parametrize("second", ["gateway", "evil.test"])
@pytest.mark.usefixtures("untouched")
async def test_two_hosts_are_refused(second: str, house: House, bearer: str) -> None:
    reply = await ask(house, chat(bearer, f"Host: {second}", host="gateway"))

    assert reply is not None
    assert (reply.status, reply.code) == (400, "greyfox_bad_request")


async def test_trailers_are_read_and_change_nothing(house: House, bearer: str) -> None:
    house.provider.reset()
    trailers = b"0\r\nAuthorization: Bearer other\r\nX-Late: yes\r\n\r\n"
    body = b"%x;note=1\r\n%s\r\n" % (SIZE, CHAT_BODY) + trailers

    async with wire(house.gateway.port) as line:
        for _ in range(2):  # the connection goes on
            await line.send(request("POST", CHAT, bearer, "Transfer-Encoding: chunked", "Trailer: X-Late") + body)
            reply = await line.reply()
            assert reply is not None
            assert reply.status == 200

    assert [entry.body_bytes for entry in house.provider.requests] == [CHAT_BODY] * 2
    assert not {"x-late", "trailer", "transfer-encoding"} & house.provider.requests[0].headers.keys()


async def test_requests_written_at_once_are_answered_in_their_order(house: House, bearer: str) -> None:
    house.provider.reset()
    first, second = chat(bearer), request("GET", "/v1/models", bearer)

    async with wire(house.gateway.port) as line:
        await line.send(first + b"\r\n" + second + first)  # an empty line between requests is none
        replies = [await line.reply() for _ in range(3)]

    assert [reply and reply.status for reply in replies] == [200, 200, 200]
    assert [entry.path for entry in house.provider.requests] == [CHAT, "/v1/models", CHAT]


@pytest.mark.usefixtures("untouched")
async def test_what_follows_a_doubtful_request_is_never_read(house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(request("GET", "/v1/nothing", bearer) + b"GET /v1/models HTTP/3.0\r\n\r\n" + chat(bearer))
        first, second = await line.reply(), await line.reply()
        assert first is not None and second is not None
        assert (first.status, second.status) == (404, 400)
        assert await line.ended()


async def test_http_1_0_gets_a_whole_answer_and_the_connection_closed(house: House, bearer: str) -> None:
    streamed = CHAT_BODY.replace(b'"max_tokens"', b'"stream":true,"max_tokens"')

    async with wire(house.gateway.port) as line:
        await line.send(chat(bearer, body=streamed, version="1.0"))
        reply = await line.reply()
        assert reply is not None
        assert reply.status == 200
        assert "transfer-encoding" not in reply.headers
        assert reply.body.endswith(b"data: [DONE]\n\n")
        assert await line.ended()


async def test_head_gets_a_head_and_no_body(house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(request("HEAD", "/v1/models", bearer))
        first = await line.reply(to_head=True)
        await line.send(request("GET", "/v1/models", bearer))  # read as an answer of its own: no body lay between
        second = await line.reply()

    assert first is not None and second is not None
    assert (first.status, second.status) == (200, 200)
    assert second.body


@pytest.mark.usefixtures("untouched")
async def test_a_caller_who_is_refused_need_not_send_the_body_that_it_announced(house: House) -> None:
    data = request("POST", CHAT, "Authorization: Bearer gf_wrong", "Expect: 100-continue", "Content-Length: 1000")

    async with wire(house.gateway.port) as line:
        await line.send(data)
        reply = await line.interim()

    assert reply is not None
    assert reply.status == 401  # and no 100 before it


async def test_a_caller_who_may_ask_is_told_to_go_on(house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(request("POST", CHAT, bearer, "Expect: 100-continue", f"Content-Length: {SIZE}"))
        go_on = await line.interim()
        await line.send(CHAT_BODY)
        reply = await line.reply()

    assert go_on is not None and reply is not None
    assert (go_on.status, reply.status) == (100, 200)
