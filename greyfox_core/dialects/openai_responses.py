"""OpenAI's responses, with `/responses/compact` and `/decisions`, which share its input and its usage.

Streams have no `[DONE]`: `response.completed`, `.incomplete` and `.failed` end them, each with the whole response.
Source: the API reference and the official SDK's types; what the Codex command line sends.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from greyfox_core.dialects import errors
from greyfox_core.dialects.base import StreamReader
from greyfox_core.dialects.body import cap_of, flag_of, load_object, model_of
from greyfox_core.dialects.openai_chat import INSTRUCTIONS, MESSAGE_FRAMING, REPLY_FRAMING, prepared
from greyfox_core.dialects.openai_parts import OpenAiErrors, fields_that_count, handles, media_tokens, parts_of
from greyfox_core.dialects.outside import Outside
from greyfox_core.dialects.plain import PlainReader
from greyfox_core.dialects.sse import SseReader, all_said, data_of, loaded, said_under, split
from greyfox_core.dialects.texts import Gathered, joined, objects, strings, text_of
from greyfox_core.dialects.usage import responses_usage
from greyfox_core.errors import BadRequest, Refused
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.request import ParsedRequest, Prompt
from greyfox_core.values.usage import Usage

LEAST_CAP = 16  # what the API accepts for max_output_tokens
# Tools that the caller runs, or that only choose among the request's own; every other type runs at the provider.
OWN_TOOLS = frozenset(
    ["function", "custom", "namespace", "tool_search", "local_shell", "apply_patch", "computer", "computer_use_preview"]
)
SAID = said_under("delta")
STATE = {
    "previous_response_id": "a stored response",
    "conversation": "a stored conversation",
    "prompt": "a stored prompt",
    "context_management": "managed context",
}


class OpenAiResponses(OpenAiErrors):
    name = "openai-responses"

    def parse(self, endpoint: Endpoint, body: bytes, *, max_depth: int) -> ParsedRequest:
        fields = load_object(body, max_depth=max_depth)
        if flag_of(fields, "background"):
            raise BadRequest("`background` answers are not metered by GreyFox and are refused.", param="background")
        if fields.get("model") is None:
            raise BadRequest(
                "Name a `model`: one that a stored prompt or response implies cannot be metered.", param="model"
            )
        given = fields.get("input")
        if not (
            given is None or isinstance(given, str) or (isinstance(given, list) and len(objects(given)) == len(given))
        ):
            raise BadRequest("`input` must be text or a list of objects.", param="input")
        cap = cap_of(fields, "max_output_tokens")
        beside = Outside.of(_outside(fields))
        return ParsedRequest(
            endpoint=endpoint,
            raw=body,
            body=fields,
            model=model_of(fields),
            stream=flag_of(fields, "stream"),
            output_cap=cap,
            output_floor=LEAST_CAP if cap is None else min(cap, LEAST_CAP),
            unbounded=beside.unbounded,
            stored=beside.stored,
        )

    def prompt(self, request: ParsedRequest, model: str) -> Prompt:
        body = request.body
        found = Gathered(lambda part: media_tokens(model, part), overhead=REPLY_FRAMING)
        for item in _items(body):
            found.overhead += MESSAGE_FRAMING
            found.add(item)
        if body.get("instructions"):
            found.overhead += MESSAGE_FRAMING
            found.add(body["instructions"])
        found.add_definitions(objects(body.get("tools")))
        for name in ("text", "tool_choice"):
            if isinstance(body.get(name), dict):
                found.add_definitions([body[name]])
        stored = body.get("prompt")
        found.add(stored.get("variables") if isinstance(stored, dict) else None)
        return found.prompt()

    def last_user_text(self, request: ParsedRequest) -> str:
        for item in reversed(_items(request.body)):
            if item.get("role") == "user":
                return text_of(item.get("content"))
        return ""

    def system_text(self, request: ParsedRequest) -> str:
        items = _items(request.body)
        inside = (text_of(item.get("content")) for item in items if item.get("role") in INSTRUCTIONS)
        return joined((text_of(request.body.get("instructions")), *inside))

    def all_text(self, request: ParsedRequest) -> str:
        found = [text_of(request.body.get("instructions"))]
        for item in _items(request.body):
            found += (text_of(item.get("content")), text_of(item.get("output")))
        return joined(found)

    def can_cap(self, request: ParsedRequest) -> bool:
        return request.endpoint.operation == "generate"

    def prepare(
        self, request: ParsedRequest, *, model: str, output_cap: int | None, cap_field: str, ask_usage: bool
    ) -> bytes:
        changed: dict[str, Any] = {}
        if output_cap is not None and output_cap != request.output_cap and self.can_cap(request):
            changed["max_output_tokens"] = output_cap
        return prepared(request, model, changed, dropped=(), ask_usage=False)

    def usage(self, answer: Mapping[str, Any]) -> Usage | None:
        return responses_usage(answer)

    def stream(self, request: ParsedRequest, content_type: str, *, usage_asked: bool = True) -> StreamReader:
        return ResponsesReader() if "event-stream" in content_type else PlainReader(self)

    def output_text(self, answer: Mapping[str, Any]) -> str:
        found: list[str] = []
        for item in objects(answer.get("output")):
            found += strings(item, "name", "arguments", "input")
            for part in objects(item.get("content")) + objects(item.get("summary")):
                found += strings(part, "text", "refusal")
        return joined(found)

    def plain_complete(self, answer: Mapping[str, Any]) -> bool:
        return finished(answer)

    def fingerprint_fields(self, request: ParsedRequest) -> Mapping[str, Any]:
        return fields_that_count(request.body, request.raw, conversation="input")

    def uncacheable(self, request: ParsedRequest, *, stored_responses: bool) -> str | None:
        if request.endpoint.operation != "generate":
            return "an answer to continue from"
        if request.body.get("store") is not False and not stored_responses:
            return "stored by the provider"
        return next((reason for reason, _ in _outside(request.body)), None)


class ResponsesReader(SseReader):
    def __init__(self) -> None:
        super().__init__()
        self._cacheable = False
        self._last = b""

    def matters(self, block: bytes) -> bool:
        self._last = block
        return (
            b"response.completed" in block
            or b"response.incomplete" in block
            or b"response.failed" in block
            or b"event: error" in block
            or b'"type":"error"' in block
            or b'"type": "error"' in block
        )

    def read(self, data: bytes) -> bool:
        event = loaded(data)
        match event.get("type"):
            case "response.completed" | "response.incomplete" | "response.failed" as kind:
                response = event.get("response")
                usage = responses_usage(response)
                if usage:
                    self.usage, self.input_known = usage, usage.input_total
                self.failed = self.failed or kind == "response.failed"
                self.complete = not self.failed
                self._cacheable = self.complete and isinstance(response, dict) and finished(response)
            case "error":
                self.failed, self.complete = True, False
        return False

    @property
    def cacheable(self) -> bool:
        return self.complete and self._cacheable

    def text_in(self, events: bytes) -> str:
        return all_said(SAID, events)

    def error_event(self, error: Refused, request_id: str) -> bytes:
        numbers = [loaded(data_of(event)).get("sequence_number") for event in split(self._last)]
        last = max((number for number in numbers if isinstance(number, int)), default=-1)
        return errors.responses_event(error, request_id, last + 1)


def finished(response: Mapping[str, Any]) -> bool:
    """Completed of its own accord, without a refusal, its usage stated."""
    refused = any(
        "refusal" in part for item in objects(response.get("output")) for part in objects(item.get("content"))
    )
    return response.get("status") == "completed" and not refused and responses_usage(response) is not None


def _items(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = body.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else objects(given)


def _outside(body: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What the answer depends on beside the request: (reason, whether the input's size is unknown by it)."""
    for field, reason in STATE.items():
        if body.get(field) is not None:
            yield reason, True
    for tool in objects(body.get("tools")):
        kind = tool.get("type")
        environment = tool.get("environment")
        local = kind == "shell" and isinstance(environment, dict) and environment.get("type") == "local"
        if str(kind) not in OWN_TOOLS and not local:
            yield "hosted tools", True
        if tool.get("vector_store_ids"):
            yield "a vector store", True
    items = objects(body.get("input"))
    if any(item.get("type") == "item_reference" for item in items):
        yield "a stored item", True
    yield from handles(parts_of(items))
