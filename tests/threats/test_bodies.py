"""Bodies that are broken, too big, or mean two things (T4, T24, B8-B14): refused before any provider hears of them."""

import asyncio
import gzip
import json
import sys
import zlib
from collections.abc import AsyncIterator

import brotli
import orjson
import pytest
import pytest_asyncio

from tests.contract.house import House
from tests.threats.conftest import CHAT, CHAT_BODY, Opens, ask, chat
from tests.threats.wire import request, wire

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 262_144  # bytes, of this module's gateway
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Which tide?"}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    async with opens(cache={"enabled": False}, limits={"max_body": LIMIT, "max_ratio": 50}) as house:
        yield house


def nested(depth: int) -> bytes:
    return b'{"model":"gpt-4o","messages":' + b"[" * depth + b"]" * depth + b"}"


def question(**fields: object) -> bytes:
    return orjson.dumps(QUESTION | fields)


def cap(text: str, name: str = "max_tokens") -> bytes:
    """A question whose output cap is written exactly so."""
    return b"%s,%s}" % (orjson.dumps(QUESTION)[:-1], f'"{name}":{text}'.encode())


UNREADABLE = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"gpt-4o"',
    "number": b"1",
    "no-json": b"model=gpt-4o",
    "cut": CHAT_BODY[:-1],
    "followed": CHAT_BODY + b"x",
    "two": CHAT_BODY + CHAT_BODY,
    "byte-order-mark": b"\xef\xbb\xbf" + CHAT_BODY,
    "utf-16": CHAT_BODY.decode().encode("utf-16"),
    "latin-1": CHAT_BODY.replace(b"harbour", b"h\xe4rbour"),
    "lone-surrogate": CHAT_BODY.replace(b"harbour", b"\\ud800"),
    "nan": cap("NaN", "temperature"),
    "infinity": cap("Infinity", "temperature"),
    "control-character": CHAT_BODY.replace(b"harbour", b"\x01"),
    "model-twice": CHAT_BODY.replace(b"{", b'{"model":"gpt-4o-mini",', 1),
    "model-twice-escaped": CHAT_BODY.replace(b"{", b'{"mod\\u0065l":"gpt-4o-mini",', 1),
    "cap-twice": cap('5,"max_tokens":1000000'),
    "deep": nested(100_000),
    "deeper-than-allowed": nested(64),
    "million-digits": cap("1" * 200_000, "seed"),
    "twenty-digits": cap("12345678901234567890", "seed"),
}
WRONG = {
    "messages-null": question(messages=None),
    "messages-text": question(messages="Which tide?"),
    "messages-of-text": question(messages=["Which tide?"]),
    "stream-text": question(stream="true"),
    "stream-number": question(stream=1),
    "choices-zero": question(n=0),
    "choices-negative": question(n=-1),
    "choices-text": question(n="2"),
    "choices-half": question(n=1.5),
    "multipart": b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\ngpt-4o\r\n--x--\r\n',
}
CAPS = {
    "zero": cap("0"),
    "negative": cap("-1"),
    "text": cap('"5"'),
    "fraction": cap("1.5"),
    "huge-float": cap("1e309"),
    "float": cap("1e3"),
    "beyond-64-bits": cap("9223372036854775808"),
    "true": cap("true"),
    "two-fields": question(max_tokens=5, max_completion_tokens=500),
}
MODELS = {
    "missing": orjson.dumps({"messages": QUESTION["messages"]}),
    "null": question(model=None),
    "number": question(model=4),
    "list": question(model=["gpt-4o"]),
    "empty": question(model=""),
    "long": question(model="g" * 10_240),
    "path": question(model="../x"),
    "line": question(model="gpt-4o\n"),
    "encoded-line": question(model="gpt%0a"),
    "pattern": question(model="gpt-*"),
    "nul": question(model="gpt\0"),
}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body, id=f"{kind}-{name}")
        for kind, table in {"unreadable": UNREADABLE, "wrong": WRONG, "cap": CAPS, "model": MODELS}.items()
        for name, body in table.items()
    ],
)
@pytest.mark.usefixtures("untouched")
async def test_a_body_that_cannot_be_understood_is_refused(body: bytes, house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(chat(bearer, body=body))
        reply = await line.reply()
        assert reply is not None
        assert (reply.status, reply.code) == (400, "greyfox_bad_request")
        await line.send(request("GET", "/greyfox/me", bearer))  # the connection can be used further
        after = await line.reply()
        assert after is not None and after.status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", {"model": "gpt-4o", "input": 5}),
        ("/v1/responses", {"model": "gpt-4o", "input": "x", "max_output_tokens": 0}),
        ("/v1/completions", {"model": "gpt-4o", "prompt": {"a": 1}}),
        ("/v1/completions", {"model": "gpt-4o", "prompt": "x", "best_of": -1}),
        ("/v1/embeddings", {"model": "standin-embed", "input": None}),
        ("/v1/messages", {"model": "claude-sonnet-5-5", "messages": None, "max_tokens": 5}),
        ("/v1/messages", {"model": "claude-sonnet-5-5", "messages": [], "max_tokens": "5"}),
        ("/v1beta/models/gemini-3.8-flash:generateContent", {"contents": "x", "generationConfig": 5}),
        (
            "/v1beta/models/gemini-3.8-flash:generateContent",
            {"contents": [], "generationConfig": {"candidateCount": 0}},
        ),
        ("/v1beta/models/..%2fx:generateContent", {"contents": []}),
        ("/api/chat", {"model": "llama3", "messages": 5}),
        ("/api/generate", {"model": "llama3", "prompt": "x", "options": {"num_predict": 1.5}}),
        ("/api/generate", {"model": "llama3", "prompt": "x", "stream": "no"}),
    ],
)
@pytest.mark.usefixtures("untouched")
async def test_every_dialect_refuses_what_it_cannot_read(
    path: str, body: dict[str, object], house: House, bearer: str
) -> None:
    reply = await ask(house, request("POST", path, bearer, "anthropic-version: 2023-06-01", body=orjson.dumps(body)))

    assert reply is not None
    assert (reply.status, reply.code) in ((400, "greyfox_bad_request"), (404, "greyfox_no_route"))


