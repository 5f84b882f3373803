"""YAML as plain values that remember where they stand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from greyfox_core.config.checks import check
from greyfox_core.config.document import Document, read, shown
from greyfox_core.config.findings import Span
from greyfox_core.config.validate import validate


def tree(text: str, environ: Mapping[str, str] | None = None) -> Any:
    document = read(text, environ or {})
    assert document.findings == []
    return document.tree


def finding(text: str, environ: Mapping[str, str] | None = None) -> tuple[int, int, str]:
    document = read(text, environ or {})
    assert len(document.findings) == 1, document.findings
    found = document.findings[0]
    span = found.span or document.span(found.place, on_key=found.on_key)
    assert span is not None
    return span.line, span.column, found.message


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-11-24", "2026-11-24"),
        ("1_000", "1_000"),
        ("<500", "<500"),
        ('"5"', "5"),
        ("'true'", "true"),
        ('"a\\tb"', "a\tb"),
        ("[a, b]", ["a", "b"]),
        ("{a: {b: c}}", {"a": {"b": "c"}}),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars_are_typed_by_the_core_schema(written: str, value: object) -> None:
    assert tree(f"k: {written}\n") == {"k": value}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert tree("5: a\ntrue: b\n") == {"5": "a", "true": "b"}


def test_variables_may_stand_unquoted_in_braces() -> None:
    text = "a: {b: ${KEY:-}, c: ${KEY:-x, y}, d: [${OTHER}]}\n"
    assert tree(text, {"OTHER": "{not: yaml}"}) == {"a": {"b": "", "c": "x, y", "d": ["{not: yaml}"]}}


def test_what_comes_from_the_environment_is_text() -> None:
    assert tree("a: ${N}\nb: x${N}\n", {"N": "5"}) == {"a": "5", "b": "x5"}


def test_aliases_share_a_value_and_its_place() -> None:
    document = read("a: &x {b: 1}\nc: *x\nd: [*x]\n", {})
    assert document.tree == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}]}
    assert document.span(("d", 0, "b")) == Span(1, 11, 1)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, 'duplicate key "a", first on line 1'),
        ("a:\n  b: 1\n  b: 1\n", 3, 3, 'duplicate key "b" in a, first on line 2'),
        ("a: !!python/object:os.system x\n", 1, 4, "a tag: values are plain here"),
        ("a: !!str 5\n", 1, 4, "a tag: values are plain here"),
        ("a:\n\tb: 1\n", 2, 1, "no YAML: a tab indents this line: YAML is indented by spaces alone"),
        ("a: [1\n", 2, 1, "no YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: >=5\n", 1, 5, "quotes"),
        ("a: {b: >5}\n", 1, 8, "quotes"),
        ("a: @x\n", 1, 4, "quotes"),
        ("a: b: c\n", 1, 5, "needs quotes"),
        ("a: *x\n", 1, 4, "an alias of nothing that stands before it (*x)"),
        ("a: &x [*x]\n", 1, 8, "an alias of nothing that stands before it (*x)"),
        ("? [a]\n: b\n", 1, 3, "a key that is no text"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
        ("a: x\x07\n", 1, 5, "U+0007"),
        ("a: ok\nb: ${NOPE}\n", 2, 4, '"${NOPE}" is not set'),
        ("a: ${1}\n", 1, 4, '"${1}" is not complete'),
        ("a: " + "[" * 40 + "]" * 40, 1, 28, "nesting deeper than 24"),
    ],
)
def test_what_is_wrong_is_found_at_its_place(text: str, line: int, column: int, message: str) -> None:
    found = finding(text)
    assert found[:2] == (line, column)
    assert message in found[2]


def test_an_alias_bomb_is_refused() -> None:
    bomb = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    assert "more than 100 aliases" in finding(bomb)[2]


@pytest.mark.parametrize("place", ["quotas: *a9", "aliases: *a9", "zzz: *a9", "upstreams: *a9", "routes: [{use: *a9}]"])
def test_aliases_within_bounds_are_never_multiplied_out(place: str) -> None:
    # 90 aliases that stand for 10^10 values: read and judged without visiting them.
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    document = read(f"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{levels}{place}\n", {})
    assert document.findings == []
    config, findings = validate(document)
    assert config is None
    assert findings + check(document, Path())


def test_places_are_those_of_an_editor() -> None:
    document = read("# ä\r\nquotas:\r\n  - name: 'a b'\r\n    per: [user, key]\r\n", {})
    assert document.span(("quotas", 0, "name")) == Span(3, 11, 5)
    assert document.span(("quotas", 0, "name"), on_key=True) == Span(3, 5, 4)
    assert document.span(("quotas", 0, "per", 1)) == Span(4, 17, 3)
    assert document.span(("quotas", 0, "per")) == Span(4, 5, 3)  # a list is told at its key
    assert document.span(("quotas", 0, "missing", "part")) == Span(3, 5, 1)
    assert document.span(("nothing",)) is None


def test_tokens_are_as_the_file_has_them() -> None:
    document: Document = read("a: ${X}\nb: |\n  many\n  lines\n", {"X": "secret"})
    assert document.token(("a",)) == "${X}"
    assert document.token(("b",)) is None


def test_places_are_shown_as_people_write_them() -> None:
    assert shown(("quotas", 0, "match", "role")) == "quotas[0].match.role"
