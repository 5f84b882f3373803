"""Which path is whose, what is metered, and what never leaves under a shared key."""

import pytest

from greyfox_core.dialects.paths import Served, classify, classify_at, guess_dialect
from greyfox_core.errors import MethodNotAllowed, NoRoute, UpgradeRequired
from greyfox_core.values.endpoint import Access
from greyfox_core.values.http import Headers
from tests.greyfox_core.dialects.asked import UPSTREAMS

GEMINI_KEY: Headers = (("x-goog-api-key", "k"),)
ANTHROPIC_VERSION: Headers = (("anthropic-version", "2023-06-01"),)


def found(line: str, headers: Headers = ()) -> str:
    """`METHOD path?query` as `upstream dialect operation access path model`."""
    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    classified = classify(method, path, query, headers, prefix_upstreams=UPSTREAMS)
    endpoint = classified.endpoint
    words = (classified.upstream, endpoint.dialect, endpoint.operation, endpoint.access, endpoint.path, endpoint.model)
    return " ".join(str(word or "-") for word in words)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("POST /v1/chat/completions", "- openai-chat generate metered /chat/completions -"),
        ("POST /chat/completions", "- openai-chat generate metered /chat/completions -"),
        ("POST /v1/v1/chat/completions", "- openai-chat generate metered /chat/completions -"),
        ("POST /v1/responses", "- openai-responses generate metered /responses -"),
        ("POST /v1/responses/compact", "- openai-responses compact metered /responses/compact -"),
        ("POST /v1/responses/input_tokens", "- openai-responses count free /responses/input_tokens -"),
        ("POST /v1/decisions", "- openai-responses decide metered /decisions -"),
        ("POST /v1/completions", "- openai-completions generate metered /completions -"),
        ("POST /v1/embeddings", "- openai-embeddings embed metered /embeddings -"),
        ("POST /v1/moderations", "- openai-chat moderate free /moderations -"),
        ("GET /v1/models", "- openai-chat models free /models -"),
        ("GET /v1/models/ft:gpt-4o:team::x", "- openai-chat model free /models/{model} ft:gpt-4o:team::x"),
        ("POST /v1/messages", "- anthropic generate metered /v1/messages -"),
        ("POST /v1/messages?beta=true", "- anthropic generate metered /v1/messages -"),
        ("POST /v1/v1/messages", "- anthropic generate metered /v1/messages -"),
        ("POST /messages", "- anthropic generate metered /v1/messages -"),
        ("POST /v1/messages/count_tokens", "- anthropic count free /v1/messages/count_tokens -"),
        (
            "POST /v1beta/models/gemini-2.5-flash:generateContent",
            "- gemini generate metered /v1beta/models/{model}:generateContent gemini-2.5-flash",
        ),
        (
            "POST /v1/models/g:streamGenerateContent?alt=sse",
            "- gemini stream metered /v1/models/{model}:streamGenerateContent g",
        ),
        ("POST /v1alpha/models/g:embedContent", "- gemini embed metered /v1alpha/models/{model}:embedContent g"),
        (
            "POST /v1beta/models/g:batchEmbedContents",
            "- gemini batch-embed metered /v1beta/models/{model}:batchEmbedContents g",
        ),
        ("POST /v1beta/models/g:countTokens", "- gemini count free /v1beta/models/{model}:countTokens g"),
        ("POST /v1/v1beta/models/g%3AcountTokens", "- gemini count free /v1beta/models/{model}:countTokens g"),
        ("GET /v1beta/models", "- gemini models free /v1beta/models -"),
        ("GET /v1beta/models/gemini-2.5-flash", "- gemini model free /v1beta/models/{model} gemini-2.5-flash"),
        ("POST /api/chat", "- ollama chat metered /api/chat -"),
        ("POST /api/generate", "- ollama generate metered /api/generate -"),
        ("POST /api/embed", "- ollama embed metered /api/embed -"),
        ("GET /api/tags", "- ollama tags free /api/tags -"),
        ("GET /api/ps", "- ollama ps free /api/ps -"),
        ("GET /api/version", "- ollama version free /api/version -"),
        ("POST /api/show", "- ollama show free /api/show -"),
    ],
)
def test_a_base_url_path_tells_its_api(line: str, expected: str) -> None:
    assert found(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("POST /openai/v1/chat/completions", "openai openai-chat generate metered /chat/completions -"),
        ("POST /openai/chat/completions", "openai openai-chat generate metered /chat/completions -"),
        ("POST /openai/responses", "openai openai-responses generate metered /responses -"),
        ("POST /groq/openai/v1/chat/completions", "groq openai-chat generate metered /chat/completions -"),
        ("POST /groq/v1/chat/completions", "groq openai-chat generate metered /chat/completions -"),
        ("POST /anthropic/v1/messages", "anthropic anthropic generate metered /v1/messages -"),
        (
            "POST /gemini/v1beta/models/g:generateContent",
            "gemini gemini generate metered /v1beta/models/{model}:generateContent g",
        ),
        ("POST /ollama/api/chat", "ollama ollama chat metered /api/chat -"),
        ("GET /anthropic/v1/models", "anthropic anthropic models free /v1/models -"),
        ("HEAD /anthropic", "anthropic anthropic probe local / -"),
        ("GET /groq/openai/v1/files/a%20b", "groq openai-chat allowed free /files/a%20b -"),
    ],
)
def test_a_prefix_names_the_upstream(line: str, expected: str) -> None:
    assert found(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "POST /openai/deployments/sea/chat/completions?api-version=2024-10-21",
            "azure openai-chat generate metered /deployments/{model}/chat/completions sea",
        ),
        (
            "POST /azure/openai/deployments/sea/embeddings?api-version=1",
            "azure openai-embeddings embed metered /deployments/{model}/embeddings sea",
        ),
        ("POST /openai/responses?api-version=1", "azure openai-responses generate metered /responses -"),
        ("POST /azure/openai/v1/responses", "azure openai-responses generate metered /v1/responses -"),
    ],
)
def test_azures_paths_go_to_azure_and_not_to_the_upstream_named_openai(line: str, expected: str) -> None:
    assert found(line) == expected


