"""Bodies of Gemini's API: one spelling of their fields, media, and what lies outside the request.

Source: the API reference; proto3's JSON mapping, by which fields may be written in camelCase and in snake_case.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from greyfox_core.dialects.image_size import bytes_in_base64, size_in_base64
from greyfox_core.dialects.media import audio_tokens, document_tokens, image_tokens, video_tokens
from greyfox_core.dialects.texts import objects
from greyfox_core.errors import BadRequest

# The caller's own JSON: its keys are names, not fields.
FREE_FORM = frozenset(
    ["args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels"]
)
NO_CHANGE = frozenset(["labels", "serviceTier", "model"])
OWN_TOOLS = frozenset(["functionDeclarations", "computerUse"])  # the caller runs them
_UNDERSCORE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def camel(field: str) -> str:
    """`generation_config` as `generationConfig`."""
    return _UNDERSCORE.sub(lambda match: match[1].upper(), field)


def normal(node: Any) -> Any:
    """The same body with every field in camelCase. Raises BadRequest where one object has both spellings of a field."""
    if isinstance(node, dict):
        found: dict[str, Any] = {}
        for key, value in node.items():
            field = camel(key) if "_" in key else key
            if field in found:
                raise BadRequest(f"`{field}` is given twice, in two spellings.", param=field)
            found[field] = value if field in FREE_FORM else normal(value)
        return found
    if isinstance(node, list):
        return [normal(item) for item in node]
    return node


def contents_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every content of a request: of the conversation, or to be embedded."""
    single = body.get("content")
    batch = [request.get("content") for request in objects(body.get("requests"))]
    return [*objects(body.get("contents")), *objects([single, *batch])]


def parts_of(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every part of every content, instructions included."""
    for content in (*contents_of(body), *objects([body.get("systemInstruction")])):
        yield from objects(content.get("parts"))


def media_tokens(model: str, part: Mapping[str, Any], resolution: str) -> int | None:
    """Tokens of a part with its bytes inline; None for any other part. A part's own resolution goes before."""
    if "fileData" in part:
        return 0  # of unknown size: `outside` says so
    inline = part.get("inlineData")
    if not isinstance(inline, Mapping):
        return None
    data, kind = str(inline.get("data") or ""), str(inline.get("mimeType") or "")
    length = bytes_in_base64(data)
    if kind.startswith("image/"):
        own = part.get("mediaResolution")
        level = own.get("level") if isinstance(own, Mapping) else own
        return image_tokens(model, size_in_base64(data), str(level or resolution))
    if kind.startswith("audio/"):
        return audio_tokens(model, length, kind.removeprefix("audio/"))
    if kind.startswith("video/"):
        return video_tokens(length)
    return document_tokens(length) + image_tokens(model, None, resolution)


def outside(body: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What the answer depends on beside the request: (reason, whether the input's size is unknown by it)."""
    if body.get("cachedContent"):
        yield "cached content", True
    if body.get("continuationToken"):
        yield "a stored answer", True
    for tool in objects(body.get("tools")):
        if any(value is not None and name not in OWN_TOOLS for name, value in tool.items()):
            yield "server tools", True
    if any("fileData" in part for part in parts_of(body)):
        yield "a stored file", True
    if body.get("store") is True:
        yield "stored by the provider", False
    config = body.get("generationConfig")
    modalities = config.get("responseModalities") if isinstance(config, Mapping) else None
    if isinstance(modalities, list) and any(str(one).upper() != "TEXT" for one in modalities):
        yield "audio or image output", False
