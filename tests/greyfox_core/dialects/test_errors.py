"""Each official SDK raises its own typed error from our refusals, and reads our sentence and code in it."""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import anthropic
import httpx
import ollama
import openai
import pytest
from google import genai
from google.genai.errors import APIError, ClientError, ServerError

from greyfox_core import errors
from greyfox_core.dialects.errors import headers_for
from greyfox_core.dialects.registry import Dialects
from greyfox_core.errors import Refused
from tests.greyfox_core.dialects.asked import CHAT, MESSAGES, OLLAMA_CHAT, RESPONSES, STREAM, asked

SENTENCE = "Say something a person can act on."
HELLO: Any = [{"role": "user", "content": "Hello"}]
REFUSALS: list[type[Refused]] = [
    errors.Unauthenticated,
    errors.Forbidden,
    errors.BadRequest,
    errors.TooLarge,
    errors.Unsupported,
    errors.MethodNotAllowed,
    errors.NoRoute,
    errors.QuotaExhausted,
    errors.QuotaBusy,
    errors.RateLimited,
    errors.NotCached,
    errors.UpstreamFailed,
    errors.UpstreamTimeout,
    errors.Unavailable,
]
refusals = pytest.mark.parametrize("refusal", REFUSALS, ids=lambda kind: kind.__name__)


def http_of(sdk: Any) -> Any:
    """The HTTP library that an SDK is built on: httpx, or from some version on its successor."""
    bases = (base.__module__.partition(".")[0] for base in sdk.DefaultHttpxClient.__mro__)
    return import_module(next(base for base in bases if base.startswith("httpx")))


class Refusing:
    """A server that refuses every request in one dialect, and counts them."""

    def __init__(self, dialect: str, refusal: type[Refused], http: Any = httpx) -> None:
        self.http = http
        self.error = refusal(SENTENCE, retry_after=30, param="model")
        self.requests = 0
        self._body = Dialects().named(dialect).error_body(self.error, "gfr_1")

    def __call__(self, request: Any) -> Any:
        self.requests += 1
        return self.http.Response(self.error.status, headers=headers_for(self.error, "gfr_1"), content=self._body)

    def client(self) -> Any:
        return self.http.Client(transport=self.http.MockTransport(self))


@refusals
def test_openai(refusal: type[Refused]) -> None:
    server = Refusing("openai-chat", refusal, http_of(openai))
    with (
        openai.OpenAI(api_key="k", base_url="http://gf/v1", http_client=server.client(), max_retries=0) as client,
        pytest.raises(openai.APIStatusError) as raised,
    ):
        client.chat.completions.create(model="m", messages=HELLO)
    assert raised.value.status_code == refusal.status
    assert (raised.value.code, raised.value.param) == (refusal.code, "model")
    assert SENTENCE in str(raised.value)
    assert raised.value.request_id == "gfr_1"
    typed = {400: openai.BadRequestError, 401: openai.AuthenticationError, 403: openai.PermissionDeniedError}
    typed |= {404: openai.NotFoundError, 429: openai.RateLimitError}
    assert isinstance(raised.value, typed.get(refusal.status, openai.APIStatusError))
    assert (raised.value.type == "insufficient_quota") == (refusal is errors.QuotaExhausted)


