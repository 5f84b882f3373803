"""Strict reading of JSON bodies and of the fields that cost tokens.

What two JSON readers could understand differently is refused: duplicate keys, NaN, numbers of more than 19 digits, a
byte order mark, lone surrogates, bytes after the end. The provider must see what GreyFox counted.

Units:   depth is nested arrays and objects, the outermost being 1; caps are tokens.
Errors:  BadRequest, with the field at fault in `param`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from greyfox_core.errors import BadRequest

MAX_INTEGER = 10**19 - 1  # 19 digits: what every reader keeps exactly
MAX_FLOAT = 1e19  # an integer above 64 bits is read as a float of at least this
MAX_VALUES = 1_000_000
MAX_CAP = 2**53
MAX_MODEL = 256

# Counting `":` counts at least the keys, unless blanks stand before a colon. (In a text, where a quote is escaped, it
# counts too much; then, as with blanks, the slow reader decides.)
_BLANK_COLONS = (b" :", b"\t:", b"\n:", b"\r:")
_NO_MODEL = re.compile(r'[*?\[\]{}%\\"<>]|\.\.|^\s|\s$')


def load_object(raw: bytes, *, max_depth: int) -> dict[str, Any]:
    """The JSON object in `raw`. Raises BadRequest for anything else."""
    try:
        loaded = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The request's body is not valid JSON (at character {error.pos}).") from None
    if type(loaded) is not dict:
        raise BadRequest("The request's body must be a JSON object.")
    keys, big_float = _walk(loaded, max_depth)
    if big_float or keys != raw.count(b'":') or any(sign in raw for sign in _BLANK_COLONS):
        _read_slowly(raw)
    return loaded


def _walk(root: dict[str, Any], max_depth: int) -> tuple[int, bool]:
    """How many keys there are, and whether a float may have been a long integer."""
    keys, values, depth, big_float = 0, 0, 0, False
    level: list[Any] = [root]
    while level:
        depth += 1
        if depth > max_depth:
            raise BadRequest(f"The request's body is nested deeper than {max_depth} levels.")
        deeper: list[Any] = []
        for node in level:
            values += len(node)
            if type(node) is dict:
                keys += len(node)
                node = node.values()
            for child in node:
                kind = type(child)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    deeper.append(child)
                elif kind is int:
                    if child > MAX_INTEGER:
                        raise BadRequest("The request's body holds an integer of more than 19 digits.")
                elif kind is float and not -MAX_FLOAT < child < MAX_FLOAT:
                    big_float = True
        if values > MAX_VALUES:
            raise BadRequest(f"The request's body holds more than {MAX_VALUES:,} values.")
        level = deeper
    return keys, big_float


def _read_slowly(raw: bytes) -> None:
    """Reads once more with a reader that tells of every pair and every digit."""
    json.loads(raw, object_pairs_hook=_unique, parse_int=_short)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("The request's body names a key twice in one object.")
    return found


def _short(digits: str) -> int:
    if len(digits.lstrip("-")) > 19:
        raise BadRequest("The request's body holds an integer of more than 19 digits.")
    return int(digits)


def model_of(body: Mapping[str, Any], field: str = "model") -> str:
    """The model that the body names. Raises BadRequest."""
    return checked_model(body.get(field), field)


def checked_model(model: Any, field: str = "model") -> str:
    """`model`, if it can be a model's name: text of 1 to 256 characters without patterns, dots in a row or controls."""
    if not isinstance(model, str) or not model:
        raise BadRequest(f"`{field}` must name a model.", param=field)
    if len(model) > MAX_MODEL or not model.isprintable() or _NO_MODEL.search(model):
        raise BadRequest(f"`{field}` is no model's name.", param=field)
    return model


def flag_of(body: Mapping[str, Any], field: str, default: bool = False) -> bool:
    """A boolean; absent or null means `default`."""
    value = body.get(field)
    if value is None:
        return default
    if type(value) is not bool:
        raise BadRequest(f"`{field}` must be true or false.", param=field)
    return value


def count_of(body: Mapping[str, Any], field: str, *, least: int = 1) -> int | None:
    """A whole number from `least` to 2^53; None where it is absent or null."""
    value = body.get(field)
    if value is None:
        return None
    if type(value) is not int or not least <= value <= MAX_CAP:
        raise BadRequest(f"`{field}` must be a whole number from {least} to 2^53.", param=field)
    return value


def cap_of(body: Mapping[str, Any], *fields: str) -> int | None:
    """The output cap, of which the body may name one spelling only; None where it names none."""
    named = [field for field in fields if body.get(field) is not None]
    if len(named) > 1:
        raise BadRequest(f"Name one output cap, not {' and '.join(f'`{field}`' for field in named)}.", param=named[1])
    return count_of(body, named[0]) if named else None


def objects_of(body: Mapping[str, Any], field: str, *, required: bool = True) -> list[dict[str, Any]]:
    """A list of objects; empty where it is absent and not `required`."""
    value = body.get(field)
    if value is None and not required:
        return []
    if not isinstance(value, list) or not all(type(item) is dict for item in value):
        raise BadRequest(f"`{field}` must be a list of objects.", param=field)
    return value


def mapping_of(body: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """An object; empty where it is absent or null."""
    value = body.get(field)
    if value is None:
        return {}
    if type(value) is not dict:
        raise BadRequest(f"`{field}` must be an object.", param=field)
    return value


def prompts_of(body: Mapping[str, Any], field: str) -> tuple[list[str], list[list[int]]]:
    """A prompt or a list of prompts, each text or tokens: (the texts, the token lists)."""
    value = body.get(field)
    if isinstance(value, str):
        return [value], []
    if isinstance(value, list) and value:
        if all(isinstance(item, str) for item in value):
            return value, []
        if all(type(item) is int for item in value):
            return [], [value]
        if all(isinstance(item, list) and all(type(token) is int for token in item) for item in value):
            return [], value
    raise BadRequest(f"`{field}` must be text, tokens, or a list of either.", param=field)
