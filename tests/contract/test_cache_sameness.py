"""What makes two requests the same: what can change the answer matters, and nothing else does."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import House, cache_state

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    async with opens() as house:
        yield house


BODY: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "The same?"}],
    "max_tokens": 100,
}


@pytest_asyncio.fixture(loop_scope="module")
async def stored(house: House) -> None:
    answer = await house.post(BODY, **{"cache-control": "no-cache"})
    assert (answer.status_code, cache_state(answer)) == (200, "miss")


SAME: dict[str, bytes] = {
    "key order": orjson.dumps(dict(reversed(BODY.items()))),
    "white space": orjson.dumps(BODY, option=orjson.OPT_INDENT_2),
    "user": orjson.dumps(BODY | {"user": "somebody"}),
    "metadata": orjson.dumps(BODY | {"metadata": {"run": "7"}}),
    "safety identifier": orjson.dumps(BODY | {"safety_identifier": "abc"}),
    "stream false": orjson.dumps(BODY | {"stream": False}),
    "escapes": orjson.dumps(BODY).replace(b"The same?", b"\\u0054he same?"),
}
DIFFERENT: dict[str, dict[str, Any]] = {
    "temperature": BODY | {"temperature": 0.2},
    "tools": BODY | {"tools": [{"type": "function", "function": {"name": "tide_table", "parameters": {}}}]},
    "system": BODY | {"messages": [{"role": "system", "content": "Be long."}, BODY["messages"][1]]},
    "model": BODY | {"model": "gpt-4o-mini"},
    "seed": BODY | {"seed": 7},
    "cap": BODY | {"max_tokens": 101},
    "one more message": BODY | {"messages": [*BODY["messages"], {"role": "assistant", "content": "No."}]},
    "response format": BODY | {"response_format": {"type": "json_object"}},
    "stream": BODY | {"stream": True},
    "white space inside the question": BODY
    | {"messages": [BODY["messages"][0], {"role": "user", "content": "The  same?"}]},
    "a field that we do not know": BODY | {"brand_new_sampling": 1},
}


@pytest.mark.parametrize("name", SAME)
async def test_what_cannot_change_the_answer_does_not_matter(name: str, stored: None, house: House) -> None:
    assert cache_state(await house.post(SAME[name])) == "hit"
    assert len(house.provider.requests) == 1


@pytest.mark.parametrize("name", DIFFERENT)
async def test_what_can_change_the_answer_matters(name: str, stored: None, house: House) -> None:
    answer = await house.post(DIFFERENT[name], **{"x-greyfox-cache-ttl": "0"})

    assert (answer.status_code, cache_state(answer)) == (200, "miss")


async def test_a_stream_with_usage_and_one_without_are_two_answers(house: House) -> None:
    body = BODY | {"stream": True, "messages": [{"role": "user", "content": "With usage?"}]}
    asked = body | {"stream_options": {"include_usage": True}}
    first, second = await house.post(body), await house.post(asked)
    again, once_more = await house.post(body), await house.post(asked)

    assert [cache_state(answer) for answer in (first, second, again, once_more)] == ["miss", "miss", "hit", "hit"]
    assert b'"choices":[]' not in again.content and b'"choices":[]' in once_more.content
