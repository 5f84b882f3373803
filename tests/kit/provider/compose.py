"""From a call and a behaviour to what goes out: status, head, and the body in events. Pure: no sockets here."""

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.kit.provider.answer import Answer, Event, answer_to
from tests.kit.provider.behaviour import Behaviour
from tests.kit.provider.calls import Call, count_input
from tests.kit.provider.refusals import Refused, error_body
from tests.kit.provider.wire import anthropic, gemini, ollama, openai, responses
from tests.kit.provider.wire.framing import dumps, sse

JSON = "application/json"
STREAM_TYPES = {"sse": "text/event-stream; charset=utf-8", "ndjson": "application/x-ndjson", "array": JSON}

_PLAIN = {
    ("openai", "chat"): openai.chat_plain,
    ("openai", "responses"): responses.plain,
    ("openai", "completions"): openai.completions_plain,
    ("openai", "embeddings"): openai.embeddings,
    ("anthropic", "messages"): anthropic.plain,
    ("gemini", "generateContent"): gemini.plain,
    ("gemini", "embedContent"): gemini.embedding,
    ("gemini", "batchEmbedContents"): gemini.embedding,
    ("ollama", "chat"): ollama.plain,
    ("ollama", "generate"): ollama.plain,
    ("ollama", "embed"): ollama.embedding,
    ("ollama", "embeddings"): ollama.embedding,
}
_STREAM = {
    ("openai", "chat"): openai.chat_stream,
    ("openai", "responses"): responses.stream,
    ("openai", "completions"): openai.completions_stream,
    ("anthropic", "messages"): anthropic.stream,
    ("gemini", "streamGenerateContent"): gemini.stream,
    ("ollama", "chat"): ollama.stream,
    ("ollama", "generate"): ollama.stream,
}
_EMBEDDINGS = ("embeddings", "embed", "embedContent", "batchEmbedContents")
_EVENT_ENDS = {b"text/event-stream": rb".*?(?:\r?\n\r?\n|$)", b"application/x-ndjson": rb"[^\n]*(?:\n|$)"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent. `whole`: one body with a content-length. `answer` is None where no model ran."""

    status: int
    content_type: str
    events: Iterable[Event]
    whole: bool = True
    answer: Answer | None = None
    input_tokens: int = 0
    output_at_once: int = 0  # billed as soon as the request is taken: whoever leaves has it generated all the same
    headers: dict[str, str] = field(default_factory=dict)


def compose(call: Call, behaviour: Behaviour, serial: int, models: Sequence[str]) -> Reply:
    """The answer to a call. Raises Refused for a model or an endpoint that the provider does not have."""
    if behaviour.body is not None or behaviour.status != 200:
        return told(call.dialect, behaviour)
    if (free := _free(call, models)) is not None:
        return Reply(200, JSON, [Event(free)])
    key = (call.dialect, call.endpoint)
    if key not in (_STREAM if call.stream else _PLAIN):
        raise Refused(call.dialect, 404, f"Unknown method: {call.endpoint}")
    answer = answer_to(call, _wordless(behaviour) if call.endpoint in _EMBEDDINGS else behaviour, serial)
    if not call.stream:
        return Reply(
            200,
            JSON,
            list(_travel([Event(_PLAIN[key](answer))], behaviour)),
            answer=answer,
            input_tokens=answer.input_tokens,
            output_at_once=answer.output_tokens,
            headers=_encoding(behaviour),
        )
    events: Iterable[Event] = _STREAM[key](answer)
    if behaviour.error_after is not None:
        events = _failing(answer, events, behaviour, behaviour.error_after)
    return Reply(
        200,
        STREAM_TYPES[call.framing],
        _travel(events, behaviour),
        whole=False,
        answer=answer,
        input_tokens=answer.input_tokens,
        headers=_encoding(behaviour),
    )


def told(dialect: str, behaviour: Behaviour) -> Reply:
    """A body that a test gave, or an error in the dialect; billed only for the tokens that the behaviour names."""
    failure = error_body(dialect, behaviour.status, behaviour.message, behaviour.error_code, behaviour.error_type)
    body = behaviour.body if behaviour.body is not None else dumps(failure)
    kind = behaviour.content_type or JSON
    ends = _EVENT_ENDS.get(kind.partition(";")[0].encode())
    pieces = [Event(found) for found in re.findall(ends, body, re.DOTALL) if found] if ends else [Event(body)]
    return Reply(
        behaviour.status,
        kind,
        list(_travel(pieces, behaviour)),
        whole=ends is None,
        input_tokens=behaviour.input_tokens or 0,
        output_at_once=behaviour.output_tokens or 0,
        headers=_encoding(behaviour),
    )


def _wordless(behaviour: Behaviour) -> Behaviour:
    """An embedding has input only."""
    return Behaviour(output_tokens=0, input_tokens=behaviour.input_tokens, usage=behaviour.usage)


def _free(call: Call, models: Sequence[str]) -> bytes | None:
    """The body of an endpoint that costs nothing; None where it is none."""
    match call.dialect, call.endpoint:
        case _, "models":
            found = {"openai": openai, "anthropic": anthropic, "gemini": gemini}[call.dialect].models(
                call.model, models
            )
            if found is None:
                raise Refused(call.dialect, 404, f"The model '{call.model}' does not exist.", code="model_not_found")
            return dumps(found)
        case "anthropic", "root":
            return b""
        case "anthropic", "count_tokens":
            return dumps({"input_tokens": call.input_tokens})
        case "gemini", "countTokens":
            inner = call.body.get("generateContentRequest")
            return dumps({"totalTokens": count_input(inner) if isinstance(inner, dict) else call.input_tokens})
        case "ollama", "tags" | "ps" | "show" | "version":
            return dumps(ollama.free(call.endpoint, models))
    return None


def _failing(answer: Answer, events: Iterable[Event], behaviour: Behaviour, after: int) -> Iterator[Event]:
    """The first `after` events, then an error inside the stream, then nothing."""
    for place, event in enumerate(events):
        if place == after:
            break
        yield event
    call = answer.call
    failure = error_body(call.dialect, 500, behaviour.message, behaviour.error_code, behaviour.error_type)
    match call.dialect, call.endpoint, call.framing:
        case "openai", "responses", _:
            data = responses.failure(answer, behaviour.message, behaviour.error_code or "server_error", after)
        case "anthropic", _, _:
            data = sse(failure, "error")
        case _, _, "array":
            data = (b"\n,\r\n" if after else b"[") + dumps(failure) + b"\n]\n"
        case _, _, "ndjson":
            data = dumps(failure) + b"\n"
        case "gemini", _, _:
            data = b"data: " + dumps(failure) + b"\r\n\r\n"
        case _:
            data = sse(failure)
    yield Event(data)


def _encoding(behaviour: Behaviour) -> dict[str, str]:
    return {"content-encoding": "gzip"} if behaviour.gzip else {}


def _travel(events: Iterable[Event], behaviour: Behaviour) -> Iterable[Event]:
    """Compressed and cut into pieces, where the behaviour says so."""
    if behaviour.gzip:
        events = _gzipped(events)
    return _in_pieces(events, behaviour.piece) if behaviour.piece else events


def _gzipped(events: Iterable[Event]) -> Iterator[Event]:
    """Each event is flushed, so that a client can read it before the next one comes."""
    packer = zlib.compressobj(wbits=31)
    for event in events:
        yield Event(packer.compress(event.data) + packer.flush(zlib.Z_SYNC_FLUSH), event.tokens)
    yield Event(packer.flush())


def _in_pieces(events: Iterable[Event], size: int) -> Iterator[Event]:
    for event in events:
        for start in range(0, len(event.data), size):
            yield Event(event.data[start : start + size], 0 if start else event.tokens)
