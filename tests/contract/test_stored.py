"""What one caller has stored upstream under the shared key is served to no other by its handle."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import House
from tests.kit.sdks import WAYS, Way

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODIES: list[dict[str, Any]] = [
    {"input": "And then?", "previous_response_id": "resp_of_alice"},
    {"input": "And then?", "conversation": "conv_of_alice"},
    {"input": [{"type": "item_reference", "id": "msg_of_alice"}]},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file_of_alice"}]}]},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    async with opens({"alice": {}, "bob": {}}) as house:
        yield house


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_that_alice_stored_cannot_be_continued_by_bob(house: House, way: Way) -> None:
    async with house.sdk("openai-responses", way, "alice") as alice:
        stored = await alice.client.responses.create(model="gpt-4o", input="My name is Alice.")

    async with house.sdk("openai-responses", way, "bob") as bob:
        with pytest.raises(openai.PermissionDeniedError) as refused:
            await bob.client.responses.create(model="gpt-4o", input="What is my name?", previous_response_id=stored.id)

    assert refused.value.code == "greyfox_forbidden"
    assert "a stored response" in refused.value.message and "store: false" in refused.value.message
    assert len(house.provider.requests) == 1


@pytest.mark.parametrize("body", BODIES, ids=lambda body: "+".join(body))
async def test_no_handle_to_stored_things_goes_out_under_the_shared_key(house: House, body: dict[str, Any]) -> None:
    async with house.raw("openai-responses", user="bob") as client:
        answer = await client.post("/v1/responses", json={"model": "gpt-4o", **body})

    assert answer.status_code == 403
    assert house.provider.requests == []


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
async def test_stored_answers_are_neither_read_nor_deleted_by_their_id(house: House, verb: str) -> None:
    async with house.raw("openai-responses", user="bob") as client:
        answer = await client.request(verb, "/v1/responses/resp_of_alice")

    assert answer.status_code == 404
    assert house.provider.requests == []
