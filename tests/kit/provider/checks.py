"""What the providers themselves refuse: a request that they would not take must not pass here either.

Source: the providers' API references (required fields, exclusive caps, versions).
"""

import re
from collections.abc import Mapping
from typing import Any

from tests.kit.provider.refusals import Refused

_REASONING_MODEL = re.compile(r"^(o\d|gpt-[5-9])")
_SAMPLING = ("temperature", "top_p", "top_k")
_NO_SAMPLING_SINCE = "2026-10-21"

_NEEDS = {
    ("openai", "chat"): ("model", "messages"),
    ("openai", "responses"): ("model", "input"),
    ("openai", "completions"): ("model", "prompt"),
    ("openai", "embeddings"): ("model", "input"),
    ("anthropic", "messages"): ("model", "max_tokens", "messages"),
    ("anthropic", "count_tokens"): ("model", "messages"),
    ("gemini", "generateContent"): ("contents",),
    ("gemini", "streamGenerateContent"): ("contents",),
    ("gemini", "embedContent"): ("content",),
    ("gemini", "batchEmbedContents"): ("requests",),
    ("ollama", "chat"): ("model",),
    ("ollama", "generate"): ("model",),
    ("ollama", "embed"): ("model", "input"),
    ("ollama", "embeddings"): ("model", "prompt"),
    ("ollama", "show"): ("model",),
}
_BODYLESS = frozenset({"models", "root", "tags", "ps", "version", "stored"})


def checked_body(
    dialect: str, endpoint: str, method: str, path_model: str, headers: Mapping[str, str], body: Any
) -> dict[str, Any]:
    """The JSON body of a request that this provider takes; {} for one that needs none. Raises Refused otherwise."""
    if endpoint in _BODYLESS:
        if method == "POST":
            raise Refused(dialect, 405, "Not allowed to POST here.")
        return {}
    if method != "POST":
        raise Refused(dialect, 405, f"Not allowed to {method} here.")
    if not isinstance(body, dict):
        raise Refused(dialect, 400, "We could not parse the JSON body of your request.")
    for name in _NEEDS.get((dialect, endpoint), ()):
        if name not in body and not (name == "model" and path_model):
            raise Refused(dialect, 400, f"Missing required parameter: '{name}'.", code="missing_parameter", param=name)
    if dialect == "openai":
        _check_openai(endpoint, path_model or str(body["model"]), body)
    if dialect == "anthropic":
        _check_anthropic(headers, body)
    return body


def _check_openai(endpoint: str, model: str, body: Mapping[str, Any]) -> None:
    if endpoint == "chat" and "max_tokens" in body:
        if "max_completion_tokens" in body:
            text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
            raise Refused("openai", 400, text, code="invalid_request_error", param="max_tokens")
        if _REASONING_MODEL.match(model):
            text = "Unsupported parameter: 'max_tokens' is not supported with this model."
            raise Refused("openai", 400, text, code="unsupported_parameter", param="max_tokens")
    if body.get("stream_options") and body.get("stream") is not True:
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refused("openai", 400, text, param="stream_options")
    cap = body.get("max_output_tokens")
    if endpoint == "responses" and cap is not None and (not isinstance(cap, int) or cap < 16):
        text = "Invalid 'max_output_tokens': expected a value >= 16."
        raise Refused("openai", 400, text, code="integer_below_min_value", param="max_output_tokens")


def _check_anthropic(headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
    version = headers.get("anthropic-version")
    if not version:
        raise Refused("anthropic", 400, "anthropic-version: header is required")
    if version >= _NO_SAMPLING_SINCE and (given := [name for name in _SAMPLING if name in body]):
        raise Refused("anthropic", 400, f"{given[0]}: not supported under anthropic-version {version}")
