"""Embeddings cost input and produce no output."""

from typing import Any

import pytest

from greyfox_core.errors import BadRequest
from tests.greyfox_core.dialects.asked import EMBEDDINGS, asked, read_in, sample, sent


def test_input_is_text_or_tokens() -> None:
    dialect, request = asked(EMBEDDINGS, input=["a", "b"])
    assert (request.produces_output, request.stream, dialect.can_cap(request)) == (False, False, False)
    assert dialect.prompt(request, "m").texts == ("a", "b")
    assert dialect.prompt(asked(EMBEDDINGS, input=[[1, 2, 3]])[1], "m").tokens == 3
    assert dialect.last_user_text(request) == dialect.all_text(request) == "a\nb"
    assert dialect.system_text(request) == ""


@pytest.mark.parametrize(
    "changes", [{"input": None}, {"input": [None]}, {"model": None}, {"messages": [], "input": {}}]
)
def test_other_input_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        asked(EMBEDDINGS, **changes)


def test_only_the_model_can_change() -> None:
    assert sent(EMBEDDINGS, cap=5, usage=True) is None
    assert sent(EMBEDDINGS, model="other")["model"] == "other"


def test_the_answer_and_its_cache() -> None:
    dialect, request = asked(EMBEDDINGS, user="u")
    reader = dialect.stream(request, "application/json")
    read_in(reader, [sample("openai-embeddings.plain.json")])
    assert reader.cacheable
    assert not dialect.plain_complete({"data": [], "usage": {"prompt_tokens": 1}})
    assert dialect.output_text({"data": [1]}) == ""
    assert dialect.uncacheable(request, stored_responses=False) is None
    assert dialect.fingerprint_fields(request) == dialect.fingerprint_fields(asked(EMBEDDINGS)[1])
    assert dialect.fingerprint_fields(request) != dialect.fingerprint_fields(asked(EMBEDDINGS, dimensions=5)[1])
