"""Anthropic's messages. `max_tokens` is required; 0 only warms the provider's cache.

Source: the API reference (versions 2023-06-01 and 2026-10-21) and the official SDK's types.
"""

from collections.abc import Mapping
from typing import Any

from greyfox_core.dialects import errors
from greyfox_core.dialects.anthropic_parts import (
    fields_that_count,
    is_billing,
    media_tokens,
    outside,
)
from greyfox_core.dialects.anthropic_stream import FINISHED, MessageReader, block_texts
from greyfox_core.dialects.base import StreamReader
from greyfox_core.dialects.body import count_of, flag_of, load_object, mapping_of, model_of, objects_of
from greyfox_core.dialects.openai_chat import prepared
from greyfox_core.dialects.outside import Outside
from greyfox_core.dialects.plain import PlainReader
from greyfox_core.dialects.texts import Gathered, joined, objects, text_of
from greyfox_core.dialects.usage import anthropic_usage
from greyfox_core.errors import BadRequest, Refused
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.request import ParsedRequest, Prompt
from greyfox_core.values.usage import Usage

REQUEST_FRAMING = 7
MESSAGE_FRAMING = 4
TOOLS_PREAMBLE = 800  # 300 to 800 by model


class Anthropic:
    name = "anthropic"
    api = "anthropic"

    def parse(self, endpoint: Endpoint, body: bytes, *, max_depth: int) -> ParsedRequest:
        fields = load_object(body, max_depth=max_depth)
        model = model_of(fields)
        objects_of(fields, "messages")
        if fields.get("fallbacks"):
            raise BadRequest(
                "`fallbacks` is refused: GreyFox's own routes decide which models a request may use.", param="fallbacks"
            )
        cap = count_of(fields, "max_tokens", least=0)
        if cap is None:
            raise BadRequest("`max_tokens` is required.", param="max_tokens")
        budget = count_of(mapping_of(fields, "thinking"), "budget_tokens", least=0) or 0
        beside = Outside.of(outside(fields))
        return ParsedRequest(
            endpoint=endpoint,
            raw=body,
            body=fields,
            model=model,
            stream=flag_of(fields, "stream"),
            output_cap=cap,
            output_floor=max(1, min(cap, budget + 1)),
            produces_output=cap > 0,
            unbounded=beside.unbounded,
            stored=beside.stored,
        )

    def prompt(self, request: ParsedRequest, model: str) -> Prompt:
        body = request.body
        found = Gathered(lambda block: media_tokens(model, block), overhead=REQUEST_FRAMING)
        found.add(body.get("system"))
        for message in objects(body.get("messages")):
            found.overhead += MESSAGE_FRAMING
            found.add(message)
        tools = objects(body.get("tools"))
        if tools:
            found.overhead += TOOLS_PREAMBLE
            found.add_definitions(tools)
        for name in ("output_config", "output_format"):
            if isinstance(body.get(name), dict):
                found.add_definitions([body[name]])
        return found.prompt()

    def last_user_text(self, request: ParsedRequest) -> str:
        for message in reversed(objects(request.body.get("messages"))):
            if message.get("role") == "user":
                return text_of(message.get("content"))
        return ""

    def system_text(self, request: ParsedRequest) -> str:
        system = request.body.get("system")
        if isinstance(system, list):
            system = [block for block in system if not is_billing(block)]
        messages = objects(request.body.get("messages"))
        inside = (text_of(one.get("content")) for one in messages if one.get("role") == "system")
        return joined((text_of(system), *inside))

    def all_text(self, request: ParsedRequest) -> str:
        messages = objects(request.body.get("messages"))
        others = (text_of(one.get("content")) for one in messages if one.get("role") != "system")
        return joined((self.system_text(request), *others))

    def can_cap(self, request: ParsedRequest) -> bool:
        return True

    def prepare(
        self, request: ParsedRequest, *, model: str, output_cap: int | None, cap_field: str, ask_usage: bool
    ) -> bytes:
        changed = {} if output_cap in (None, request.output_cap) else {"max_tokens": output_cap}
        return prepared(request, model, changed, dropped=(), ask_usage=False)

    def usage(self, answer: Mapping[str, Any]) -> Usage | None:
        return anthropic_usage(answer.get("usage"))

    def stream(self, request: ParsedRequest, content_type: str, *, usage_asked: bool = True) -> StreamReader:
        return MessageReader() if "event-stream" in content_type else PlainReader(self)

    def output_text(self, answer: Mapping[str, Any]) -> str:
        return joined(text for block in objects(answer.get("content")) for text in block_texts(block))

    def plain_complete(self, answer: Mapping[str, Any]) -> bool:
        return answer.get("stop_reason") in FINISHED and self.usage(answer) is not None

    def error_body(self, error: Refused, request_id: str) -> bytes:
        return errors.anthropic_error(error, request_id)

    def fingerprint_fields(self, request: ParsedRequest) -> Mapping[str, Any]:
        return fields_that_count(request.body, request.raw)

    def uncacheable(self, request: ParsedRequest, *, stored_responses: bool) -> str | None:
        return next((reason for reason, _ in outside(request.body)), None)
