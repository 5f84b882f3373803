"""Gemini's generateContent, streamGenerateContent and embeddings. The model stands in the path.

A request's `body` is kept in camelCase, whatever the caller wrote; `prepare` keeps the caller's own spelling.
Source: the API reference and the official SDKs.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from greyfox_core.dialects import errors
from greyfox_core.dialects.base import StreamReader
from greyfox_core.dialects.body import checked_model, count_of, load_object, mapping_of, objects_of
from greyfox_core.dialects.gemini_body import NO_CHANGE, camel, contents_of, media_tokens, normal, outside, parts_of
from greyfox_core.dialects.gemini_stream import GeminiArrayReader, GeminiSseReader, Progress, chunk_text
from greyfox_core.dialects.outside import Outside
from greyfox_core.dialects.plain import PlainReader
from greyfox_core.dialects.texts import Gathered, joined, objects, text_of
from greyfox_core.dialects.usage import gemini_usage
from greyfox_core.errors import BadRequest, Refused
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.request import ParsedRequest, Prompt
from greyfox_core.values.usage import Usage

CONTENT_FRAMING = 5


class Gemini:
    name = "gemini"
    api = "gemini"

    def parse(self, endpoint: Endpoint, body: bytes, *, max_depth: int) -> ParsedRequest:
        fields: dict[str, Any] = normal(load_object(body, max_depth=max_depth))
        model = checked_model(endpoint.model)
        generates = endpoint.operation in ("generate", "stream")
        if generates:
            objects_of(fields, "contents")
        elif endpoint.operation == "batch-embed":
            objects_of(fields, "requests")
        elif not isinstance(fields.get("content"), dict):
            raise BadRequest("`content` must be an object.", param="content")
        for named in (fields, *objects(fields.get("requests"))):
            if named.get("model") is not None and str(named["model"]).removeprefix("models/") != model:
                raise BadRequest("`model` in the body is not the path's model.", param="model")
        config = mapping_of(fields, "generationConfig")
        beside = Outside.of(outside(fields))
        return ParsedRequest(
            endpoint=endpoint,
            raw=body,
            body=fields,
            model=model,
            stream=endpoint.operation == "stream",
            choices=count_of(config, "candidateCount") or 1,
            output_cap=count_of(config, "maxOutputTokens"),
            produces_output=generates,
            unbounded=beside.unbounded,
            stored=beside.stored,
        )

    def prompt(self, request: ParsedRequest, model: str) -> Prompt:
        body = request.body
        config = body.get("generationConfig") or {}
        resolution = str(config.get("mediaResolution") or "auto")
        found = Gathered(lambda part: media_tokens(model, part, resolution))
        for content in (*contents_of(body), *objects([body.get("systemInstruction")])):
            found.overhead += CONTENT_FRAMING
            found.add(content)
        if isinstance(body.get("systemInstruction"), str):
            found.add(body["systemInstruction"])
        for tool in objects(body.get("tools")):
            found.add_definitions(objects(tool.get("functionDeclarations")))
        schemas = (config.get(name) for name in ("responseSchema", "responseJsonSchema"))
        found.add_definitions(schema for schema in schemas if isinstance(schema, dict))
        return found.prompt()

    def last_user_text(self, request: ParsedRequest) -> str:
        for content in reversed(contents_of(request.body)):
            if content.get("role", "user") == "user":
                return text_of(content.get("parts"))
        return ""

    def system_text(self, request: ParsedRequest) -> str:
        system = request.body.get("systemInstruction")
        return text_of(system.get("parts") if isinstance(system, dict) else system)

    def all_text(self, request: ParsedRequest) -> str:
        texts = (part.get("text") for part in parts_of(request.body))
        return joined(text for text in texts if isinstance(text, str))

    def can_cap(self, request: ParsedRequest) -> bool:
        return request.produces_output

    def prepare(
        self, request: ParsedRequest, *, model: str, output_cap: int | None, cap_field: str, ask_usage: bool
    ) -> bytes:
        caps = output_cap not in (None, request.output_cap) and request.produces_output
        renames = model != request.model and b'"model"' in request.raw
        if not caps and not renames:
            return request.raw
        body = orjson.loads(request.raw)
        if renames:
            for named in (body, *objects(body.get("requests"))):
                if "model" in named:
                    named["model"] = f"models/{model}" if str(named["model"]).startswith("models/") else model
        if caps:
            outer = _spelled(body, "generationConfig")
            config = body.get(outer) or {}
            inner = _spelled(config, "maxOutputTokens", like=outer)
            body[outer] = {**config, inner: output_cap}
        return orjson.dumps(body)

    def usage(self, answer: Mapping[str, Any]) -> Usage | None:
        return gemini_usage(answer.get("usageMetadata"))

    def stream(self, request: ParsedRequest, content_type: str, *, usage_asked: bool = True) -> StreamReader:
        if "event-stream" in content_type:
            return GeminiSseReader(request.choices)
        return GeminiArrayReader(request.choices) if request.stream else PlainReader(self)

    def output_text(self, answer: Mapping[str, Any]) -> str:
        return chunk_text(answer)

    def plain_complete(self, answer: Mapping[str, Any]) -> bool:
        if "embedding" in answer or "embeddings" in answer:
            return self.usage(answer) is not None
        progress = Progress(len(objects(answer.get("candidates"))))
        progress.take(answer)
        return progress.cacheable

    def error_body(self, error: Refused, request_id: str) -> bytes:
        return errors.gemini_error(error, request_id)

    def fingerprint_fields(self, request: ParsedRequest) -> Mapping[str, Any]:
        kept = {key: value for key, value in request.body.items() if key not in NO_CHANGE}
        if kept.get("store", True) in (False, None):
            kept.pop("store", None)
        return kept

    def uncacheable(self, request: ParsedRequest, *, stored_responses: bool) -> str | None:
        return next((reason for reason, _ in outside(request.body)), None)


def _spelled(node: Mapping[str, Any], field: str, like: str | None = None) -> str:
    """The spelling of `field` that the caller used, else one like that of the field around it."""
    own = next((key for key in node if camel(key) == field), None)
    if own:
        return own
    snake = "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in field)
    return snake if like and "_" in like else field
