"""Short ways to the values that the dialects' tests need."""

import json
from collections.abc import Iterator
from typing import Any

from greyfox_core.dialects.base import Dialect, StreamReader
from greyfox_core.dialects.paths import Served, classify
from greyfox_core.dialects.registry import Dialects
from greyfox_core.values.request import ParsedRequest
from tests.kit.provider.behaviour import SAMPLES

UPSTREAMS = {
    "openai": Served.of("openai", "https://api.openai.com/v1"),
    "groq": Served.of("openai", "https://api.groq.com/openai/v1", ("GET /files/*",)),
    "azure": Served.of("openai", "https://team.openai.azure.com/openai"),
    "anthropic": Served.of("anthropic", "https://api.anthropic.com"),
    "gemini": Served.of("gemini", "https://generativelanguage.googleapis.com"),
    "ollama": Served.of("ollama", "http://127.0.0.1:11434"),
}
CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
MESSAGES = "/v1/messages"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
OLLAMA_CHAT = "/api/chat"

LEAST: dict[str, dict[str, Any]] = {
    CHAT: {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]},
    RESPONSES: {"model": "gpt-5.4", "input": "Hello"},
    COMPLETIONS: {"model": "gpt-3.5-turbo-instruct", "prompt": "Hello"},
    EMBEDDINGS: {"model": "text-embedding-3-small", "input": "Hello"},
    MESSAGES: {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]},
    GENERATE: {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    STREAM: {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    OLLAMA_CHAT: {"model": "llama3", "messages": [{"role": "user", "content": "Hello"}]},
    "/api/embed": {"model": "nomic-embed-text", "input": "Hello"},
}
"""The smallest body of each path."""


def asked_raw(path: str, body: bytes, query: str = "") -> tuple[Dialect, ParsedRequest]:
    endpoint = classify("POST", path, query, (), prefix_upstreams=UPSTREAMS).endpoint
    dialect = Dialects().of(endpoint)
    return dialect, dialect.parse(endpoint, body, max_depth=64)


def asked(path: str, **changes: Any) -> tuple[Dialect, ParsedRequest]:
    """The path's dialect and its smallest request with these fields changed."""
    return asked_raw(path, json.dumps(LEAST.get(path, {}) | changes).encode())


def sent(path: str, *, model: str | None = None, cap: int | None = None, usage: bool = False, **changes: Any) -> Any:
    """What would go upstream: the parsed body, or None where the caller's own bytes do."""
    dialect, request = asked(path, **changes)
    body = dialect.prepare(
        request,
        model=request.model if model is None else model,
        output_cap=cap,
        cap_field="max_completion_tokens",
        ask_usage=usage,
    )
    return None if body is request.raw else json.loads(body)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def read_in(reader: StreamReader, pieces: list[bytes]) -> bytes:
    """Feeds the pieces; gives what the client got."""
    return b"".join([*(reader.feed(piece) for piece in pieces), reader.finish()])


def halves(data: bytes) -> Iterator[list[bytes]]:
    """Split once, at every place."""
    for at in range(len(data) + 1):
        yield [data[:at], data[at:]]


def each_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


RICH: dict[str, dict[str, Any]] = {
    CHAT: {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "be kind", "name": "n", "audio": None},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {"type": "file", "file": {"file_data": "AAAA"}},
                    {"type": "video_url", "video_url": {"url": "data:,AAAA"}},
                ],
            },
            {"role": "assistant", "tool_calls": [{"id": "i", "function": {"name": "f", "arguments": "{}"}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "modalities": ["text"],
        "response_format": {"type": "json_schema"},
        "prediction": {"type": "content", "content": "x"},
        "store": False,
    },
    RESPONSES: {
        "model": "gpt-5.4",
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "x"}],
            },
            {"type": "reasoning", "summary": [{"text": "s"}], "encrypted_content": "AAAA"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_data": "AA"}]},
        ],
        "instructions": "i",
        "tools": [{"type": "shell", "environment": {"type": "local"}}],
        "text": {"format": {"type": "text"}},
        "prompt": {"id": "p", "variables": {"v": "w"}},
        "store": False,
    },
    MESSAGES: {
        "model": "claude-opus-5",
        "max_tokens": 5,
        "system": [{"type": "text", "text": "x-anthropic-billing-header: a"}, {"type": "text", "text": "s"}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "data": "AAAA"},
                        "cache_control": {"type": "ephemeral"},
                    },
                    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "d"}]}},
                    {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}]},
                ],
            },
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
        ],
        "tools": [{"name": "f", "input_schema": {}}],
        "context_management": {"edits": [{"type": "clear"}]},
        "thinking": {"type": "enabled", "budget_tokens": 1},
    },
    GENERATE: {
        "contents": [
            {"role": "user", "parts": [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
        ],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "generationConfig": {"responseSchema": {}, "responseModalities": ["TEXT"], "mediaResolution": "x"},
    },
    OLLAMA_CHAT: {
        "model": "llama3",
        "messages": [
            {"role": "user", "content": "a", "images": ["AAAA"]},
            {"role": "assistant", "content": "b", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
        ],
        "tools": [{"type": "function"}],
        "format": {"type": "object"},
        "options": {"num_predict": 5, "num_gpu": 1},
        "context": [1],
        "system": "s",
    },
}
"""A body of each path with something of everything."""


def mutated(node: Any, junk: Any) -> Iterator[Any]:
    """Every copy of a JSON value in which one node is `junk`."""
    yield junk
    for at, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        for changed in mutated(inner, junk):
            copy = node.copy()
            copy[at] = changed
            yield copy
