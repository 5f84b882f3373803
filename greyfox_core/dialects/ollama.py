"""Ollama's chat, generate and embed. `stream` absent means true on the first two.

Source: Ollama's API documentation and the official client. `num_predict` -1 and -2 are "no cap" there.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from greyfox_core.dialects import errors
from greyfox_core.dialects.base import StreamReader
from greyfox_core.dialects.body import count_of, flag_of, load_object, mapping_of, model_of, objects_of, prompts_of
from greyfox_core.dialects.image_size import size_in_base64
from greyfox_core.dialects.media import image_tokens
from greyfox_core.dialects.ndjson import NdjsonReader
from greyfox_core.dialects.plain import PlainReader
from greyfox_core.dialects.sse import loaded
from greyfox_core.dialects.texts import Gathered, compact, joined, objects, strings, text_of
from greyfox_core.dialects.usage import count, ollama_usage
from greyfox_core.errors import BadRequest, Refused
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.request import ParsedRequest, Prompt
from greyfox_core.values.usage import Usage

MESSAGE_FRAMING = 10
NO_CAP = (-1, -2)
NO_CHANGE = frozenset(["stream", "keep_alive"])
NO_CHANGE_OPTIONS = frozenset(["num_gpu", "num_thread", "use_mmap"])  # where it runs, not what it says
TEXTS = ("prompt", "suffix", "system", "template")


class Ollama:
    name = "ollama"
    api = "ollama"

    def parse(self, endpoint: Endpoint, body: bytes, *, max_depth: int) -> ParsedRequest:
        fields = load_object(body, max_depth=max_depth)
        embeds = endpoint.operation == "embed"
        if embeds:
            prompts_of(fields, "input")
        elif endpoint.operation == "chat":
            objects_of(fields, "messages", required=False)
        for name in TEXTS:
            if not isinstance(fields.get(name), str | None):
                raise BadRequest(f"`{name}` must be text.", param=name)
        options = mapping_of(fields, "options")
        return ParsedRequest(
            endpoint=endpoint,
            raw=body,
            body=fields,
            model=model_of(fields),
            stream=flag_of(fields, "stream", default=not embeds) and not embeds,
            output_cap=None if options.get("num_predict") in NO_CAP else count_of(options, "num_predict"),
            produces_output=not embeds,
        )

    def prompt(self, request: ParsedRequest, model: str) -> Prompt:
        body = request.body
        if request.endpoint.operation == "embed":
            texts, tokens = prompts_of(body, "input")
            return Prompt(tuple(texts), overhead=len(texts), tokens=sum(map(len, tokens)))
        found = Gathered(lambda part: None)
        for message in objects(body.get("messages")):
            found.overhead += MESSAGE_FRAMING
            found.add({key: value for key, value in message.items() if key != "images"})
            found.media += _images(model, message.get("images"))
        for name in TEXTS:
            if body.get(name):
                found.overhead += MESSAGE_FRAMING
                found.add(body[name])
        found.media += _images(model, body.get("images"))
        context = body.get("context")
        found.tokens += len(context) if isinstance(context, list) else 0
        found.add_definitions(objects(body.get("tools")))
        if isinstance(body.get("format"), dict):
            found.add_definitions([body["format"]])
        return found.prompt()

    def last_user_text(self, request: ParsedRequest) -> str:
        if request.endpoint.operation == "embed":
            return joined(prompts_of(request.body, "input")[0])
        for message in reversed(objects(request.body.get("messages"))):
            if message.get("role") == "user":
                return text_of(message.get("content"))
        return text_of(request.body.get("prompt"))

    def system_text(self, request: ParsedRequest) -> str:
        messages = objects(request.body.get("messages"))
        inside = (text_of(one.get("content")) for one in messages if one.get("role") == "system")
        return joined((text_of(request.body.get("system")), *inside))

    def all_text(self, request: ParsedRequest) -> str:
        if request.endpoint.operation == "embed":
            return self.last_user_text(request)
        messages = (text_of(message.get("content")) for message in objects(request.body.get("messages")))
        return joined((text_of(request.body.get("system")), *messages, text_of(request.body.get("prompt"))))

    def can_cap(self, request: ParsedRequest) -> bool:
        return request.produces_output

    def prepare(
        self, request: ParsedRequest, *, model: str, output_cap: int | None, cap_field: str, ask_usage: bool
    ) -> bytes:
        changes: dict[str, Any] = {} if model == request.model else {"model": model}
        if output_cap not in (None, request.output_cap) and request.produces_output:
            changes["options"] = {**(request.body.get("options") or {}), "num_predict": output_cap}
        return orjson.dumps({**request.body, **changes}) if changes else request.raw

    def usage(self, answer: Mapping[str, Any]) -> Usage | None:
        if "embeddings" in answer:
            sent = count(answer.get("prompt_eval_count"))
            return Usage(sent) if sent else None
        return ollama_usage(answer, produced_text=bool(line_text(answer)))

    def stream(self, request: ParsedRequest, content_type: str, *, usage_asked: bool = True) -> StreamReader:
        return OllamaReader() if "ndjson" in content_type or request.stream else PlainReader(self)

    def output_text(self, answer: Mapping[str, Any]) -> str:
        return line_text(answer)

    def plain_complete(self, answer: Mapping[str, Any]) -> bool:
        whole = bool(answer.get("embeddings")) or (answer.get("done") is True and answer.get("done_reason") == "stop")
        return whole and self.usage(answer) is not None

    def error_body(self, error: Refused, request_id: str) -> bytes:
        return errors.ollama_error(error, request_id)

    def fingerprint_fields(self, request: ParsedRequest) -> Mapping[str, Any]:
        kept = {key: value for key, value in request.body.items() if key not in NO_CHANGE}
        if isinstance(kept.get("options"), dict):
            kept["options"] = {key: value for key, value in kept["options"].items() if key not in NO_CHANGE_OPTIONS}
        return kept

    def uncacheable(self, request: ParsedRequest, *, stored_responses: bool) -> str | None:
        return "an earlier answer's context" if request.body.get("context") else None


class OllamaReader(NdjsonReader):
    def __init__(self) -> None:
        super().__init__()
        self._reason: Any = None

    def matters(self, block: bytes) -> bool:
        return b'"done":true' in block or b'"done": true' in block or b'"error"' in block

    def read(self, line: bytes) -> None:
        answer = loaded(line)
        if answer.get("error") is not None:
            self.failed, self.complete = True, False
        if answer.get("done") is True:
            self.complete = not self.failed
            self._reason = answer.get("done_reason")
            said_nothing = answer.get("eval_count") is None and not self.received.chars()
            self.usage = ollama_usage(answer, produced_text=not said_nothing)
            self.input_known = count(answer.get("prompt_eval_count")) or None

    @property
    def cacheable(self) -> bool:
        return self.complete and self._reason == "stop" and self.usage is not None

    def text_in(self, lines: bytes) -> str:
        return "".join(line_text(loaded(line)) for line in lines.splitlines())

    def error_line(self, error: Refused, request_id: str) -> bytes:
        return errors.ollama_line(error, request_id)


def line_text(answer: Mapping[str, Any]) -> str:
    """What one line, or a plain answer, says: text, thinking, tool calls."""
    message = answer.get("message")
    found = [*strings(answer, "response", "thinking"), *strings(message, "thinking", "content")]
    for call in objects(message.get("tool_calls")) if isinstance(message, dict) else ():
        function = call.get("function")
        found += strings(function, "name")
        if isinstance(function, dict) and function.get("arguments"):
            found.append(compact(function["arguments"]))
    return "".join(found)


def _images(model: str, images: Any) -> int:
    if not isinstance(images, list):
        return 0
    return sum(image_tokens(model, size_in_base64(image)) for image in images if isinstance(image, str))
