"""Ollama chat, generate and embed: one JSON line a piece, counts in the last line.

Source: Ollama's API documentation. `stream` is true unless the request says false; `eval_count` includes thinking.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.kit.provider.answer import TOOL_CALL_TOKENS, Answer, Event, vector
from tests.kit.provider.wire.framing import dumps, stated

FINISH = {"stop": "stop", "length": "length", "tool": "stop", "filter": "stop"}
CREATED_AT = "2026-11-24T06:00:00.000000001Z"
VERSION = "0.30.1"
DIMENSIONS = 8
THOUGHT = "Count them."


def _line(answer: Answer, text: str, *, done: bool, thinking: str = "", calls: list[Any] | None = None) -> Any:
    line: dict[str, Any] = {"model": answer.call.model, "created_at": CREATED_AT}
    if answer.call.endpoint == "chat":
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if thinking:
            message["thinking"] = thinking
        if calls:
            message["tool_calls"] = calls
        line["message"] = message
    else:
        line["response"] = text
        if thinking:
            line["thinking"] = thinking
    return line | {"done": done}


def _ending(answer: Answer) -> dict[str, Any]:
    figures: dict[str, Any] = {"prompt_eval_count": answer.input_tokens}
    if answer.cached_tokens:
        figures["prompt_eval_cached_count"] = answer.cached_tokens
    ending: dict[str, Any] = {
        "done_reason": FINISH[answer.choices[0].finish],
        "total_duration": 912_000_000,
        "load_duration": 41_000_000,
        "prompt_eval_duration": 120_000_000,
        "eval_duration": 700_000_000,
    }
    if answer.call.endpoint == "generate":
        ending["context"] = [1, 2, 3]
    return ending | (stated(answer, figures | {"eval_count": answer.output_tokens}) or {})


def _calls(answer: Answer) -> list[dict[str, Any]]:
    if answer.call.endpoint != "chat":
        return []
    return [
        {"function": {"index": place, "name": call.name, "arguments": dict(call.arguments)}}
        for place, call in enumerate(answer.choices[0].tool_calls)
    ]


def plain(answer: Answer) -> bytes:
    thinking = THOUGHT if answer.reasoning_tokens else ""
    line = _line(answer, answer.choices[0].text, done=True, thinking=thinking, calls=_calls(answer))
    return dumps(line | _ending(answer))


def stream(answer: Answer) -> Iterator[Event]:
    def event(text: str, tokens: int, **extra: Any) -> Event:
        return Event(dumps(_line(answer, text, done=False, **extra)) + b"\n", tokens)

    if answer.reasoning_tokens:
        yield event("", answer.reasoning_tokens, thinking=THOUGHT)
    for piece in answer.choices[0].pieces:
        yield event(piece, 1)
    for call in _calls(answer):
        yield event("", TOOL_CALL_TOKENS, calls=[call])
    yield Event(dumps(_line(answer, "", done=True) | _ending(answer)) + b"\n")


def embedding(answer: Answer) -> bytes:
    """`embed`, and the older `embeddings`, which states no count."""
    body = answer.call.body
    if answer.call.endpoint == "embeddings":
        return dumps({"embedding": vector(str(body["prompt"]), DIMENSIONS)})
    given = body["input"]
    inputs = given if isinstance(given, list) else [given]
    vectors = [vector(str(item), int(body.get("dimensions") or DIMENSIONS)) for item in inputs]
    told = stated(answer, {"prompt_eval_count": answer.input_tokens})
    whole = {
        "model": answer.call.model,
        "embeddings": vectors,
        "total_duration": 14_000_000,
        "load_duration": 1_000_000,
    }
    return dumps(whole if told is None else whole | told)


def free(endpoint: str, names: Sequence[str]) -> Mapping[str, Any]:
    """`tags`, `ps`, `show`, `version`: what costs nothing."""
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "8.0B",
        "quantization_level": "Q4_0",
    }
    if endpoint == "version":
        return {"version": VERSION}
    if endpoint == "show":
        return {
            "modelfile": "FROM standin",
            "template": "{{ .Prompt }}",
            "details": details,
            "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
            "capabilities": ["completion", "tools"],
        }
    listed = [
        {
            "name": name,
            "model": name,
            "modified_at": CREATED_AT,
            "size": 4_000_000_000,
            "digest": "0" * 64,
            "details": details,
        }
        for name in names
    ]
    return {"models": listed if endpoint == "tags" else []}
