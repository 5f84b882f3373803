"""OpenAI's chat completions, as OpenAI, Azure and the compatible servers speak them.

Source: the API reference and the official SDKs; the compatible servers' own documentation.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from greyfox_core.dialects.base import StreamReader
from greyfox_core.dialects.body import (
    cap_of,
    checked_model,
    count_of,
    flag_of,
    load_object,
    mapping_of,
    model_of,
    objects_of,
)
from greyfox_core.dialects.openai_parts import OpenAiErrors, fields_that_count, handles, media_tokens, parts_of
from greyfox_core.dialects.openai_stream import FINISHED, ChatReader, message_texts
from greyfox_core.dialects.outside import Outside
from greyfox_core.dialects.plain import PlainReader
from greyfox_core.dialects.texts import Gathered, compact, joined, objects, text_of
from greyfox_core.dialects.usage import openai_usage
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.request import ParsedRequest, Prompt
from greyfox_core.values.usage import Usage

CAPS = ("max_completion_tokens", "max_tokens")
MESSAGE_FRAMING = 4  # 3 tokens a message, and its role
REPLY_FRAMING = 3
SEARCHING = ("-search-preview", "-search-api")  # models that search the web by themselves
INSTRUCTIONS = ("system", "developer")


class OpenAiChat(OpenAiErrors):
    name = "openai-chat"

    def parse(self, endpoint: Endpoint, body: bytes, *, max_depth: int) -> ParsedRequest:
        fields = load_object(body, max_depth=max_depth)
        objects_of(fields, "messages")
        stream = flag_of(fields, "stream")
        beside = Outside.of(_outside(fields))
        return ParsedRequest(
            endpoint=endpoint,
            raw=body,
            body=fields,
            model=asked_model(endpoint, fields),
            stream=stream,
            choices=count_of(fields, "n") or 1,
            output_cap=cap_of(fields, *CAPS),
            wants_usage=wants_usage(fields),
            unbounded=beside.unbounded,
            stored=beside.stored,
        )

    def prompt(self, request: ParsedRequest, model: str) -> Prompt:
        body = request.body
        found = Gathered(lambda part: media_tokens(model, part), overhead=REPLY_FRAMING)
        for message in objects(body.get("messages")):
            found.overhead += MESSAGE_FRAMING + ("name" in message)
            found.add(message)
        found.add_definitions(objects(body.get("tools")))
        found.add_definitions(objects(body.get("functions")))
        found.add_definitions(
            body[name] for name in ("response_format", "tool_choice") if isinstance(body.get(name), dict)
        )
        found.add(body.get("prediction"))
        return found.prompt()

    def last_user_text(self, request: ParsedRequest) -> str:
        for message in reversed(objects(request.body.get("messages"))):
            if message.get("role") == "user":
                return text_of(message.get("content"))
        return ""

    def system_text(self, request: ParsedRequest) -> str:
        messages = objects(request.body.get("messages"))
        return joined(text_of(one.get("content")) for one in messages if one.get("role") in INSTRUCTIONS)

    def all_text(self, request: ParsedRequest) -> str:
        return joined(text_of(message.get("content")) for message in objects(request.body.get("messages")))

    def can_cap(self, request: ParsedRequest) -> bool:
        return True

    def prepare(
        self, request: ParsedRequest, *, model: str, output_cap: int | None, cap_field: str, ask_usage: bool
    ) -> bytes:
        changed: dict[str, Any] = {}
        if output_cap is not None and output_cap != request.output_cap:
            changed[cap_field] = output_cap
        return prepared(request, model, changed, dropped=CAPS if changed else (), ask_usage=ask_usage)

    def usage(self, answer: Mapping[str, Any]) -> Usage | None:
        return openai_usage(answer.get("usage"))

    def stream(self, request: ParsedRequest, content_type: str, *, usage_asked: bool = True) -> StreamReader:
        if "event-stream" not in content_type:
            return PlainReader(self)
        return ChatReader(choices=request.choices, withholds=usage_asked and request.stream and not request.wants_usage)

    def output_text(self, answer: Mapping[str, Any]) -> str:
        return joined(
            text for choice in objects(answer.get("choices")) for text in message_texts(choice.get("message"))
        )

    def plain_complete(self, answer: Mapping[str, Any]) -> bool:
        choices = objects(answer.get("choices"))
        if not choices or self.usage(answer) is None:
            return False
        return all(
            choice.get("finish_reason") in FINISHED and not mapping_or_empty(choice.get("message")).get("refusal")
            for choice in choices
        )

    def fingerprint_fields(self, request: ParsedRequest) -> Mapping[str, Any]:
        return fields_that_count(request.body, request.raw, conversation="messages")

    def uncacheable(self, request: ParsedRequest, *, stored_responses: bool) -> str | None:
        if request.body.get("store") is True and not stored_responses:
            return "stored by the provider"
        return next((reason for reason, _ in _outside(request.body)), None)


def asked_model(endpoint: Endpoint, fields: Mapping[str, Any]) -> str:
    """The model in Azure's path (the deployment), else the one that the body names."""
    return model_of(fields) if endpoint.model is None else checked_model(endpoint.model)


def wants_usage(fields: Mapping[str, Any]) -> bool:
    """Whether the caller itself asks for a usage chunk."""
    return flag_of(mapping_of(fields, "stream_options"), "include_usage")


def mapping_or_empty(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def prepared(
    request: ParsedRequest, model: str, changed: Mapping[str, Any], *, dropped: tuple[str, ...], ask_usage: bool
) -> bytes:
    """The body with these changes; the caller's own bytes where there are none."""
    body = request.body
    changes = dict(changed)
    if model != request.model and (request.endpoint.model is None or "model" in body):
        changes["model"] = model
    if ask_usage and request.stream and not request.wants_usage:
        changes["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    if not changes:
        return request.raw
    return orjson.dumps({key: value for key, value in body.items() if key not in dropped} | changes)


def _outside(body: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What the answer depends on beside the request: (reason, whether the input's size is unknown by it)."""
    if body.get("web_search_options") is not None or any(name in str(body.get("model")) for name in SEARCHING):
        yield "web search", True
    for tool in objects(body.get("tools")):
        if tool.get("type", "function") not in ("function", "custom"):
            yield "hosted tools", True
    messages = objects(body.get("messages"))
    if any(isinstance(message.get("audio"), dict) for message in messages):
        yield "stored audio", True
    yield from handles(parts_of(messages))
    if body.get("audio") is not None or "audio" in compact(body.get("modalities")):
        yield "audio output", False
