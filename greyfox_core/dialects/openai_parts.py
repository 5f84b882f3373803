"""What the dialects of OpenAI's family share: content parts, fields that change no answer, handles to stored things.

Source: OpenAI's API reference and the types of its official SDK; `video_url` and `audio_url` are vLLM's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from greyfox_core.dialects import errors
from greyfox_core.dialects.image_size import bytes_in_base64, size_in_base64
from greyfox_core.dialects.media import audio_tokens, document_tokens, image_tokens, video_tokens
from greyfox_core.dialects.texts import objects
from greyfox_core.errors import Refused

# Attribution, delivery and price: they change no answer. Whoever says what a provider added yesterday changes one.
NO_CHANGE = frozenset(
    ("stream", "stream_options", "user", "metadata", "safety_identifier", "service_tier")
) | frozenset(("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"))
_MARKS = ("cache_control", "prompt_cache_breakpoint")


class OpenAiErrors:
    """Errors of chat completions, completions and embeddings."""

    api = "openai"

    def error_body(self, error: Refused, request_id: str) -> bytes:
        return errors.openai_error(error)


def media_tokens(model: str, part: Mapping[str, Any]) -> int | None:
    """Tokens of a part that is a picture, sound, film or file with its content; None for any other part."""
    if "image_url" in part or part.get("type") == "input_image":
        image = part.get("image_url")
        source: Mapping[str, Any] = image if isinstance(image, Mapping) else {"url": image}
        detail = source.get("detail") or part.get("detail")
        data = _data(source.get("url"))
        return image_tokens(model, size_in_base64(data) if data else None, str(detail or "auto"))
    for kind in ("video_url", "audio_url"):
        film = part.get(kind)
        if isinstance(film, Mapping):
            length = bytes_in_base64(_data(film.get("url")) or "")
            return video_tokens(length) if kind == "video_url" else audio_tokens(model, length, "")
    sound = part.get("input_audio")
    if isinstance(sound, Mapping):
        return audio_tokens(model, bytes_in_base64(str(sound.get("data") or "")), str(sound.get("format")))
    file = part.get("file") if isinstance(part.get("file"), Mapping) else part
    if isinstance(file, Mapping) and isinstance(data := file.get("file_data"), str):
        return document_tokens(bytes_in_base64(_data(data) or data)) + image_tokens(model, None)
    return None


def handles(parts: Iterator[Mapping[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Content behind handles: (what it is, whether its size is unknown). A picture has a largest size."""
    for part in parts:
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, Mapping) else image
        if isinstance(url, str) and not url.startswith("data:"):
            yield "a picture behind a URL", False
        for kind in ("video_url", "audio_url"):
            source = part.get(kind)
            if isinstance(source, Mapping) and not _data(source.get("url")):
                yield "sound or film behind a URL", True
        file = part.get("file") if isinstance(part.get("file"), Mapping) else part
        if isinstance(file, Mapping):
            if file.get("file_id") is not None:
                yield "a stored file", part.get("type") != "input_image"
            if file.get("file_url") is not None:
                yield "a file behind a URL", True


def parts_of(messages: Any) -> Iterator[dict[str, Any]]:
    """Every content part of messages or items, those of tool results included."""
    for message in objects(messages):
        for name in ("content", "output"):
            value = message.get(name)
            if isinstance(value, dict):
                yield value
            else:
                yield from objects(value)


def fields_that_count(body: Mapping[str, Any], raw: bytes, *, conversation: str) -> dict[str, Any]:
    """The body without what changes no answer. `conversation` is the field that holds messages or items."""
    kept = {key: value for key, value in body.items() if key not in NO_CHANGE}
    if kept.get("store", True) in (False, None):
        kept.pop("store", None)
    if any(f'"{mark}"'.encode() in raw for mark in _MARKS):
        for name in (conversation, "tools"):
            if isinstance(kept.get(name), list):
                kept[name] = [_unmarked(item) for item in kept[name]]
        for mark in _MARKS:
            kept.pop(mark, None)
    return kept


def _unmarked(item: Any) -> Any:
    """An item without its own marks for the provider's prompt cache and those of its parts."""
    if not isinstance(item, dict):
        return item
    kept = {key: value for key, value in item.items() if key not in _MARKS}
    for name in ("content", "output"):
        if isinstance(kept.get(name), list):
            kept[name] = [_unmarked(part) for part in kept[name]]
    return kept


def _data(url: Any) -> str | None:
    """The base64 of a data URL."""
    if isinstance(url, str) and url.startswith("data:"):
        return url.partition(",")[2]
    return None
