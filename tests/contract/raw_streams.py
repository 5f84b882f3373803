"""Whatever a client may write on an HTTP/1 connection: requests in good and bad form, in any pieces.

`KEY` stands for a virtual key and `NONCE` for a number that is new each time; both are put in by `filled`, with as many
bytes as they take here.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

KEY = b"gf_" + b"K" * 43
NONCE = b"00NONCE0"
BASIC = b"BASIC" + b"B" * 67  # of «alice:KEY», in base64
LONGEST_BODY = 2_000  # bytes that the gateways take

_WRONG = b"gf_" + b"x" * 43

type Stream = tuple[bytes, ...]
"""The segments of one connection."""


def filled(data: bytes, key: str, nonce: int) -> bytes:
    """What is sent to the gateway that knows this key."""
    basic = b64encode(f"alice:{key}".encode())
    assert (len(key), len(basic)) == (len(KEY), len(BASIC)), "a key has another length than KEY stands for"
    return data.replace(KEY, key.encode()).replace(BASIC, basic).replace(NONCE, b"%08d" % nonce)


def _mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual, but in one of twelve cases: most requests are to be good in most ways."""
    return st.integers(0, 11).flatmap(lambda draw: st.sampled_from(others) if draw == 0 else st.just(usual))


METHODS = _mostly(
    b"POST", b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PUT", b"TRACE", b"FOX", b"post", b"CONNECT", b"PATCH"
)
TARGETS = _mostly(
    b"/v1/chat/completions",
    b"/v1/chat/completions?key=" + KEY,
    b"/v1/chat/completions?a=b&key=" + _WRONG,
    b"/v1/v1/chat/completions",
    b"/v1//chat/completions",
    b"/v1/%63hat/completions",
    b"/v1/chat/completions/",
    b"/v1/chat/completions#a",
    b"/v1/chat/completions?\xe9",
    b"/openai/v1/chat/completions",
    b"/groq/openai/v1/chat/completions",
    b"/nobody/v1/chat/completions",
    b"/v1/messages",
    b"/v1/messages/count_tokens",
    b"/v1beta/models/gemini-3.8-flash:generateContent?key=" + KEY,
    b"/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse",
    b"/api/chat",
    b"/api/tags",
    b"/v1/models",
    b"/v1/files",
    b"/greyfox/me",
    b"/greyfox/connect",
    b"/greyfox/nothing",
    b"/",
    b"*",
    b"",
    b"/\xc3\xa9",
    b"//evil.test/v1/models",
    b"/../v1/models",
    b"http://api.openai.test/v1/chat/completions",
    b"http://user@api.openai.test/v1/models",
    b"http://evil.test/v1/models",
    b"api.openai.test:443",
)
VERSIONS = _mostly(b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.2", b" HTTP/2.0", b" HTTP/1.1 ", b" http/1.1", b"")
HOSTS = _mostly(
    (b"Host: gateway:8080",),
    (),
    (b"Host: gateway", b"Host: gateway"),
    (b"Host: gateway/evil",),
    (b"Host: evil.test",),
    (b"Host: api.openai.test",),
    (b"host:gateway",),
    (b"Host:",),
    (b"Host: gateway:99999",),
    (b"Host: [::1]:8080",),
    (b"Host : gateway",),
)
CREDENTIAL = st.sampled_from(
    (
        b"Authorization: Bearer " + KEY,
        b"x-api-key: " + KEY,
        b"X-Goog-Api-Key: " + KEY,
        b"Authorization: Basic " + BASIC,
        b"Proxy-Authorization: Basic " + BASIC,
        b"authorization: bearer  " + KEY,
        b"Authorization: " + KEY,
        b"Authorization: Bearer " + _WRONG,
        b"Authorization: Bearer sk-own-key",
        b"x-api-key: sk-ant-own-key",
        b"Authorization: Bearer a.b.c",
        b"Authorization: Bearer",
        b"Authorization: Bearer caf\xe9",
    )
)
CREDENTIALS = st.integers(0, 7).flatmap(
    lambda draw: st.lists(CREDENTIAL, max_size=2) if draw == 0 else st.just([b"Authorization: Bearer " + KEY])
)
FIELD = st.sampled_from(
    (
        b"Connection: close",
        b"Connection: Close",
        b"Connection: keep-alive, close",
        b"Connection: keep-alive",
        b"Connection: upgrade",
        b"Proxy-Connection: close",
        b"Keep-Alive: timeout=5",
        b"Upgrade: websocket",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
        b"Expect: 100-continue",
        b"Expect: 100-Continue",
        b"Expect: the-unexpected",
        b"Cache-Control: no-cache",
        b"Cache-Control: no-store",
        b"Cache-Control: only-if-cached",
        b"Cache-Control: max-age=60",
        b"X-GreyFox-Cache-Ttl: 5s",
        b"x-greyfox-cache-namespace: one",
        b"x-greyfox-cache-tags: a,b",
        b"x-greyfox-tags: project=search,repo=web",
        b"X-Greyfox-Request-Id: gfr_mine",
        b"Content-Type: application/json",
        b"Accept-Encoding: gzip, br",
        b"User-Agent: \xe9\xff",
        b"X-Empty:",
        b"X-Two:  a\t",
        b"Trailer: X-Sum",
        b"TE: trailers",
        b"Cookie: a=b",
        b" folded: x",
        b"bad name: x",
        b"X-Nul: \x00",
        b"X-Bare: a\nX-Injected: b",
        b"no colon",
        b": nameless",
        b"X-Long: " + b"a" * 500,
        b"Range: bytes=0-1",
        b"anthropic-version: 2023-06-01",
    )
)


def _chat(**more: Any) -> bytes:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"Tide {NONCE.decode()}?"}], "max_tokens": 20}
    return json.dumps(asked | more).encode()


