"""Types of single values, in all the forms that they may be written in."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from greyfox_core.config import fields


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (fields.Globs, "a*", ("a*",)),
        (fields.Globs, ["a", "b"], ("a", "b")),
        (fields.Hosts, "A.example", ("a.example",)),
        (fields.Dimensions, "user", ("user",)),
        (fields.Dimensions, ["user", "model"], ("user", "model")),
        (fields.Seconds, "1h", 3600.0),
        (fields.Bytes, "1KiB", 1024),
        (fields.Tokens, "10000", 10_000),
        (fields.Tokens, 0, 0),
        (fields.Count, 1, 1),
        (fields.AllowedPaths, "GET /files/*", ("GET /files/*",)),
    ],
)
def test_values_are_normalised(kind: Any, given: object, value: object) -> None:
    assert TypeAdapter(kind).validate_python(given) == value


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (fields.Globs, []),
        (fields.Globs, [""]),
        (fields.Globs, [5]),
        (fields.Globs, {"a": 1}),
        (fields.Dimensions, "users"),
        (fields.Wait, 0),
        (fields.Bytes, 0),
        (fields.Tokens, -1),
        (fields.Tokens, True),
        (fields.Tokens, 1.5),
        (fields.Tokens, 2**53 + 1),
        (fields.Count, 0),
        (fields.Name, ".a"),
        (fields.Name, "a" * 65),
        (fields.Name, "a b"),
        (fields.Backend, "memory"),
        (fields.UpstreamKey, "line\nbreak"),
        (fields.Patterns, "("),
    ],
)
def test_what_does_not_fit_is_refused(kind: Any, given: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(given)


def test_an_upstream_key_loses_the_line_break_of_its_file() -> None:
    assert TypeAdapter(fields.UpstreamKey).validate_python("key\n").get_secret_value() == "key"
