"""Content blocks, tools and marks of Anthropic's messages.

Source: the API reference (versions 2023-06-01 and 2026-10-21) and the official SDK's types; what Claude Code sends.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from greyfox_core.dialects.image_size import bytes_in_base64, size_in_base64
from greyfox_core.dialects.media import document_tokens, image_tokens
from greyfox_core.dialects.texts import objects

# Attribution, delivery and price: they change no answer.
NO_CHANGE = frozenset(["stream", "metadata", "service_tier", "cache_control", "diagnostics", "inference_geo", "speed"])
BILLING = (
    "x-anthropic-billing-header:"  # Claude Code's first system block, another one for each conversation or request
)
CLIENT_TOOLS = ("bash_", "text_editor_", "memory_", "computer_", "browser_toolset_")
STATE = {
    "thread": "a stored conversation",
    "container": "a stored container",
    "compaction": "compaction",
    "mcp_servers": "MCP servers",
}


def media_tokens(model: str, block: Mapping[str, Any]) -> int | None:
    """Tokens of a picture or a document with its content; None for any other block, and for documents of text."""
    kind, source = block.get("type"), block.get("source")
    if kind not in ("image", "document") or not isinstance(source, Mapping):
        return None
    data = source.get("data")
    if kind == "image":
        return image_tokens(model, size_in_base64(data) if isinstance(data, str) else None)
    if source.get("type") == "base64" and isinstance(data, str):
        return document_tokens(bytes_in_base64(data)) + image_tokens(model, None)
    if source.get("type") in ("file", "url"):
        return 0  # of unknown size: `outside` says so
    return None


def blocks_of(messages: Any) -> Iterator[dict[str, Any]]:
    """Every content block, those inside tool results and documents included."""
    stack = [message.get("content") for message in objects(messages)]
    while stack:
        for block in objects(stack.pop()):
            yield block
            stack.append(block.get("content"))
            source = block.get("source")
            if isinstance(source, dict):
                stack.append(source.get("content"))


def outside(body: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What the answer depends on beside the request: (reason, whether the input's size is unknown by it)."""
    for field, reason in STATE.items():
        if body.get(field):
            yield reason, True
    if managed := body.get("context_management"):
        edits = managed.get("edits") if isinstance(managed, dict) else None
        yield "managed context", any(str(edit.get("type", "")).startswith("compact") for edit in objects(edits))
    for tool in objects(body.get("tools")):
        kind = tool.get("type")
        if kind not in (None, "custom") and not str(kind).startswith(CLIENT_TOOLS):
            yield "server tools", True
    for block in blocks_of(body.get("messages")):
        source = block.get("source")
        if isinstance(source, dict) and source.get("type") in ("file", "url"):
            what = "a stored file" if source["type"] == "file" else "a file behind a URL"
            yield what, block.get("type") != "image"
        if block.get("type") == "container_upload":
            yield "a stored file", True


def fields_that_count(body: Mapping[str, Any], raw: bytes) -> dict[str, Any]:
    """The body without what changes no answer: attribution, Claude Code's billing block, marks for the prompt cache."""
    kept = {key: value for key, value in body.items() if key not in NO_CHANGE}
    if BILLING.encode() in raw and isinstance(kept.get("system"), list):
        kept["system"] = [block for block in kept["system"] if not is_billing(block)]
    if b'"cache_control"' in raw:
        for name in ("system", "tools", "messages"):
            if isinstance(kept.get(name), list):
                kept[name] = [_unmarked(item) for item in kept[name]]
    return kept


def is_billing(block: Any) -> bool:
    """Claude Code's attribution: it is meant for the provider's books, not for the model."""
    return isinstance(block, dict) and str(block.get("text", "")).startswith(BILLING)


def _unmarked(item: Any) -> Any:
    # Only along `content`: a tool's input or schema may hold a field of the same name that does mean something.
    if not isinstance(item, dict):
        return item
    kept = {key: value for key, value in item.items() if key != "cache_control"}
    if isinstance(kept.get("content"), list):
        kept["content"] = [_unmarked(block) for block in kept["content"]]
    return kept
