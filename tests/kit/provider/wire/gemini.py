"""Gemini: one object an answer, streams as a JSON array or as events with CRLF and no name.

Source: the Gemini API reference. Chunks carry running totals; zeros are left out; `candidatesTokenCount` leaves the
thoughts out. Function calls come whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.kit.provider.answer import TOOL_CALL_TOKENS, Answer, Event, vector
from tests.kit.provider.calls import prompt_text
from tests.kit.provider.wire.framing import dumps, stated

FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tool": "STOP", "filter": "SAFETY"}
DIMENSIONS = 8


def usage(answer: Answer, output: int | None = None) -> dict[str, Any] | None:
    """With `output`, the figures up to now; it counts thoughts and candidates together."""
    output = answer.output_tokens if output is None else output
    thoughts = min(answer.reasoning_tokens, output)
    figures = {
        "promptTokenCount": answer.input_tokens,
        "cachedContentTokenCount": answer.cached_tokens,
        "candidatesTokenCount": output - thoughts,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": answer.input_tokens + output,
    }
    true: dict[str, Any] = {name: count for name, count in figures.items() if count}
    return stated(answer, true | {"promptTokensDetails": [{"modality": "TEXT", "tokenCount": answer.input_tokens}]})


def _whole(answer: Answer, candidates: list[dict[str, Any]], told: dict[str, Any] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"candidates": candidates}
    if told is not None:
        body["usageMetadata"] = told
    return body | {"modelVersion": answer.call.model, "responseId": answer.name("")}


def _candidate(index: int, parts: list[dict[str, Any]], finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": index}
    return candidate if finish is None else candidate | {"finishReason": finish}


def _call_parts(answer: Answer, index: int) -> list[dict[str, Any]]:
    return [
        {"functionCall": {"id": answer.call_id("fc-", place), "name": call.name, "args": dict(call.arguments)}}
        for place, call in enumerate(answer.choices[index].tool_calls)
    ]


def plain(answer: Answer) -> bytes:
    candidates = []
    for index, choice in enumerate(answer.choices):
        parts = ([{"text": choice.text}] if choice.pieces else []) + _call_parts(answer, index)
        candidates.append(_candidate(index, parts, FINISH[choice.finish]))
    return dumps(_whole(answer, candidates, usage(answer)))


def stream(answer: Answer) -> Iterator[Event]:
    """In the framing that the call asked for."""
    as_array = answer.call.framing == "array"
    first = True
    for body, tokens in _chunks(answer):
        if as_array:
            yield Event((b"[" if first else b"\n,\r\n") + dumps(body), tokens)
        else:
            yield Event(b"data: " + dumps(body) + b"\r\n\r\n", tokens)
        first = False
    if as_array:
        yield Event(b"\n]\n")


def _chunks(answer: Answer) -> Iterator[tuple[dict[str, Any], int]]:
    produced = 0
    for index, choice in enumerate(answer.choices):
        steps: list[tuple[list[dict[str, Any]], int]] = [([{"text": piece}], 1) for piece in choice.pieces]
        steps += [([part], TOOL_CALL_TOKENS) for part in _call_parts(answer, index)]
        steps = steps or [([], 0)]
        for place, (parts, tokens) in enumerate(steps):
            if index == place == 0:
                tokens += answer.reasoning_tokens
            produced += tokens
            last = place == len(steps) - 1
            candidate = _candidate(index, parts, FINISH[choice.finish] if last else None)
            yield _whole(answer, [candidate], usage(answer, produced)), tokens


def embedding(answer: Answer) -> bytes:
    """`embedContent` and `batchEmbedContents`."""
    body = answer.call.body
    requests = body["requests"] if answer.call.endpoint == "batchEmbedContents" else [body]
    vectors = [
        {"values": vector(prompt_text(request), int(request.get("outputDimensionality") or DIMENSIONS))}
        for request in requests
    ]
    many = answer.call.endpoint == "batchEmbedContents"
    whole: dict[str, Any] = {"embeddings": vectors} if many else {"embedding": vectors[0]}
    told = stated(answer, {"promptTokenCount": answer.input_tokens, "totalTokenCount": answer.input_tokens})
    return dumps(whole if told is None else whole | {"usageMetadata": told})


def models(wanted: str, names: Sequence[str]) -> Mapping[str, Any] | None:
    """One model or the list; None for a model that does not exist."""
    listed = {
        name: {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name,
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }
        for name in names
    }
    return listed.get(wanted) if wanted else {"models": list(listed.values())}