@refusals
def test_anthropic(refusal: type[Refused]) -> None:
    server = Refusing("anthropic", refusal, http_of(anthropic))
    with (
        anthropic.Anthropic(api_key="k", base_url="http://gf", http_client=server.client(), max_retries=0) as client,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        client.messages.create(model="m", max_tokens=5, messages=HELLO)
    assert raised.value.status_code == refusal.status
    assert raised.value.request_id == "gfr_1"
    body: Any = raised.value.body
    assert (body["error"]["message"], body["error"]["details"]["error_code"]) == (SENTENCE, refusal.code)
    assert body["request_id"] == "gfr_1"
    assert isinstance(raised.value, anthropic.RateLimitError) == (refusal.status == 429)


@pytest.mark.parametrize("kind", [openai, anthropic], ids=["openai", "anthropic"])
@pytest.mark.parametrize("refusal", [errors.QuotaExhausted, errors.NotCached])
def test_what_another_try_cannot_change_is_not_tried_again(kind: Any, refusal: type[Refused]) -> None:
    server = Refusing(kind.__name__ if kind is anthropic else "openai-chat", refusal, http_of(kind))
    client: Any = getattr(kind, "OpenAI" if kind is openai else "Anthropic")
    with (
        client(api_key="k", base_url="http://gf/v1", http_client=server.client()) as asking,
        pytest.raises(kind.APIStatusError),
    ):
        if kind is openai:
            asking.chat.completions.create(model="m", messages=HELLO)
        else:
            asking.messages.create(model="m", max_tokens=5, messages=HELLO)
    assert server.requests == 1


@refusals
def test_gemini(refusal: type[Refused]) -> None:
    server = Refusing("gemini", refusal)
    options = genai.types.HttpOptions(base_url="http://gf", httpx_client=server.client())
    with genai.Client(api_key="k", http_options=options) as client, pytest.raises(APIError) as raised:
        client.models.generate_content(model="m", contents="Hello")
    assert isinstance(raised.value, ClientError if refusal.status < 500 else ServerError)
    assert (raised.value.code, raised.value.message) == (refusal.status, SENTENCE)
    info = raised.value.details["error"]["details"][0]
    assert (info["reason"], info["domain"], info["metadata"]) == (refusal.code, "greyfox", {"request_id": "gfr_1"})
    assert raised.value.status == {
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        429: "RESOURCE_EXHAUSTED",
        502: "UNAVAILABLE",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }.get(refusal.status, "INVALID_ARGUMENT")


@refusals
def test_ollama(refusal: type[Refused]) -> None:
    server = Refusing("ollama", refusal)
    client = ollama.Client(host="http://gf", transport=httpx.MockTransport(server))
    with pytest.raises(ollama.ResponseError) as raised:
        client.chat(model="m", messages=HELLO)
    client._client.close()
    assert (raised.value.error, raised.value.status_code) == (SENTENCE, refusal.status)
    error = server.error
    assert json.loads(Dialects().named("ollama").error_body(error, "gfr_1"))["code"] == refusal.code


def test_the_head_of_a_refusal() -> None:
    head = dict(headers_for(errors.QuotaExhausted(SENTENCE, retry_after=21600), "gfr_1"))
    assert head == {
        "content-type": "application/json",
        "x-greyfox-request-id": "gfr_1",
        "x-request-id": "gfr_1",
        "request-id": "gfr_1",
        "retry-after": "21600",
        "x-should-retry": "false",
    }
    for refusal in (errors.QuotaBusy, errors.RateLimited, errors.UpstreamTimeout, errors.BadRequest):
        assert "x-should-retry" not in dict(headers_for(refusal(SENTENCE), "gfr_1"))
    assert "retry-after" not in dict(headers_for(errors.Forbidden(SENTENCE), "gfr_1"))


# --- inside a stream --------------------------------------------------------------------------------


def streaming(path: str, content_type: str, begin: bytes, http: Any = httpx) -> Any:
    """A server whose stream breaks off with our in-stream error after `begin`."""
    dialect, request = asked(path, **({} if path == STREAM else {"stream": True}))
    reader = dialect.stream(request, content_type)
    begin = reader.feed(begin)
    tail = reader.cut(errors.UpstreamFailed(SENTENCE), "gfr_1")

    def pieces() -> Iterator[bytes]:
        yield begin
        yield tail

    answer = lambda request: http.Response(200, headers={"content-type": content_type}, content=pieces())  # noqa: E731
    return http.Client(transport=http.MockTransport(answer))


CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
)


def test_an_openai_stream_that_breaks_off_raises() -> None:
    http = streaming(CHAT, "text/event-stream", CHUNK, http_of(openai))
    with (
        openai.OpenAI(api_key="k", base_url="http://gf/v1", http_client=http) as client,
        client.chat.completions.create(model="m", messages=HELLO, stream=True) as stream,
        pytest.raises(openai.APIError, match=SENTENCE) as raised,
    ):
        list(stream)
    assert raised.value.code == "greyfox_upstream_failed"


def test_a_responses_stream_that_breaks_off_ends_in_a_failed_response() -> None:
    http = streaming(RESPONSES, "text/event-stream", b"", http_of(openai))
    with (
        openai.OpenAI(api_key="k", base_url="http://gf/v1", http_client=http) as client,
        client.responses.create(model="m", input="Hello", stream=True) as stream,
    ):
        last: Any = list(stream)[-1]
    assert (last.type, last.response.status) == ("response.failed", "failed")
    assert (last.response.error.code, last.response.error.message) == ("server_error", SENTENCE)


def test_an_anthropic_stream_that_breaks_off_raises() -> None:
    http = streaming(MESSAGES, "text/event-stream", b'event: ping\ndata: {"type":"ping"}\n\n', http_of(anthropic))
    with (
        anthropic.Anthropic(api_key="k", base_url="http://gf", http_client=http) as client,
        client.messages.create(model="m", max_tokens=5, messages=HELLO, stream=True) as stream,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        list(stream)
    body: Any = raised.value.body
    assert body["error"] == {
        "type": "api_error",
        "message": SENTENCE,
        "details": {"error_code": "greyfox_upstream_failed"},
    }


def test_a_gemini_stream_that_breaks_off_raises() -> None:
    http = streaming(
        STREAM, "text/event-stream", b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\r\n\r\n'
    )
    options = genai.types.HttpOptions(base_url="http://gf", httpx_client=http)
    with genai.Client(api_key="k", http_options=options) as client, pytest.raises(ServerError, match=SENTENCE):
        list(client.models.generate_content_stream(model="m", contents="Hello"))


def test_an_ollama_stream_that_breaks_off_raises() -> None:
    http = streaming(
        OLLAMA_CHAT, "application/x-ndjson", b'{"message":{"role":"assistant","content":"a"},"done":false}\n'
    )
    client = ollama.Client(host="http://gf", transport=http._transport)
    with pytest.raises(ollama.ResponseError, match=SENTENCE):
        list(client.chat(model="m", messages=HELLO, stream=True))
    client._client.close()