@pytest.mark.usefixtures("untouched")
async def test_a_model_that_no_upstream_has_is_not_found(house: House, bearer: str) -> None:
    reply = await ask(house, chat(bearer, body=question(model="no-such-model")))

    assert reply is not None
    assert (reply.status, reply.code) == (404, "greyfox_no_route")


async def test_a_cap_that_is_null_names_none(house: House, bearer: str) -> None:
    house.provider.reset()

    reply = await ask(house, chat(bearer, body=question(max_tokens=None)))

    assert reply is not None
    assert reply.status == 200


async def test_an_image_is_passed_on_and_never_fetched(house: House, bearer: str) -> None:
    house.provider.reset()
    connections = []
    listening = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    async with listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/latest/meta-data"
        content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]

        reply = await ask(house, chat(bearer, body=question(messages=[{"role": "user", "content": content}])))

    assert reply is not None
    assert reply.status == 200
    assert house.provider.requests[0].body["messages"][0]["content"] == content
    assert connections == []


# --- size


@pytest.mark.usefixtures("untouched")
async def test_a_body_that_is_announced_too_long_is_refused_before_it_comes(house: House, bearer: str) -> None:
    async with wire(house.gateway.port) as line:
        await line.send(request("POST", CHAT, bearer, f"Content-Length: {LIMIT + 1}") + b"{")
        reply = await line.reply()

    assert reply is not None
    assert (reply.status, reply.code) == (413, "greyfox_too_large")


