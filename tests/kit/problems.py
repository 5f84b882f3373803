"""The official clients' exceptions in one form."""

from dataclasses import dataclass

import anthropic
import ollama
import openai
from google.genai import errors as genai_errors


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the official client tells it: its class, the HTTP status, our code and sentence where it has them."""

    raised: str
    status: int | None
    code: str | None
    message: str


def problem(error: Exception) -> Problem:
    """What a person or a program learns from an official client's exception. Re-raises what none of them raises."""
    raised = type(error).__name__
    match error:
        case openai.APIError():
            status = error.status_code if isinstance(error, openai.APIStatusError) else None
            return Problem(raised, status, error.code, error.message)
        case anthropic.APIError():
            body = error.body if isinstance(error.body, dict) else {}
            inner = body.get("error") if isinstance(body.get("error"), dict) else {}
            code = ((inner or {}).get("details") or {}).get("error_code")
            status = error.status_code if isinstance(error, anthropic.APIStatusError) else None
            return Problem(raised, status, code, (inner or {}).get("message") or error.message)
        case genai_errors.APIError():
            details = error.details if isinstance(error.details, dict) else {}
            listed = (details.get("error") or {}).get("details") or []
            code = next((item["reason"] for item in listed if "reason" in item), None)
            return Problem(raised, error.code, code, error.message or "")
        case ollama.ResponseError():
            return Problem(raised, error.status_code, None, error.error)
    raise error