BODIES = _mostly(
    _chat(),
    _chat(stream=True),
    _chat(stream=True, stream_options={"include_usage": True}),
    _chat(seed=7),
    _chat(n=2),
    _chat(model="no-such-model"),
    _chat(model="claude-sonnet-5-5"),
    _chat(model=None),
    _chat(messages=[]),
    _chat(messages="text"),
    _chat(max_tokens=-1),
    _chat(messages=[{"role": "user", "content": "x" * LONGEST_BODY}]),
    _chat(deep=json.loads("[" * 40 + "]" * 40)),
    _chat()[:-1] + b', "model": "gpt-4"}',
    _chat()[:-5],
    b"",
    b"null",
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"[" * 300,
    b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n",
)


def _compressed(coding: bytes, body: bytes) -> tuple[tuple[bytes, ...], bytes]:
    match coding:
        case b"gzip":
            return (b"Content-Encoding: gzip",), gzip.compress(body, mtime=0)
        case b"broken":
            return (b"Content-Encoding: gzip",), gzip.compress(body, mtime=0)[:-9]
        case b"twice":
            return (b"Content-Encoding: gzip, gzip",), gzip.compress(gzip.compress(body, mtime=0), mtime=0)
        case b"bomb":
            return (b"Content-Encoding: gzip",), gzip.compress(b" " * 100_000, mtime=0)
        case b"unknown":
            return (b"Content-Encoding: rot13",), body
        case _:
            return (), body


def _in_chunks(body: bytes, sizes: Iterable[int], extension: bytes, trailers: bytes) -> bytes:
    framed, at = b"", 0
    for size in (*sizes, len(body)):
        piece, at = body[at : at + size], at + size
        framed += b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) if piece else b""
    return framed + b"0\r\n" + trailers + b"\r\n"


@st.composite
def framed(draw: st.DrawFn, body: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """The fields that tell where the body ends, and its bytes."""
    length = b"Content-Length: %d"
    match draw(st.sampled_from(("length", "length", "length", "length", "chunked", "chunked", "wrong", "none"))):
        case "length":
            return (length % len(body),), body
        case "chunked":
            field = draw(
                _mostly(b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked", b"Transfer-Encoding: xchunked")
            )
            sizes = draw(st.lists(st.integers(1, 80), max_size=4))
            extension = draw(_mostly(b"", b";a=b", b' ; a="b"', b";" + b"x" * 5_000, b"\x00", b" "))
            trailers = draw(
                _mostly(b"", b"X-Sum: 1\r\n", b"Authorization: Bearer " + KEY + b"\r\n", b"\n", b"x\r\n" * 101)
            )
            return (field,), _in_chunks(body, sizes, extension, trailers)
        case "wrong":
            fields = draw(
                st.sampled_from(
                    (
                        (length % (len(body) + 3),),
                        (length % max(0, len(body) - 3),),
                        (length % len(body), length % len(body)),
                        (length % len(body), length % (len(body) + 1)),
                        (length % len(body), b"Transfer-Encoding: chunked"),
                        (b"Content-Length: +5",),
                        (b"Content-Length: 5, 5",),
                        (b"Content-Length: -1",),
                        (b"Content-Length: 0x5",),
                        (b"Content-Length: 05",),
                        (b"Content-Length: 99999999999999999999",),
                        (b"Content-Length:",),
                        (b"Content-Length : 5",),
                        (b"Transfer-Encoding: gzip, chunked",),
                        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
                        (b"Transfer-Encoding: identity",),
                    )
                )
            )
            return fields, body
        case _:
            return (), draw(st.sampled_from((b"", body)))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request, mostly a good one."""
    method = draw(METHODS)
    bodiless = method in (b"GET", b"HEAD", b"OPTIONS") and draw(st.integers(0, 3)) > 0
    body = b"" if bodiless else draw(BODIES)
    coded, body = _compressed(draw(_mostly(b"", b"", b"", b"gzip", b"broken", b"twice", b"bomb", b"unknown")), body)
    lengths, sent = ((), b"") if bodiless else draw(framed(body))
    fields = [
        *draw(HOSTS),
        *draw(CREDENTIALS),
        *draw(st.lists(FIELD, max_size=draw(st.sampled_from((0, 0, 1, 1, 2, 5))))),
        *coded,
        *lengths,
    ]
    line = method + draw(_mostly(b" ", b"  ", b"\t")) + draw(TARGETS) + draw(VERSIONS)
    end: bytes = draw(_mostly(b"\r\n", b"\r\n", b"\r\n", b"\n"))
    return end.join((line, *fields, b"", b"")) + sent


GARBAGE = st.sampled_from(
    (b"\r\n", b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x\r\n", b"PRI * HTTP/2.0\r\n\r\n", b"\x00", b" ")
)


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """All that one client sends, and how it is cut."""
    data = b""
    for _ in range(draw(st.integers(1, 4))):
        data += draw(GARBAGE) if draw(st.integers(0, 19)) == 0 else draw(requests())
    for _ in range(draw(st.sampled_from((0, 0, 0, 0, 0, 1, 1, 3)))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        put = draw(st.sampled_from((b"", b"\r\n", b"\n", b" ", b"\x00", b"A", b":", b"\xff", b"0")))
        data = data[:at] + put + data[at + draw(st.integers(0, 2)) :]
    cuts = sorted(
        {0, len(data), *(cut for cut in draw(st.lists(st.integers(1, 1_500), max_size=4)) if cut < len(data))}
    )
    return tuple(data[start:end] for start, end in pairwise(cuts))
