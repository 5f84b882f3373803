"""A document's tree against the schema: a Config, or every finding. Pure.

What pydantic reports is told in the words of the file. No message takes a value from the tree (it may come from the
environment): what is quoted is the file's own text, and nothing below a key that holds a secret.
"""

import re
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from greyfox_core.config.blot import is_secret
from greyfox_core.config.document import Document, shown
from greyfox_core.config.findings import Finding, Place, nearest
from greyfox_core.config.schema import Config, Part

_QUOTED = re.compile(r"'([^']*)'")
_SENTENCES = {  # pydantic's kind of error: what completes `"value" is …`
    "string_type": "no text: put it in quotes",
    "string_pattern_mismatch": "no name: up to 64 letters, digits and . _ -, the first a letter or digit",
    "string_too_short": "empty",
    "int_type": "no whole number",
    "int_parsing": "no whole number",
    "int_parsing_size": "no whole number of a sensible size",
    "int_from_float": "no whole number",
    "bool_type": "neither true nor false",
    "bool_parsing": "neither true nor false",
    "dict_type": "no mapping of keys to values",
    "model_type": "no mapping of keys to values",
    "tuple_type": "no list",
    "too_short": "empty: it needs at least one",
}
_NOUNS = frozenset(("period", "dialect", "scope", "store", "shadow"))


def validate(document: Document) -> tuple[Config | None, list[Finding]]:
    """The configuration, or what is wrong with its single parts."""
    if not isinstance(document.tree, dict):
        return None, [Finding((), "the file holds no mapping of keys to values: it needs at least upstreams")]
    try:
        return Config.model_validate(document.tree), []
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_input=False)
        return None, [_finding(document, error) for error in errors]


def part_at(place: Place) -> type[Part] | None:
    """The schema's model of the mapping at `place`; None where the file may say anything, or nothing."""
    model: Any = Config
    for step in place:
        if isinstance(model, type) and issubclass(model, Part):
            field: FieldInfo | None = model.model_fields.get(step) if isinstance(step, str) else None
            model = field.annotation if field is not None else None
        else:  # a list or a mapping of parts: whatever the index or the name
            inner = [argument for argument in _arguments(model) if argument is not Ellipsis]
            model = inner[-1] if inner else None
    return next(
        (kind for kind in (model, *_arguments(model)) if isinstance(kind, type) and issubclass(kind, Part)), None
    )


def where(document: Document, place: Place) -> str:
    """` in quotas[0] (developer-day)`: the part, and its name where it has one."""
    if not place:
        return " at the top level"
    for length in range(len(place), 0, -1):
        name = document.token((*place[:length], "name"))
        if name is not None:
            return f" in {shown(place)} ({name})"
    return f" in {shown(place)}"


def _arguments(annotation: Any) -> tuple[Any, ...]:
    """The arguments of a type; what is annotated counts as bare."""
    inner = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _arguments(inner[0]) or (inner[0],)
    return tuple(get_args(kind)[0] if hasattr(kind, "__metadata__") else kind for kind in inner)


def _finding(document: Document, error: Any) -> Finding:
    kind, place, context = error["type"], _place(error["loc"]), error.get("ctx") or {}
    on_key = "[key]" in error["loc"]
    if kind == "extra_forbidden":
        return _unknown_key(document, place)
    if kind == "missing":
        return Finding(place[:-1], f'"{place[-1]}" is missing{where(document, place[:-1])}', on_key=True)
    if kind == "at":
        part = where(document, place).removeprefix(" in ")
        return Finding((*place, context["at"]), f"{part}: {context['sentence']}")
    if kind == "literal_error":
        allowed = tuple(_QUOTED.findall(context["expected"]))
        key = next((part for part in reversed(place) if isinstance(part, str)), "")
        noun = f"no {key}" if key in _NOUNS else f"nothing that {key} can be"
        token = document.token(place)
        return Finding(
            place, f"{_subject(document, place)} is {noun}", allowed=allowed, meant=nearest(token or "", allowed)
        )
    return Finding(
        place, f"{_subject(document, place, on_key=on_key)} is {_sentence(kind, error, context)}", on_key=on_key
    )


def _sentence(kind: str, error: Any, context: Any) -> str:
    match kind:
        case "value_error":
            return str(context["error"])
        case "greater_than":
            return f"too small: it must be more than {context['gt']:g}"
        case "greater_than_equal":
            return f"too small: it must be at least {context['ge']:g}"
        case "less_than_equal":
            return f"too large: it must be at most {context['le']:,}"
        case _:
            return _SENTENCES.get(kind, f"not as it should be ({error['msg'][:1].lower()}{error['msg'][1:]})")


def _subject(document: Document, place: Place, *, on_key: bool = False) -> str:
    """What the message is about: the value as the file has it, else its key."""
    if on_key:
        return f'"{place[-1]}"'
    token = document.token(place)
    if token and not is_secret(place):
        return f'"{token}"'
    return shown(place) or "the file"


def _place(loc: tuple[str | int, ...]) -> Place:
    return tuple(part for part in loc if part != "[key]")


def _unknown_key(document: Document, place: Place) -> Finding:
    part = part_at(place[:-1])
    allowed = tuple(part.model_fields) if part is not None else ()
    key = str(place[-1])
    message = f'unknown key "{key}"{where(document, place[:-1])}'
    return Finding(place, message, on_key=True, allowed=allowed, meant=nearest(key, allowed))
