"""Gemini: the model stands in the path, and every field has two spellings."""

import json
from typing import Any

import pytest

from greyfox_core.errors import BadRequest
from tests.greyfox_core.dialects.asked import GENERATE, STREAM, asked, asked_raw, read_in, sample, sent

EMBED = "/v1beta/models/gemini-embedding-001:embedContent"
BATCH = "/v1beta/models/gemini-embedding-001:batchEmbedContents"


def test_the_least_request() -> None:
    _, request = asked(GENERATE)
    assert (request.model, request.stream, request.output_cap, request.choices) == ("gemini-2.5-flash", False, None, 1)
    assert asked(STREAM)[1].stream


@pytest.mark.parametrize(
    "config",
    [
        {"generationConfig": {"maxOutputTokens": 50, "candidateCount": 2}},
        {"generation_config": {"max_output_tokens": 50, "candidate_count": 2}},
        {"generationConfig": {"max_output_tokens": 50, "candidateCount": 2}},
    ],
)
def test_both_spellings_are_read(config: dict[str, Any]) -> None:
    _, request = asked(GENERATE, **config)
    assert (request.output_cap, request.choices) == (50, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"contents": None},
        {"contents": "Hello"},
        {"generationConfig": []},
        {"generationConfig": {"maxOutputTokens": 0}},
        {"generationConfig": {"maxOutputTokens": "50"}},
        {"generationConfig": {"maxOutputTokens": 5, "max_output_tokens": 6}},
        {"generationConfig": {}, "generation_config": {}},
        {"generationConfig": {"candidateCount": 0}},
        {"model": "models/gemini-2.5-pro"},
    ],
)
def test_bodies_that_cannot_be_metered_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        asked(GENERATE, **changes)


def test_a_model_that_is_no_name_is_refused_in_the_path_too() -> None:
    with pytest.raises(BadRequest):
        asked_raw("/v1beta/models/gem*:generateContent", b'{"contents":[]}')


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"generationConfig": {"maxOutputTokens": 9}}),
        ({"generationConfig": {"topK": 1}}, {"generationConfig": {"topK": 1, "maxOutputTokens": 9}}),
        ({"generation_config": {"top_k": 1}}, {"generation_config": {"top_k": 1, "max_output_tokens": 9}}),
        ({"generation_config": {"maxOutputTokens": 70}}, {"generation_config": {"maxOutputTokens": 9}}),
        ({"generationConfig": None}, {"generationConfig": {"maxOutputTokens": 9}}),
    ],
)
def test_a_cap_keeps_the_callers_spelling(given: dict[str, Any], expected: dict[str, Any]) -> None:
    body = sent(GENERATE, cap=9, **given)
    body.pop("contents")
    assert body == expected


def test_the_callers_own_bytes_go_up_where_nothing_has_to_change() -> None:
    assert sent(GENERATE) is None
    assert sent(GENERATE, model="gemini-2.5-pro") is None  # the path names it
    assert sent(GENERATE, generation_config={"max_output_tokens": 5}, cap=5) is None


def test_a_model_in_the_body_follows_the_path() -> None:
    body = {"requests": [{"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]}}]}
    dialect, request = asked_raw(BATCH, json.dumps(body).encode())
    moved = json.loads(dialect.prepare(request, model="other", output_cap=5, cap_field="", ask_usage=False))
    assert moved == {"requests": [{"model": "models/other", "content": {"parts": [{"text": "a"}]}}]}
    with pytest.raises(BadRequest):
        asked_raw(BATCH, json.dumps({"requests": [{"model": "models/dearer", "content": {}}]}).encode())


def test_embeddings_produce_no_output() -> None:
    dialect, request = asked_raw(EMBED, b'{"content":{"parts":[{"text":"a"},{"text":"b"}]}}')
    assert (request.produces_output, request.stream, dialect.can_cap(request)) == (False, False, False)
    assert dialect.prompt(request, "m").texts == ("a", "b")
    assert dialect.last_user_text(request) == "a\nb"
    for path, body in ((EMBED, b'{"content":"a"}'), (BATCH, b'{"requests":{}}')):
        with pytest.raises(BadRequest):
            asked_raw(path, body)
    reader = dialect.stream(request, "application/json")
    read_in(reader, [b'{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":4}}'])
    assert reader.usage is not None and reader.cacheable
    assert not dialect.plain_complete({"embedding": {"values": [1]}})


def test_everything_that_the_model_reads_is_counted_and_base64_never_as_text() -> None:
    contents = [
        {
            "role": "user",
            "parts": [
                {"text": "look"},
                {"inline_data": {"mime_type": "image/png", "data": "AAAA"}},
                {"inlineData": {"mimeType": "audio/mp3", "data": "A" * 8000}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "1", "name": "f", "args": {"some_key": 1}}, "thoughtSignature": "S" * 40}
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"ok": True}}}]},
    ]
    dialect, request = asked(
        GENERATE,
        contents=contents,
        system_instruction={"parts": [{"text": "be kind"}]},
        tools=[{"function_declarations": [{"name": "f"}]}],
        generation_config={"response_json_schema": {"a_b": 1}},
    )
    prompt = dialect.prompt(request, "gemini-2.5-flash")
    assert prompt.texts == ("look", "f", '{"some_key":1}', "f", '{"ok":true}', "be kind", '{"name":"f"}', '{"a_b":1}')
    assert prompt.overhead == 4 * 5 + 2 * 16
    assert prompt.media == 4128 + 2 * 32 + 10


def test_the_texts_that_rules_look_at() -> None:
    contents = [{"role": "user", "parts": [{"text": "one"}]}, {"role": "model", "parts": [{"text": "two"}]}]
    dialect, request = asked(GENERATE, contents=contents, systemInstruction={"parts": [{"text": "S"}]})
    assert dialect.last_user_text(request) == "one"
    assert dialect.system_text(request) == "S"
    assert dialect.all_text(request) == "one\ntwo\nS"


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        ({}, True),
        ({"candidates": [{"finishReason": "MAX_TOKENS"}]}, False),
        ({"candidates": [{"finishReason": "SAFETY"}]}, False),
        ({"candidates": []}, False),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, False),
        ({"usageMetadata": None}, False),
    ],
)
def test_only_answers_that_finished_by_themselves_are_whole(changes: dict[str, Any], whole: bool) -> None:
    dialect, _ = asked(GENERATE)
    assert dialect.plain_complete(json.loads(sample("gemini.plain.json")) | changes) == whole
