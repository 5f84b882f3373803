"""One spelling of Gemini's fields, and what lies outside the request."""

from typing import Any

import pytest

from greyfox_core.dialects.gemini_body import camel, normal
from greyfox_core.errors import BadRequest
from tests.greyfox_core.dialects.asked import GENERATE, asked


def test_fields_are_respelled_and_the_callers_own_names_are_not() -> None:
    assert camel("generation_config") == "generationConfig"
    assert camel("_private") == "_private"
    body = {
        "system_instruction": {"parts": [{"inline_data": {"mime_type": "a_b"}}]},
        "tools": [{"function_declarations": [{"name": "f_g", "parameters": {"properties": {"my_field": {}}}}]}],
        "contents": [{"parts": [{"function_call": {"args": {"my_key": 1}}}]}],
        "labels": {"my_label": "x"},
    }
    assert normal(body) == {
        "systemInstruction": {"parts": [{"inlineData": {"mimeType": "a_b"}}]},
        "tools": [{"functionDeclarations": [{"name": "f_g", "parameters": {"properties": {"my_field": {}}}}]}],
        "contents": [{"parts": [{"functionCall": {"args": {"my_key": 1}}}]}],
        "labels": {"my_label": "x"},
    }


def test_two_spellings_of_one_field_are_refused_at_any_depth() -> None:
    with pytest.raises(BadRequest):
        normal({"contents": [{"parts": [{"inline_data": {}, "inlineData": {}}]}]})


def part(**fields: Any) -> dict[str, Any]:
    return {"contents": [{"parts": [fields]}]}


@pytest.mark.parametrize(
    ("changes", "unbounded", "uncacheable"),
    [
        ({}, None, None),
        ({"cachedContent": "c"}, "cached content", "cached content"),
        ({"cached_content": "c"}, "cached content", "cached content"),
        ({"continuationToken": "t"}, "a stored answer", "a stored answer"),
        ({"tools": [{"googleSearch": {}}]}, "server tools", "server tools"),
        ({"tools": [{"url_context": {}}]}, "server tools", "server tools"),
        ({"tools": [{"inventedTomorrow": {}}]}, "server tools", "server tools"),
        ({"tools": [{"functionDeclarations": []}]}, None, None),
        (part(fileData={"fileUri": "x"}), "a stored file", "a stored file"),
        (part(file_data={"file_uri": "x"}), "a stored file", "a stored file"),
        ({"store": True}, None, "stored by the provider"),
        ({"generationConfig": {"responseModalities": ["TEXT"]}}, None, None),
        ({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}, None, "audio or image output"),
    ],
)
def test_what_lies_outside_the_request(changes: dict[str, Any], unbounded: str | None, uncacheable: str | None) -> None:
    dialect, request = asked(GENERATE, **changes)
    assert request.unbounded == unbounded
    assert dialect.uncacheable(request, stored_responses=True) == uncacheable


def test_the_fingerprint_does_not_depend_on_spelling_or_bookkeeping() -> None:
    dialect, one = asked(GENERATE, generation_config={"top_k": 1}, labels={"a": "b"}, service_tier="x", store=False)
    _, same = asked(GENERATE, generationConfig={"topK": 1}, model="gemini-2.5-flash")
    _, other = asked(GENERATE, generationConfig={"topK": 2})
    assert dialect.fingerprint_fields(one) == dialect.fingerprint_fields(same) != dialect.fingerprint_fields(other)


@pytest.mark.parametrize(
    ("inline", "tokens"),
    [
        ({"mimeType": "image/png", "data": ""}, 4128),
        ({"mimeType": "video/mp4", "data": "A" * 100_000}, 3 * 263),
        ({"mimeType": "application/pdf", "data": "A" * 4000}, 750 + 4128),
    ],
)
def test_media_count_by_their_formula(inline: dict[str, str], tokens: int) -> None:
    dialect, request = asked(GENERATE, **part(inlineData=inline))
    assert dialect.prompt(request, "gemini-2.5-flash").media == tokens


@pytest.mark.parametrize(
    ("changes", "tokens"),
    [
        ({}, 280),
        (
            part(inlineData={"mimeType": "image/png", "data": ""}, mediaResolution={"level": "MEDIA_RESOLUTION_HIGH"}),
            1120,
        ),
    ],
)
def test_a_parts_own_resolution_goes_before_the_requests(changes: dict[str, Any], tokens: int) -> None:
    config = {"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}}
    dialect, request = asked(
        GENERATE, **{**part(inlineData={"mimeType": "image/png", "data": ""}), **config, **changes}
    )
    assert dialect.prompt(request, "gemini-3-pro").media == tokens
