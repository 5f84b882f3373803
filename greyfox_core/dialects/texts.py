"""Collects what costs input out of a request's JSON: texts to be tokenised, and tokens by formula for the rest.

The walk counts what it does not know: a field that a provider added yesterday is text until somebody says otherwise.
Base64 and signatures are never text.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from greyfox_core.values.request import Prompt

# Names, ids and switches that a model does not read as text; roles are in the framing.
SILENT = frozenset(
    (
        *("type", "id", "role", "tool_call_id", "call_id", "tool_use_id", "index", "status", "phase", "thought"),
        *("strict", "detail", "format", "mime_type", "mimeType", "media_type", "is_error"),
        *("cache_control", "prompt_cache_breakpoint"),
    )
)
# Encrypted or encoded: as many tokens as they have four characters.
OPAQUE = frozenset(["data", "encrypted_content", "signature", "thoughtSignature", "file_data"])
# A tool call's arguments and results: any JSON, read as such.
FREE_FORM = frozenset(["input", "args", "arguments", "response"])
TOOL_FRAMING = 16  # tokens a tool definition, a bound


@dataclass(slots=True)
class Gathered:
    """What has been found so far. `media_of` gives the tokens of a picture, sound or document, None for other parts."""

    media_of: Callable[[Mapping[str, Any]], int | None]
    texts: list[str] = field(default_factory=list)
    overhead: int = 0
    media: int = 0
    tokens: int = 0

    def add(self, node: Any) -> None:
        """Everything below `node`."""
        if isinstance(node, str):
            if node:
                self.texts.append(node)
        elif isinstance(node, dict):
            tokens = self.media_of(node)
            if tokens is not None:
                self.media += tokens
                return
            for key, value in node.items():
                if key in OPAQUE and node.get("type") != "text":  # a document of plain text has it under `data` too
                    self.media += _opaque(value)
                elif key in FREE_FORM and isinstance(value, dict):
                    self.texts.append(compact(value))
                elif key not in SILENT:
                    self.add(value)
        elif isinstance(node, list):
            for item in node:
                self.add(item)

    def add_definitions(self, definitions: Iterable[Any]) -> None:
        """Tools and schemas: as the text of their compact JSON, and framing for each."""
        for definition in definitions:
            self.texts.append(compact(definition))
            self.overhead += TOOL_FRAMING

    def prompt(self) -> Prompt:
        return Prompt(tuple(self.texts), self.overhead, self.media, self.tokens)


def compact(node: Any) -> str:
    """Compact JSON; text as it is."""
    return node if isinstance(node, str) else orjson.dumps(node).decode()


def text_of(content: Any) -> str:
    """A message's text: a string, or the `text` of its parts joined by newlines."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        found = (
            part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict)
        )
        return "\n".join(text for text in found if isinstance(text, str) and text)
    return ""


def joined(texts: Iterable[str]) -> str:
    """The texts that are not empty, by newlines."""
    return "\n".join(text for text in texts if text)


def strings(node: Any, *names: str) -> Iterable[str]:
    """The fields of an object that are text and not empty."""
    if isinstance(node, Mapping):
        for name in names:
            value = node.get(name)
            if isinstance(value, str) and value:
                yield value


def objects(node: Any) -> list[dict[str, Any]]:
    """The objects of a list; empty for anything else."""
    return [item for item in node if isinstance(item, dict)] if isinstance(node, list) else []


def _opaque(node: Any) -> int:
    if isinstance(node, str):
        return (len(node) + 3) // 4
    if isinstance(node, list):
        return sum(_opaque(item) for item in node)
    return 0
