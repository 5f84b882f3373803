"""A body that two readers could understand differently is refused; so is a number that is no number of tokens."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.dialects import body
from greyfox_core.dialects.body import MAX_VALUES, load_object
from greyfox_core.errors import BadRequest

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="array"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"{} {}", id="trailing bytes"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', id="lone surrogate"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="Infinity"),
        pytest.param(b'{"a":1e309}', id="beyond a float"),
        pytest.param(b'{"model":"a","model":"b"}', id="duplicate key"),
        pytest.param(b'{"model" : "a", "model" : "b"}', id="duplicate key, blanks before the colon"),
        pytest.param(b'{"model" :"a","model":"b"}', id="duplicate key, a blank before one colon"),
        pytest.param(b'{"model"\n:"a","model":"b"}', id="duplicate key, a line break before one colon"),
        pytest.param(b'{"x":{"n":1,"n":2}}', id="duplicate key inside"),
        pytest.param(b'{"model":"a","mode\\u006c":"b"}', id="duplicate key, escaped"),
        pytest.param(b'{"model":"a","model":"b","x":"\\":"}', id="duplicate key, hidden by a text"),
        pytest.param(b'{"a":12345678901234567890}', id="20 digits"),
        pytest.param(b'{"a":-12345678901234567890}', id="20 digits, negative"),
        pytest.param(b'{"a":' + b"9" * 300 + b"}", id="300 digits"),
        pytest.param(b'{"a":' + b"9" * 1_000_000 + b"}", id="a million digits"),
        pytest.param(b'{"a":' * 65 + b"1" + b"}" * 65, id="65 levels"),
        pytest.param(b'{"a":' + b"[" * 100_000, id="100,000 brackets"),
        pytest.param(b'{"a":[' + b"0," * MAX_VALUES + b"0]}", id="more than a million values"),
    ],
)
def test_what_is_not_one_plain_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        load_object(raw, max_depth=64)


@pytest.mark.parametrize(
    "raw",
    [
        b'  {"a" : 1}\r\n',
        b'{"a":' * 64 + b"1" + b"}" * 64,
        b'{"a":9999999999999999999,"b":-9223372036854775808}',
        b'{"a":1e30,"b":0.1234567890123456789012345}',
        b'{"a":"say \\"x\\": y, and : z","b\\\\":1,"":2}',
        '{"ключ":"значение","emoji":"🦊"}'.encode(),
    ],
)
def test_everything_else_is_read_as_it_stands(raw: bytes) -> None:
    assert load_object(raw, max_depth=64) == json.loads(raw)


@given(
    st.dictionaries(st.text(max_size=5), JSON, max_size=5),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]),
)
def test_any_object_is_read_whatever_its_blanks(value: dict[str, Any], blanks: tuple[str, str]) -> None:
    raw = json.dumps(value, separators=blanks).encode("utf-8", "surrogatepass")
    try:
        expected = orjson.loads(raw)
    except orjson.JSONDecodeError:  # lone surrogates
        return
    assert load_object(raw, max_depth=64) == expected


@given(
    st.dictionaries(st.text(max_size=5), JSON, min_size=1, max_size=5), st.sampled_from([(",", ":"), (" , ", " : ")])
)
def test_a_key_given_twice_is_always_found(value: dict[str, Any], blanks: tuple[str, str]) -> None:
    key = next(iter(value))
    once = json.dumps(value, separators=blanks, ensure_ascii=True)
    twice = once[:-1] + blanks[0] + json.dumps({key: 1}, separators=blanks)[1:]
    with pytest.raises(BadRequest):
        load_object(twice.encode(), max_depth=64)


@pytest.mark.parametrize("cap", [0, -1, "10", 1.5, 2**53 + 1, True, [1], {}])
def test_a_cap_is_a_positive_whole_number(cap: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        body.cap_of({"max_tokens": cap}, "max_tokens")
    assert refused.value.param == "max_tokens"


def test_null_is_no_cap_and_two_caps_are_one_too_many() -> None:
    assert body.cap_of({"max_tokens": None, "max_completion_tokens": 5}, "max_tokens", "max_completion_tokens") == 5
    assert body.cap_of({}, "max_tokens") is None
    with pytest.raises(BadRequest, match="one output cap"):
        body.cap_of({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "max_completion_tokens")


@pytest.mark.parametrize(
    "model", [None, 4, "", "x" * 257, "../x", "a\nb", "%0a", "gpt-*", "gpt-?", "a[b]", " gpt", "a\x00", ["gpt-4o"]]
)
def test_what_is_no_models_name_is_refused(model: Any) -> None:
    with pytest.raises(BadRequest):
        body.model_of({"model": model})


@pytest.mark.parametrize(
    "model", ["gpt-4o", "llama3:8b", "meta-llama/Llama-3.3-70B", "ft:gpt-4o:org::id", "modèle", "a b"]
)
def test_other_names_stand(model: str) -> None:
    assert body.model_of({"model": model}) == model


@pytest.mark.parametrize("value", ["true", 1, 0, [], "no"])
def test_a_flag_is_true_or_false(value: Any) -> None:
    with pytest.raises(BadRequest):
        body.flag_of({"stream": value}, "stream")


def test_an_absent_or_null_flag_has_its_default() -> None:
    assert body.flag_of({"stream": None}, "stream", default=True) is True
    assert body.flag_of({}, "stream") is False
    assert body.flag_of({"stream": False}, "stream", default=True) is False


@pytest.mark.parametrize("value", [None, {}, "text", [1], [{}, "x"]])
def test_a_list_of_objects_is_that(value: Any) -> None:
    with pytest.raises(BadRequest):
        body.objects_of({"messages": value}, "messages")
    assert body.objects_of({}, "messages", required=False) == []


@pytest.mark.parametrize(
    ("value", "texts", "tokens"),
    [
        ("a", ["a"], []),
        (["a", "b"], ["a", "b"], []),
        ([1, 2, 3], [], [[1, 2, 3]]),
        ([[1], [2, 3]], [], [[1], [2, 3]]),
    ],
)
def test_prompts_are_texts_or_tokens(value: Any, texts: list[str], tokens: list[list[int]]) -> None:
    assert body.prompts_of({"prompt": value}, "prompt") == (texts, tokens)


@pytest.mark.parametrize("value", [None, [], [1, "a"], [["a"]], [True], 5, {"a": 1}, [[1.5]]])
def test_other_prompts_are_refused(value: Any) -> None:
    with pytest.raises(BadRequest):
        body.prompts_of({"prompt": value}, "prompt")


def test_a_mapping_is_an_object_or_absent() -> None:
    assert body.mapping_of({"options": None}, "options") == {}
    with pytest.raises(BadRequest):
        body.mapping_of({"options": [1]}, "options")
