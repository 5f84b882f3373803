"""Errors of the stand-in provider, in each dialect's own words.

Source of shapes: the providers' public API references and their official clients.
"""

import json
from typing import Any

_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GEMINI_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Refused(Exception):
    """The provider answers with an error of its own."""

    def __init__(
        self, dialect: str, status: int, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.dialect = dialect
        self.status = status
        self.message = message
        self.code = code
        self.param = param

    def body(self) -> bytes:
        return json.dumps(error_body(self.dialect, self.status, self.message, self.code, None, self.param)).encode()


def error_body(
    dialect: str, status: int, message: str, code: str | None = None, kind: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """The JSON of an error answer. `kind` is the dialect's `type` (Gemini: `status`), otherwise told by the status."""
    match dialect:
        case "anthropic":
            error: dict[str, Any] = {"type": kind or _ANTHROPIC_TYPES.get(status, "api_error"), "message": message}
            if code:
                error["details"] = {"error_code": code}
            return {"type": "error", "error": error, "request_id": "req_standin"}
        case "gemini":
            error = {"code": status, "message": message, "status": kind or _GEMINI_STATUS.get(status, "INTERNAL")}
            if code:
                reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code, "domain": "standin"}
                error["details"] = [reason]
            return {"error": error}
        case "ollama":
            return {"error": message} | ({"code": code} if code else {})
        case _:
            default = "server_error" if status >= 500 else "invalid_request_error"
            kind = kind or _OPENAI_TYPES.get(status, default)
            return {"error": {"message": message, "type": kind, "param": param, "code": code}}
