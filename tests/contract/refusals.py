"""What an official client raises for a refusal, and what every refusal has."""

from typing import Any

import pytest

from tests.contract.house import DIALECTS, REQUEST_ID
from tests.kit.problems import Problem, problem
from tests.kit.sdks import Sdk

# What each official client raises for a status; openai and anthropic by class, the others by one class a kind.
RAISED = {
    400: ("BadRequestError", "BadRequestError", "ClientError", "ResponseError"),
    401: ("AuthenticationError", "AuthenticationError", "ClientError", "ResponseError"),
    403: ("PermissionDeniedError", "PermissionDeniedError", "ClientError", "ResponseError"),
    404: ("NotFoundError", "NotFoundError", "ClientError", "ResponseError"),
    413: ("APIStatusError", "ContentTooLargeError", "ClientError", "ResponseError"),
    415: ("APIStatusError", "APIStatusError", "ClientError", "ResponseError"),
    429: ("RateLimitError", "RateLimitError", "ClientError", "ResponseError"),
    502: ("InternalServerError", "InternalServerError", "ServerError", "ResponseError"),
    503: ("InternalServerError", "ServiceUnavailableError", "ServerError", "ResponseError"),
    504: ("InternalServerError", "GatewayTimeoutError", "ServerError", "ResponseError"),
}


async def refusal(sdk: Sdk, prompt: str = "When does the tide turn?", **options: Any) -> Problem:
    """What the client raises for a question; every answer that it got carries our request id, each its own."""
    with pytest.raises(Exception) as caught:
        await sdk.ask(prompt, **options)
    seen = problem(caught.value)
    ids = [head.headers[REQUEST_ID] for head in sdk.heads]
    assert len({*ids}) == len(ids) >= 1
    last = sdk.heads[-1]
    assert last.headers["x-request-id"] == last.headers["request-id"] == ids[-1]
    if sdk.dialect in ("openai", "anthropic"):
        assert vars(caught.value)["request_id"] == ids[-1]
    return seen


def expect(seen: Problem, sdk: Sdk, status: int, code: str) -> None:
    """The client's own class, the status and our code, which Ollama's client does not show."""
    raised = RAISED[status][DIALECTS.index(sdk.dialect)]
    shown = None if sdk.dialect == "ollama" else code
    assert (seen.raised, seen.status, seen.code) == (raised, status, shown)
    assert seen.message.rstrip()[-1] in ".)", seen.message
