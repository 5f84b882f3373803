"""Two requests have one fingerprint exactly where nothing that can change the answer differs."""

import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from greyfox_core.cache.fingerprint import fingerprint

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text(), JSON, max_size=6)
BASE: dict[str, Any] = {
    "scope": "team:core",
    "upstream": "openai",
    "model": "gpt-4o",
    "operation": "openai-chat generate",
    "variant": "plain",
    "versions": ("2023-06-01", ""),
    "fields": {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5},
}


def print_of(**changes: Any) -> bytes:
    return fingerprint(**(BASE | changes))


def shuffled(node: Any, draw: random.Random) -> Any:
    """The same JSON with its keys in another order, at every depth."""
    if isinstance(node, dict):
        items = [(key, shuffled(value, draw)) for key, value in node.items()]
        draw.shuffle(items)
        return dict(items)
    if isinstance(node, list):
        return [shuffled(value, draw) for value in node]
    return node


def test_it_is_32_bytes_and_always_the_same() -> None:
    assert print_of() == print_of()
    assert len(print_of()) == 32


@given(BODIES, st.randoms(use_true_random=False))
def test_key_order_does_not_matter(body: dict[str, Any], draw: random.Random) -> None:
    assert print_of(fields=body) == print_of(fields=shuffled(body, draw))


@given(BODIES)
def test_white_space_and_escapes_do_not_matter(body: dict[str, Any]) -> None:
    try:
        tight = orjson.loads(orjson.dumps(body))
    except TypeError:
        assume(False)
    loose = orjson.loads(json.dumps(tight, indent=3, ensure_ascii=True))
    assert print_of(fields=tight) == print_of(fields=loose)


@given(BODIES, BODIES)
def test_other_fields_matter(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (print_of(fields=one) == print_of(fields=other)) is same


@given(BODIES, st.text(), JSON)
def test_a_field_that_nobody_knows_matters(body: dict[str, Any], name: str, value: Any) -> None:
    assume(name not in body)
    assert print_of(fields=body) != print_of(fields={**body, name: value})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (0, -0.0),
        (1, True),
        (0, None),
        ("1", 1),
        ([1, 2], [2, 1]),
        ([[1], 2], [1, [2]]),
        ({}, []),
        ("\u00e9", "e\u0301"),  # composed and decomposed
        (2**64, 2**64 + 1),  # beyond what the quick writer takes
        ("\ud800", "\ud801"),
    ],
)
def test_values_that_look_alike_differ(one: Any, other: Any) -> None:
    assert print_of(fields={"x": one}) != print_of(fields={"x": other})


@given(st.sampled_from([name for name in BASE if name not in ("fields", "versions")]), st.text())
def test_every_part_matters(name: str, value: str) -> None:
    assume(value != BASE[name])
    assert print_of() != print_of(**{name: value})


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_versions_matter_and_their_borders_too(one: list[str], other: list[str]) -> None:
    assert (print_of(versions=tuple(one)) == print_of(versions=tuple(other))) is (one == other)


def test_parts_never_run_into_one_another() -> None:
    assert print_of(scope="ab", upstream="c") != print_of(scope="a", upstream="bc")
    assert print_of(variant="x", versions=("y",)) != print_of(variant="xy", versions=())
    body = orjson.dumps(BASE["fields"], option=orjson.OPT_SORT_KEYS).decode()
    assert print_of(versions=("v", body)) != print_of(versions=("v",))
