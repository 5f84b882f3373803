"""OpenAI's embeddings: input only. Source: the API reference and the official SDK."""

from collections.abc import Mapping
from typing import Any

from greyfox_core.dialects.base import StreamReader
from greyfox_core.dialects.body import load_object, prompts_of
from greyfox_core.dialects.openai_chat import asked_model, prepared
from greyfox_core.dialects.openai_parts import OpenAiErrors, fields_that_count
from greyfox_core.dialects.plain import PlainReader
from greyfox_core.dialects.texts import joined
from greyfox_core.dialects.usage import embeddings_usage
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.request import ParsedRequest, Prompt
from greyfox_core.values.usage import Usage


class OpenAiEmbeddings(OpenAiErrors):
    name = "openai-embeddings"

    def parse(self, endpoint: Endpoint, body: bytes, *, max_depth: int) -> ParsedRequest:
        fields = load_object(body, max_depth=max_depth)
        prompts_of(fields, "input")
        return ParsedRequest(
            endpoint=endpoint,
            raw=body,
            body=fields,
            model=asked_model(endpoint, fields),
            stream=False,
            produces_output=False,
        )

    def prompt(self, request: ParsedRequest, model: str) -> Prompt:
        texts, tokens = prompts_of(request.body, "input")
        return Prompt(tuple(texts), overhead=len(texts), tokens=sum(map(len, tokens)))

    def last_user_text(self, request: ParsedRequest) -> str:
        return joined(prompts_of(request.body, "input")[0])

    def system_text(self, request: ParsedRequest) -> str:
        return ""

    def all_text(self, request: ParsedRequest) -> str:
        return self.last_user_text(request)

    def can_cap(self, request: ParsedRequest) -> bool:
        return False

    def prepare(
        self, request: ParsedRequest, *, model: str, output_cap: int | None, cap_field: str, ask_usage: bool
    ) -> bytes:
        return prepared(request, model, {}, dropped=(), ask_usage=False)

    def usage(self, answer: Mapping[str, Any]) -> Usage | None:
        return embeddings_usage(answer.get("usage"))

    def stream(self, request: ParsedRequest, content_type: str, *, usage_asked: bool = True) -> StreamReader:
        return PlainReader(self)

    def output_text(self, answer: Mapping[str, Any]) -> str:
        return ""

    def plain_complete(self, answer: Mapping[str, Any]) -> bool:
        return bool(answer.get("data")) and self.usage(answer) is not None

    def fingerprint_fields(self, request: ParsedRequest) -> Mapping[str, Any]:
        return fields_that_count(request.body, request.raw, conversation="input")

    def uncacheable(self, request: ParsedRequest, *, stored_responses: bool) -> str | None:
        return None