@pytest.mark.parametrize("announced", ["9" * 18, "9" * 40])
@pytest.mark.usefixtures("untouched")
async def test_a_length_beyond_all_measure_is_refused(announced: str, house: House, bearer: str) -> None:
    reply = await ask(house, request("POST", CHAT, bearer, f"Content-Length: {announced}"))

    assert reply is not None
    assert (reply.status, reply.code) == (413, "greyfox_too_large")


@pytest.mark.usefixtures("untouched")
async def test_a_body_that_grows_too_long_on_its_way_is_refused_before_its_end(house: House, bearer: str) -> None:
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"

    async with wire(house.gateway.port) as line:
        await line.send(request("POST", CHAT, bearer, "Transfer-Encoding: chunked"))
        for _ in range(LIMIT // 65_536 + 1):
            await line.send(chunk)
        reply = await line.reply()

    assert reply is not None
    assert (reply.status, reply.code) == (413, "greyfox_too_large")


# --- compression


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "GZip": gzip.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("encoding", PACKED)
async def test_a_compressed_question_arrives_plain(encoding: str, house: House, bearer: str) -> None:
    house.provider.reset()

    reply = await ask(house, chat(bearer, f"Content-Encoding: {encoding}", body=PACKED[encoding](CHAT_BODY)))

    assert reply is not None
    assert reply.status == 200
    (entry,) = house.provider.requests
    assert entry.body_bytes == CHAT_BODY
    assert "content-encoding" not in entry.headers


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("size", [LIMIT * 100, LIMIT + 1], ids=["bomb", "just-too-long"])
@pytest.mark.usefixtures("untouched")
async def test_a_bomb_is_not_blown_up(encoding: str, size: int, house: House, bearer: str) -> None:
    reply = await ask(house, chat(bearer, f"Content-Encoding: {encoding}", body=PACKED[encoding](b"0" * size)))

    assert reply is not None
    assert (reply.status, reply.code) == (413, "greyfox_too_large")


@pytest.mark.parametrize(
    "encoding", ["gzip, gzip", "gzip,br", "deflate, identity, gzip", "compress", "snappy", "zip", "*", "gzip;q=1"]
)
@pytest.mark.usefixtures("untouched")
async def test_an_encoding_that_is_unknown_or_doubled_is_refused(encoding: str, house: House, bearer: str) -> None:
    twice = gzip.compress(gzip.compress(CHAT_BODY))

    reply = await ask(house, chat(bearer, f"Content-Encoding: {encoding}", body=twice))

    assert reply is not None
    assert (reply.status, reply.code) == (415, "greyfox_unsupported")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("damage", ["plain", "cut", "followed", "empty"])
@pytest.mark.usefixtures("untouched")
async def test_an_encoding_that_does_not_fit_the_body_is_refused(
    encoding: str, damage: str, house: House, bearer: str
) -> None:
    packed = PACKED[encoding](CHAT_BODY)
    body = {"plain": CHAT_BODY, "cut": packed[:-5], "followed": packed + b"more", "empty": b""}[damage]

    reply = await ask(house, chat(bearer, f"Content-Encoding: {encoding}", body=body))

    assert reply is not None
    assert (reply.status, reply.code) == (400, "greyfox_bad_request")


async def test_two_encoding_fields_are_two_encodings(house: House, bearer: str) -> None:
    house.provider.reset()
    body = gzip.compress(gzip.compress(CHAT_BODY))

    reply = await ask(house, chat(bearer, "Content-Encoding: gzip", "Content-Encoding: gzip", body=body))

    assert reply is not None
    assert (reply.status, reply.code) == (415, "greyfox_unsupported")


async def test_the_bytes_that_were_understood_are_the_bytes_that_travel(house: House, bearer: str) -> None:
    house.provider.reset()
    odd = json.dumps(
        QUESTION | {"max_tokens": 7, "zebra": "ü \u2028 \\ud83d", "a": [1.10, 2e2, True]}, indent=3
    ).encode()

    reply = await ask(house, chat(bearer, body=odd))

    assert reply is not None
    assert reply.status == 200
    assert house.provider.requests[0].body_bytes == odd