def test_azures_paths_are_refused_where_no_upstream_is_azure() -> None:
    with pytest.raises(NoRoute, match="Azure"):
        classify(
            "POST", "/openai/deployments/d/chat/completions", "", (), prefix_upstreams={"openai": UPSTREAMS["openai"]}
        )


def test_googles_openai_paths_go_to_the_upstream_that_has_them() -> None:
    with pytest.raises(NoRoute, match="base_url"):
        found("POST /v1beta/openai/chat/completions")
    google = {"g": Served.of("openai", "https://generativelanguage.googleapis.com/v1beta/openai/")}
    classified = classify("POST", "/v1beta/openai/chat/completions", "", (), prefix_upstreams=google)
    assert (classified.upstream, classified.endpoint.path) == ("g", "/chat/completions")


@pytest.mark.parametrize(
    ("line", "headers", "dialect"),
    [
        ("GET /v1/models", (), "openai-chat"),
        ("GET /v1/models", ANTHROPIC_VERSION, "anthropic"),
        ("GET /v1/models/x", ANTHROPIC_VERSION, "anthropic"),
        ("GET /v1/models", GEMINI_KEY, "gemini"),
        ("GET /v1/models", (("x-goog-api-client", "sdk"),), "gemini"),
        ("GET /v1/models/x?key=k", (), "gemini"),
        ("GET /v1/models?monkey=k", (), "openai-chat"),
        ("HEAD /", ANTHROPIC_VERSION, "anthropic"),
        ("HEAD /", (), "openai-chat"),
    ],
)
def test_the_credentials_header_decides_shared_paths(line: str, headers: Headers, dialect: str) -> None:
    assert found(line, headers).split()[1] == dialect


@pytest.mark.parametrize("line", ["HEAD /", "HEAD /api/hello", "GET /api/hello"])
def test_probes_are_answered_here(line: str) -> None:
    assert f" probe {Access.LOCAL} " in found(line)


@pytest.mark.parametrize(
    "line",
    [
        "POST /v1/batches",
        "POST /openai/v1/batches",
        "POST /v1/realtime/sessions",
        "GET /v1/files",
        "POST /v1/images/generations",
        "POST /v1/audio/transcriptions",
        "GET /v1/responses/resp_1",
        "GET /v1/chat/completions/chatcmpl-1",
        "POST /v1/messages/batches",
        "POST /v1beta/cachedContents",
        "POST /v1beta/interactions",
        "POST /v1beta/models/g:predict",
        "POST /v1/models/g:batchGenerateContent",
        "POST /api/pull",
        "DELETE /api/delete",
        "POST /api/embeddings",
        "POST /ollama/v1/chat/completions",
    ],
)
def test_known_paths_whose_tokens_cannot_be_held_are_refused_with_a_reason(line: str) -> None:
    with pytest.raises(NoRoute, match=r"is not metered by GreyFox and is refused: \w+"):
        found(line)


