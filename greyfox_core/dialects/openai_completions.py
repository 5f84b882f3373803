"""OpenAI's legacy completions: prompts in, text out. A request without `max_tokens` gets 16 tokens.

Source: the API reference; vLLM and others keep the default of 16, and where one does not it is sent all the same.
"""

from collections.abc import Mapping
from typing import Any

from greyfox_core.dialects.base import StreamReader
from greyfox_core.dialects.body import cap_of, count_of, flag_of, load_object, prompts_of
from greyfox_core.dialects.openai_chat import asked_model, prepared, wants_usage
from greyfox_core.dialects.openai_parts import OpenAiErrors, fields_that_count
from greyfox_core.dialects.openai_stream import FINISHED, ChatReader, message_texts
from greyfox_core.dialects.plain import PlainReader
from greyfox_core.dialects.texts import joined, objects
from greyfox_core.dialects.usage import openai_usage
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.request import ParsedRequest, Prompt
from greyfox_core.values.usage import Usage

DEFAULT_CAP = 16


class OpenAiCompletions(OpenAiErrors):
    name = "openai-completions"

    def parse(self, endpoint: Endpoint, body: bytes, *, max_depth: int) -> ParsedRequest:
        fields = load_object(body, max_depth=max_depth)
        texts, tokens = _prompts(fields)
        each = max(count_of(fields, "n") or 1, count_of(fields, "best_of") or 1)
        return ParsedRequest(
            endpoint=endpoint,
            raw=body,
            body=fields,
            model=asked_model(endpoint, fields),
            stream=flag_of(fields, "stream"),
            choices=each * (len(texts) + len(tokens)),
            output_cap=cap_of(fields, "max_tokens") or DEFAULT_CAP,
            wants_usage=wants_usage(fields),
        )

    def prompt(self, request: ParsedRequest, model: str) -> Prompt:
        texts, tokens = _prompts(request.body)
        suffix = request.body.get("suffix")
        if isinstance(suffix, str):
            texts = [*texts, suffix]
        return Prompt(tuple(texts), overhead=len(texts), tokens=sum(map(len, tokens)))

    def last_user_text(self, request: ParsedRequest) -> str:
        return joined(_prompts(request.body)[0])

    def system_text(self, request: ParsedRequest) -> str:
        return ""

    def all_text(self, request: ParsedRequest) -> str:
        return self.last_user_text(request)

    def can_cap(self, request: ParsedRequest) -> bool:
        return True

    def prepare(
        self, request: ParsedRequest, *, model: str, output_cap: int | None, cap_field: str, ask_usage: bool
    ) -> bytes:
        cap = request.output_cap if output_cap is None else output_cap
        changed = {} if request.body.get("max_tokens") == cap else {"max_tokens": cap}
        return prepared(request, model, changed, dropped=(), ask_usage=ask_usage)

    def usage(self, answer: Mapping[str, Any]) -> Usage | None:
        return openai_usage(answer.get("usage"))

    def stream(self, request: ParsedRequest, content_type: str, *, usage_asked: bool = True) -> StreamReader:
        if "event-stream" not in content_type:
            return PlainReader(self)
        texts, tokens = _prompts(request.body)
        answered = (len(texts) + len(tokens)) * (count_of(request.body, "n") or 1)
        return ChatReader(choices=answered, withholds=usage_asked and request.stream and not request.wants_usage)

    def output_text(self, answer: Mapping[str, Any]) -> str:
        return joined(text for choice in objects(answer.get("choices")) for text in message_texts(choice))

    def plain_complete(self, answer: Mapping[str, Any]) -> bool:
        choices = objects(answer.get("choices"))
        finished = all(choice.get("finish_reason") in FINISHED for choice in choices)
        return bool(choices) and finished and self.usage(answer) is not None

    def fingerprint_fields(self, request: ParsedRequest) -> Mapping[str, Any]:
        return fields_that_count(request.body, request.raw, conversation="prompt")

    def uncacheable(self, request: ParsedRequest, *, stored_responses: bool) -> str | None:
        return None


def _prompts(fields: Mapping[str, Any]) -> tuple[list[str], list[list[int]]]:
    """(texts, token lists); without a prompt the model starts from nothing."""
    return ([""], []) if fields.get("prompt") is None else prompts_of(fields, "prompt")
