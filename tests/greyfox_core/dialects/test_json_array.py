"""Objects come out of an array as they become whole, wherever it is split."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.dialects import json_array
from greyfox_core.dialects.json_array import ArrayScanner

VALUES = st.recursive(
    st.none() | st.text(alphabet='a"\\{}[]é,') | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='"\\}'), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(alphabet='ab"'), VALUES, max_size=3), max_size=4),
    st.lists(st.integers(0, 500)),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_the_objects_are_the_same_however_the_array_is_split(
    objects: list[Any], places: list[int], indent: int | None, ascii_only: bool
) -> None:
    data = json.dumps(objects, indent=indent, ensure_ascii=ascii_only).encode()
    cuts = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    scanner = ArrayScanner()
    found = [one for a, b in itertools.pairwise(cuts) for one in scanner.feed(data[a:b])]
    assert [json.loads(one) for one in found] == objects
    assert scanner.closed


def test_an_array_is_closed_by_its_own_bracket_only() -> None:
    scanner = ArrayScanner()
    assert scanner.feed(b'[{"a":[1,2]},{"b":"]"}') == [b'{"a":[1,2]}', b'{"b":"]"}']
    assert not scanner.closed
    scanner.feed(b"\n]")
    assert scanner.closed


def test_an_object_alone_is_found_too() -> None:
    assert ArrayScanner().feed(b'{"error":{"code":503}}') == [b'{"error":{"code":503}}']


def test_an_object_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "MAX_OBJECT", 50)
    scanner = ArrayScanner()
    data = b'[{"a":1},{"b":"' + b"x" * 100 + b'"},{"c":1}]'
    found = [one for at in range(0, len(data), 9) for one in scanner.feed(data[at : at + 9])]
    assert found == [b'{"a":1}', b'{"c":1}']
