"""A YAML text as plain values that remember where they stand.

Only YAML's plain core is read: mappings with text as keys, lists, scalars and aliases. Tags, duplicate keys, several
documents and nesting beyond reason are findings. Typed by the core schema (without infinities): `yes`, `on`, `12:30`
and dates are text.

Units:   `MAX_BYTES` bytes; spans as in `findings.py`.
Source:  YAML 1.2.2, chapter 10.3 (core schema).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from greyfox_core.config.expand import expanded, has_forms, shielded, unshielded
from greyfox_core.config.findings import Finding, Place, Span

MAX_BYTES = 1_048_576
MAX_ALIASES = 100
MAX_DEPTH = 24  # the schema needs eight

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_FOREIGN = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U000effff]")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {
    word: value for value, words in ((True, "true True TRUE"), (False, "false False FALSE")) for word in words.split()
}
_INT = re.compile(r"[-+]?[0-9]{1,300}", re.ASCII)
_BASED = re.compile(r"0o([0-7]{1,100})|0x([0-9a-fA-F]{1,100})", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)


@dataclass(slots=True)
class Document:
    """`tree` is mappings, lists and scalars, expanded. `written` is each scalar as the file has it, unexpanded."""

    lines: list[str]
    tree: Any = None
    keys: dict[Place, Span] = field(default_factory=dict)
    values: dict[Place, Span] = field(default_factory=dict)
    written: dict[Place, str] = field(default_factory=dict)
    shared: dict[Place, Place] = field(default_factory=dict)  # an alias's place and the place it stands for
    spread: dict[int, Place] = field(default_factory=dict)  # each line of a value on several lines, and whose it is
    findings: list[Finding] = field(default_factory=list)

    def span(self, place: Place, *, on_key: bool = False) -> Span | None:
        """Where `place` is, or the nearest part around it that the text has."""
        for length in range(len(place), 0, -1):
            part = self.resolved(place[:length])
            if part in self.keys and (on_key or not self.written.get(part)):
                return self.keys[part]
            if part in self.values:
                return self.values[part]
        return None

    def token(self, place: Place) -> str | None:
        """The scalar there as the file has it, on one line and not too long to be quoted."""
        text = self.written.get(self.resolved(place))
        return text if text is not None and len(text) <= 80 and text.isprintable() else None

    def resolved(self, place: Place) -> Place:
        """`place` with aliases followed to what they stand for."""
        for length in range(1, len(place) + 1):
            if place[:length] in self.shared:
                return self.resolved(self.shared[place[:length]] + place[length:])
        return place


class _Stop(Exception):
    """Nothing after this can be understood."""


def read(text: str, environ: Mapping[str, str]) -> Document:
    """The text as a document; where it is no YAML, its findings say so and the tree is None."""
    document = Document(_BREAK.split(text))
    if foreign := _FOREIGN.search(text):
        before = _BREAK.split(text[: foreign.start()])
        span = Span(len(before), len(before[-1]) + 1)
        document.findings.append(
            Finding((), f"a character that YAML does not allow (U+{ord(foreign[0]):04X})", span=span)
        )
        return document
    composer = _Composer(document, YAML(typ="safe", pure=True).parse(shielded(text)), environ)
    try:
        composer.compose()
    except _Stop:
        pass
    except MarkedYAMLError as error:
        document.findings.append(_syntax(document, error))
    except YAMLError as error:
        document.findings.append(Finding((), f"no YAML: {type(error).__name__}"))
    return document


class _Composer:
    """Turns events into the tree, and notes where everything stands."""

    def __init__(self, document: Document, events: Iterator[Event], environ: Mapping[str, str]) -> None:
        self._document = document
        self._events = events
        self._environ = environ
        self._anchors: dict[str, tuple[Place, Any]] = {}
        self._aliases = 0

    def compose(self) -> None:
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop("a second document: a configuration is one", event)
            elif isinstance(event, NodeEvent):
                self._document.tree = self._node(event, (), 0)

    def _node(self, event: Any, place: Place, depth: int) -> Any:
        if depth > MAX_DEPTH:
            self._stop(f"nesting deeper than {MAX_DEPTH}", event)
        if isinstance(event, AliasEvent):
            return self._alias(event, place)
        self._refuse_tag(event)
        if isinstance(event, ScalarEvent):
            value = self._scalar(event, place)
        else:
            self._document.values[place] = self._span(event, first_sign=True)
            value = self._mapping(place, depth) if isinstance(event, MappingStartEvent) else self._list(place, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (place, value)  # after its content: an alias inside it cannot name it
        return value

    def _mapping(self, place: Place, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self._stop("a key that is no text", event)
            self._refuse_tag(event)
            key = unshielded(str(event.value))
            here = (*place, key)
            if key in mapping:
                first = self._document.keys[here]
                message = f'duplicate key "{key}"{self._where(place)}, first on line {first.line}'
                self._document.findings.append(Finding(here, message, span=self._span(event)))
                self._node(next(self._events), (*place, f"{key} again"), depth + 1)
                continue
            self._document.keys[here] = self._span(event)
            mapping[key] = None
            mapping[key] = self._node(next(self._events), here, depth + 1)
        return mapping

    def _list(self, place: Place, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, (*place, len(items)), depth + 1))
        return items

    def _alias(self, event: Any, place: Place) -> Any:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._stop(f"more than {MAX_ALIASES} aliases", event)
        if event.anchor not in self._anchors:
            self._stop(f"an alias of nothing that stands before it (*{event.anchor})", event)
        self._document.shared[place], value = self._anchors[event.anchor]
        return value

    def _scalar(self, event: Any, place: Place) -> Any:
        text = unshielded(event.value)
        span = self._span(event)
        self._document.values[place] = span
        self._document.written[place] = text
        if event.end_mark.line + 1 > span.line:
            self._document.spread.update(dict.fromkeys(range(span.line, event.end_mark.line + 2), place))
        if has_forms(text):
            try:
                return expanded(text, self._environ)
            except ValueError as error:
                shown = f'"{text}"' if len(text) <= 80 and ":-" not in text and text.isprintable() else "this"
                self._document.findings.append(Finding(place, f"{shown} is {error}"))
                return ""
        return _typed(text) if event.style is None else text

    def _refuse_tag(self, event: Event) -> None:
        if getattr(event, "tag", None) not in (None, "!"):
            self._document.findings.append(Finding((), "a tag: values are plain here", span=self._span(event)))

    def _where(self, place: Place) -> str:
        return f" in {shown(place)}" if place else ""

    def _stop(self, message: str, event: Event) -> NoReturn:
        self._document.findings.append(Finding((), message, span=self._span(event)))
        raise _Stop

    def _span(self, event: Event, *, first_sign: bool = False) -> Span:
        start, end = event.start_mark, event.end_mark
        line = self._document.lines[start.line] if start.line < len(self._document.lines) else ""
        last = end.column if end.line == start.line else len(line)
        return Span(start.line + 1, start.column + 1, 1 if first_sign else max(1, last - start.column))


def shown(place: Place) -> str:
    """A place as people write it: `quotas[0].match`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _typed(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if based := _BASED.fullmatch(text):
        return int(based[1], 8) if based[1] else int(based[2], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _syntax(document: Document, error: MarkedYAMLError) -> Finding:
    mark = error.problem_mark or error.context_mark
    line = document.lines[mark.line] if mark.line < len(document.lines) else ""
    sign = line[mark.column] if mark.column < len(line) else ""
    said = str(error.problem or error.context)
    hint = ""
    if sign == "\t" or "\t" in line[: len(line) - len(line.lstrip())]:
        said, hint = "a tab indents this line", ": YAML is indented by spaces alone"
    elif (sign and sign in ">@%`") or "chomping" in said:
        hint = ": put the value in quotes"
    elif "mapping values" in said:
        hint = ": a value that has a colon and a space in it needs quotes"
    return Finding((), f"no YAML: {said}{hint}", span=Span(mark.line + 1, mark.column + 1))