@pytest.mark.parametrize(
    "line",
    [
        "GET /",
        "GET /nothing",
        "POST /nobody/v1/chat/completions",
        "GET /api/event_logging/batch",
        "POST /anthropic/v1/chat/completions",
        "POST /V1/chat/completions",
        "POST /v1/Chat/completions",
        "POST /v1/v1/v1/chat/completions",
        "GET /openai/v1/files/1",
    ],
)
def test_unknown_paths_are_refused(line: str) -> None:
    with pytest.raises(NoRoute):
        found(line)


@pytest.mark.parametrize(
    "path",
    [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/x/../chat/completions",
        "/v1/./chat/completions",
        "/v1/%2e%2e/v1/chat/completions",
        "/v1%2fchat/completions",
        "/v1%5cchat/completions",
        "/v1\\chat/completions",
        "/v1/chat/completions;a",
        "/v1/chat/completions%3Ba",
        "/v1/chat/completions%00",
        "/v1/chat/completions%0a",
        "/v1/chat/completions%252e",
        "/v1/chat/completions%ff",
        "/v1/chat/completions%3Fx",
        "v1/chat/completions",
        "",
        "*",
    ],
)
def test_a_path_has_one_spelling(path: str) -> None:
    with pytest.raises(NoRoute, match="one spelling"):
        classify("POST", path, "", (), prefix_upstreams=UPSTREAMS)


@pytest.mark.parametrize(
    "line",
    ["GET /v1/chat/completions", "DELETE /v1/models/x", "PUT /v1/messages", "OPTIONS /v1/embeddings", "POST /api/tags"],
)
def test_another_method_on_a_known_path_says_which_one(line: str) -> None:
    with pytest.raises(MethodNotAllowed, match=r"takes (POST|GET and HEAD), not "):
        found(line)


def test_websockets_are_refused() -> None:
    with pytest.raises(UpgradeRequired):
        found("GET /v1/responses", (("connection", "Upgrade"), ("upgrade", "WebSocket")))
    with pytest.raises(UpgradeRequired):
        classify_at("GET", "/v1/realtime", "", (("upgrade", "websocket"),), "openai", UPSTREAMS["openai"])


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("openai", "/v1/chat/completions", "/chat/completions"),
        ("groq", "/openai/v1/chat/completions", "/chat/completions"),
        ("azure", "/openai/deployments/d/chat/completions", "/deployments/{model}/chat/completions"),
        ("azure", "/openai/v1/chat/completions", "/v1/chat/completions"),
        ("anthropic", "/v1/messages", "/v1/messages"),
        ("gemini", "/v1beta/models/g:generateContent", "/v1beta/models/{model}:generateContent"),
        ("ollama", "/api/chat", "/api/chat"),
    ],
)
def test_an_intercepted_hosts_paths_are_the_providers_own(name: str, path: str, expected: str) -> None:
    classified = classify_at("POST", path, "", (), name, UPSTREAMS[name])
    assert (classified.upstream, classified.endpoint.path) == (name, expected)


def test_what_the_operator_allows_is_free_but_never_instead_of_metering() -> None:
    served = Served.of("openai", "https://x/v1", ("POST /chat/completions", "POST /audio/*"))
    metered = classify_at("POST", "/v1/chat/completions", "", (), "x", served).endpoint
    assert metered.access == Access.METERED
    allowed = classify_at("POST", "/v1/audio/speech", "", (), "x", served).endpoint
    assert (allowed.access, allowed.path) == (Access.FREE, "/audio/speech")
    with pytest.raises(NoRoute):
        classify_at("GET", "/v1/audio/speech", "", (), "x", served)
    assert found("GET /v1/files/1").startswith("groq ")  # without a prefix: whoever allows it


@pytest.mark.parametrize(
    ("path", "headers", "dialect"),
    [
        ("/v1/nothing", (), "openai-chat"),
        ("/", (), "openai-chat"),
        ("", (), "openai-chat"),
        ("//", GEMINI_KEY, "gemini"),
        ("/v1/messages/batches", (), "anthropic"),
        ("/v1/files", ANTHROPIC_VERSION, "anthropic"),
        ("/v1beta/nothing", (), "gemini"),
        ("/api/pull", (), "ollama"),
    ],
)
def test_a_refusal_speaks_the_callers_dialect(path: str, headers: Headers, dialect: str) -> None:
    assert guess_dialect(path, "", headers) == dialect
    assert guess_dialect(path, "", headers, api="ollama") == "ollama"
