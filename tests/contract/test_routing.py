"""Where a request goes: aliases, rules, fallbacks, and what a key may use."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import DIALECTS, House, question, unwell_upstreams
from tests.kit.problems import problem
from tests.kit.provider import Behaviour, Gate
from tests.kit.sdks import APIS, WAYS, Way

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE: dict[str, dict[str, Any]] = {
    "alice": {"roles": ["developer"]},
    "sue": {"roles": ["support"]},
    "bound": {"models": ["gpt-4o", "safe*", "second"]},
}


def each(template: str) -> list[str]:
    return [template.replace("API", dialect) for dialect in DIALECTS]


def in_turn(*templates: str) -> list[str]:
    """For every dialect these targets in this order; a request passes over those of other dialects."""
    return [target for dialect in DIALECTS for target in (one.replace("API", dialect) for one in templates)]


ROUTES = [
    {"name": "careful", "when": {"model": "careful"}, "use": in_turn("API/first", "API-two/second")},
    {"name": "unlucky", "when": {"model": "unlucky"}, "use": in_turn("API-dead/first", "API-two/second")},
    {"name": "hasty", "when": {"model": "hasty"}, "use": in_turn("API-hasty/first", "API-two/second")},
    {"name": "hopeless", "when": {"model": "hopeless"}, "use": in_turn("API/first", "API-dead/second")},
    {"name": "code", "when": {"model": "auto", "content": "code"}, "use": each("API/coder")},
    {"name": "simple", "when": {"model": "auto", "role": "support", "input_tokens": "<200"}, "use": each("API/small")},
    {"name": "rest", "when": {"model": "auto"}, "use": each("API/large")},
    {"name": "kept", "when": {"model": "kept-*"}, "use": each("API-two/*")},
    {
        "name": "split",
        "when": {"model": "split"},
        "use": [{"model": "openai/left", "weight": 1}, {"model": "openai-two/right", "weight": 1}],
    },
    {"name": "dangerous", "when": {"model": "safe-looking"}, "use": ["openai/dangerous"]},
    {"name": "half", "when": {"model": "safe-half"}, "use": ["openai/dangerous", "openai/second"]},
]
ALIASES = {
    "smart": "gpt-4o",
    "smartest": "smart",
    "quick": "groq/llama-9",
    "the-claude": "claude-sonnet-5-5",
    "the-gemini": "gemini-3.8-flash",
    "the-llama": "llama3",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    async with opens(
        PEOPLE,
        cache={"enabled": False},
        upstreams=unwell_upstreams,
        routes=ROUTES,
        aliases=ALIASES,
        content={"code": {"any": ["```", r"(?i)\brefactor\b"]}},
    ) as house:
        yield house


async def ask(
    house: House, api: str, model: str, prompt: str = "When does the tide turn?", **options: Any
) -> httpx.Response:
    return await house.ask(api, prompt, model=model, cap=40, **options)


def went(answer: httpx.Response) -> tuple[int, str, str, str]:
    names = ("x-greyfox-route", "x-greyfox-upstream", "x-greyfox-model")
    route, upstream, model = (answer.headers[name] for name in names)
    return answer.status_code, route, upstream, model


# --- aliases


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("api", "alias", "upstream", "model"),
    [
        ("openai-chat", "smart", "openai", "gpt-4o"),
        ("openai-responses", "smartest", "openai", "gpt-4o"),
        ("openai-completions", "quick", "groq", "llama-9"),
        ("anthropic-messages", "the-claude", "anthropic", "claude-sonnet-5-5"),
        ("gemini-generate", "the-gemini", "gemini", "gemini-3.8-flash"),
        ("ollama-chat", "the-llama", "ollama", "llama3"),
    ],
)
async def test_an_alias_is_answered_by_the_model_that_it_stands_for(
    api: str, alias: str, upstream: str, model: str, way: Way, house: House
) -> None:
    answer = await ask(house, api, alias, way=way)

    assert went(answer) == (200, "default", upstream, model)
    (entry,) = house.provider.requests
    assert entry.model == model and alias not in entry.path
    row = await house.row(answer)
    assert (row["requested_model"], row["model"], row["upstream"]) == (alias, model, upstream)


async def test_tokens_are_counted_for_the_model_behind_an_alias(house: House) -> None:
    async with house.raw("gemini-generate") as client:
        body = {"contents": [{"role": "user", "parts": [{"text": "How many?"}]}]}
        answer = await client.post("/v1beta/models/the-gemini:countTokens", json=body)

    assert answer.status_code == 200 and answer.json()["totalTokens"] > 0
    assert house.provider.requests[0].path == "/v1beta/models/gemini-3.8-flash:countTokens"


# --- rules


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_the_first_rule_that_fits_decides(api: str, way: Way, house: House) -> None:
    dialect = api.partition("-")[0]
    code = await ask(house, api, "auto", "Please refactor this.", way=way)
    simple = await ask(house, api, "auto", "When does the tide turn?", user="sue", way=way)
    long = await ask(house, api, "auto", "tide " * 400, user="sue", way=way)
    other = await ask(house, api, "auto", "When does the tide turn?", way=way)

    assert went(code) == (200, "code", dialect, "coder")
    assert went(simple) == (200, "simple", dialect, "small")
    assert went(long) == went(other) == (200, "rest", dialect, "large")
    assert [entry.model for entry in house.provider.requests] == ["coder", "small", "large", "large"]


@pytest.mark.parametrize("api", APIS)
async def test_a_rule_may_choose_the_upstream_and_keep_the_model(api: str, house: House) -> None:
    answer = await ask(house, api, "kept-model")

    assert went(answer) == (200, "kept", f"{api.partition('-')[0]}-two", "kept-model")
    assert "upstream-secret-two" in repr(house.provider.requests[0].headers)


async def test_weights_share_the_requests_out(house: House) -> None:
    path, body = question("openai-chat", "Left or right?", model="split", cap=1)
    async with house.raw("openai-chat") as client:
        models = {(await client.post(path, json=body)).headers["x-greyfox-model"] for _ in range(30)}

    assert models == {"left", "right"}


# --- fallbacks


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("status", [429, 500, 503, 529])
@pytest.mark.parametrize("api", APIS)
async def test_when_the_first_choice_fails_the_second_answers(
    api: str, status: int, stream: bool, house: House
) -> None:
    house.provider.always(Behaviour(status=status), model="first")
    answer = await ask(house, api, "careful", stream=stream)

    dialect = api.partition("-")[0]
    assert went(answer) == (200, "careful", f"{dialect}-two", "second")
    assert answer.headers["x-greyfox-attempts"] == "2"
    first, second = house.provider.requests
    assert (first.model, first.status, second.model, second.status) == ("first", status, "second", 200)
    failed, served = await house.rows(answer, 2)
    assert (failed["attempt"], failed["upstream"], failed["model"], failed["status"]) == (1, dialect, "first", status)
    assert (failed["outcome"], failed["input_tokens"], failed["output_tokens"]) == ("failed", 0, 0)
    assert (served["attempt"], served["upstream"], served["model"]) == (2, f"{dialect}-two", "second")
    assert (served["state"], served["output_tokens"]) == ("settled", second.output_tokens)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("api", APIS)
async def test_when_nobody_listens_at_the_first_the_second_answers(api: str, stream: bool, house: House) -> None:
    answer = await ask(house, api, "unlucky", stream=stream)

    dialect = api.partition("-")[0]
    assert went(answer) == (200, "unlucky", f"{dialect}-two", "second")
    (entry,) = house.provider.requests
    failed, served = await house.rows(answer, 2)
    assert (failed["state"], failed["upstream"]) == ("released", f"{dialect}-dead")  # nothing can have been billed
    assert (served["attempt"], served["output_tokens"]) == (2, entry.output_tokens)


async def test_when_the_first_is_too_slow_the_second_answers(house: House) -> None:
    house.provider.always(Behaviour(gate=Gate()), model="first")
    answer = await ask(house, "openai-chat", "hasty")

    assert went(answer) == (200, "hasty", "openai-two", "second")
    failed, served = await house.rows(answer, 2)
    assert (failed["state"], failed["output_tokens"]) == ("estimated", 40)  # which it may have produced and billed
    assert (served["state"], served["output_tokens"]) == ("settled", 12)


@pytest.mark.parametrize("api", APIS)
async def test_a_request_that_is_wrong_is_not_tried_elsewhere(api: str, house: House) -> None:
    house.provider.always(Behaviour(status=400, message="That makes no sense."), model="first")
    answer = await ask(house, api, "careful")

    assert answer.status_code == 400 and "That makes no sense." in answer.text
    assert answer.headers["x-greyfox-attempts"] == "1" and len(house.provider.requests) == 1


@pytest.mark.parametrize("api", APIS)
async def test_when_all_fail_the_last_failure_is_told(api: str, house: House) -> None:
    house.provider.always(Behaviour(status=503, message="Overloaded."))
    passed_on = await ask(house, api, "careful")
    async with house.sdk(api) as sdk:
        with pytest.raises(Exception) as caught:
            await sdk.ask("When does the tide turn?", model="hopeless")

    assert (passed_on.status_code, passed_on.headers["x-greyfox-attempts"]) == (503, "2")
    assert passed_on.content == bytes(house.provider.requests[1].sent)
    seen = problem(caught.value)
    assert seen.status == 502 and f"{sdk.dialect}-dead" in seen.message


# --- what a key may use


async def test_a_key_is_held_to_its_models(house: House) -> None:
    allowed = await ask(house, "openai-chat", "gpt-4o", user="bound")
    mini = await ask(house, "openai-chat", "gpt-4o-mini", user="bound")

    assert (allowed.status_code, mini.status_code) == (200, 403)
    assert mini.json()["error"]["code"] == "greyfox_forbidden" and mini.json()["error"]["param"] == "model"


async def test_no_rule_and_no_alias_leads_a_key_to_another_model(house: House) -> None:
    by_rule = await ask(house, "openai-chat", "safe-looking", user="bound")
    by_alias = await ask(house, "openai-chat", "smart", user="bound")
    what_is_left = await ask(house, "openai-chat", "safe-half", user="bound")

    assert (by_rule.status_code, by_alias.status_code) == (403, 403)
    assert went(what_is_left) == (200, "half", "openai", "second")
    assert [entry.model for entry in house.provider.requests] == ["second"]


async def test_the_model_in_geminis_path_counts_too(house: House) -> None:
    answer = await ask(house, "gemini-generate", "gemini-3.8-flash", user="bound")
    async with house.raw("gemini-generate", user="bound") as client:
        counted = await client.post("/v1beta/models/gemini-3.8-flash:countTokens", json={"contents": []})

    assert (answer.status_code, counted.status_code) == (403, 403)
    assert not house.provider.requests
