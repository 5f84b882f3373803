"""Refusals in each API's own form, so that every official SDK raises its own typed error.

Source: the error classes of the official SDKs (openai, anthropic, google-genai, ollama) and the APIs' error pages.
GreyFox's code is in `error.code` (OpenAI), `error.details.error_code` (Anthropic), the ErrorInfo's `reason`
(Gemini) and a sibling `code` (Ollama, whose `error` must be a plain string).
"""

from typing import Any

import orjson

from greyfox_core.errors import QuotaExhausted, Refused

OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    407: "authentication_error",
    429: "rate_limit_error",
}
ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    407: "authentication_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
GEMINI_STATUS = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    407: "UNAUTHENTICATED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def headers_for(error: Refused, request_id: str) -> list[tuple[str, str]]:
    """The head of a refusal. openai reads `x-request-id`, anthropic `request-id`.

    `x-should-retry: false` stops the SDKs of OpenAI and Anthropic, which would else sleep until `retry-after`, or
    repeat a request for a stored answer that is not there.
    """
    headers = [
        ("content-type", "application/json"),
        ("x-greyfox-request-id", request_id),
        ("x-request-id", request_id),
        ("request-id", request_id),
    ]
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(0, error.retry_after))))
    if error.status in (429, 504) and not error.retryable:
        headers.append(("x-should-retry", "false"))
    return headers


def openai_error(error: Refused) -> bytes:
    """`{"error": {message, type, param, code}}`."""
    return orjson.dumps({"error": _openai_fields(error)})


def openai_event(error: Refused) -> bytes:
    """In a chat or completions stream: the SDK raises `openai.APIError` on a chunk with `error`."""
    return b"data: " + openai_error(error) + b"\n\n"


def responses_event(error: Refused, request_id: str, sequence_number: int = 0) -> bytes:
    """In a responses stream: a failed response, since the SDK hands on a bare `error` event without raising."""
    code = "rate_limit_exceeded" if error.status == 429 else "server_error"
    response: dict[str, Any] = {
        "id": f"resp_{request_id}",
        "object": "response",
        "status": "failed",
        "output": [],
        "error": {"code": code, "message": error.message},
        "incomplete_details": None,
        "usage": None,
    }
    event = {"type": "response.failed", "sequence_number": sequence_number, "response": response}
    return b"event: response.failed\ndata: " + orjson.dumps(event) + b"\n\n"


def anthropic_error(error: Refused, request_id: str) -> bytes:
    """`{"type": "error", "error": {type, message, details: {error_code}}, "request_id"}`."""
    kind = ANTHROPIC_TYPES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
    fields = {"type": kind, "message": error.message, "details": {"error_code": error.code}}
    return orjson.dumps({"type": "error", "error": fields, "request_id": request_id})


def anthropic_event(error: Refused, request_id: str) -> bytes:
    """In a stream; the `event:` line is mandatory, the SDK skips data without it."""
    return b"event: error\ndata: " + anthropic_error(error, request_id) + b"\n\n"


def gemini_error(error: Refused, request_id: str) -> bytes:
    """`{"error": {code, message, status, details: [ErrorInfo]}}`, as google.rpc.Status says."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": error.code,
        "domain": "greyfox",
        "metadata": {"request_id": request_id},
    }
    status = GEMINI_STATUS.get(error.status, "INVALID_ARGUMENT")
    fields = {"code": error.status, "message": error.message, "status": status, "details": [info]}
    return orjson.dumps({"error": fields})


def gemini_event(error: Refused, request_id: str) -> bytes:
    """In an SSE stream: data alone, the SDK breaks on `event:` lines."""
    return b"data: " + gemini_error(error, request_id) + b"\r\n\r\n"


def ollama_error(error: Refused, request_id: str) -> bytes:
    """`{"error": "text"}`; the client shows an object as a dict, and ignores the fields beside it."""
    return orjson.dumps({"error": error.message, "code": error.code, "request_id": request_id})


def ollama_line(error: Refused, request_id: str) -> bytes:
    """In an NDJSON stream: one more line."""
    return ollama_error(error, request_id) + b"\n"


def _openai_fields(error: Refused) -> dict[str, Any]:
    if isinstance(error, QuotaExhausted):
        kind = "insufficient_quota"  # what clients know as "do not try again"
    else:
        kind = OPENAI_TYPES.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error")
    return {"message": error.message, "type": kind, "param": error.param, "code": error.code}
