"""OpenAI chat completions, legacy completions, embeddings and the model list.

Source: the OpenAI API reference. Chat streams carry no `event:` line, one chunk a token, and usage only where
`stream_options.include_usage` asks for it: then in a last chunk without choices, and null in every other.
"""

import base64
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.kit.provider.answer import CREATED, Answer, Choice, Event, vector
from tests.kit.provider.answer import TOOL_CALL_TOKENS as CALL_TOKENS
from tests.kit.provider.wire.framing import dumps, sse, stated

FINISH = {"stop": "stop", "length": "length", "tool": "tool_calls", "filter": "content_filter"}
DONE = Event(b"data: [DONE]\n\n")
DIMENSIONS = 8


def usage(answer: Answer) -> dict[str, Any] | None:
    """Input counts include cache reads and writes, output counts include reasoning."""
    return stated(
        answer,
        {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {
                "cached_tokens": answer.cached_tokens,
                "cache_write_tokens": answer.cache_write_tokens,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {
                "reasoning_tokens": answer.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    )


def _head(answer: Answer, kind: str, prefix: str) -> dict[str, Any]:
    return {"id": answer.name(prefix), "object": kind, "created": CREATED, "model": answer.call.model}


def _with_usage(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    told = usage(answer)
    return body if told is None else body | {"usage": told}


def _arguments(choice: Choice, index: int) -> str:
    return dumps(choice.tool_calls[index].arguments).decode()


# --- chat completions


def chat_plain(answer: Answer) -> bytes:
    choices = []
    for index, choice in enumerate(answer.choices):
        message: dict[str, Any] = {"role": "assistant", "content": choice.text or None, "refusal": None}
        if choice.tool_calls:
            message["tool_calls"] = [
                {
                    "id": answer.call_id("call_", place),
                    "type": "function",
                    "function": {"name": call.name, "arguments": _arguments(choice, place)},
                }
                for place, call in enumerate(choice.tool_calls)
            ]
        elif not choice.pieces:
            message["content"] = ""
        message["annotations"] = []
        choices.append({"index": index, "message": message, "logprobs": None, "finish_reason": FINISH[choice.finish]})
    body = _head(answer, "chat.completion", "chatcmpl-") | {"choices": choices}
    return dumps(_with_usage(body, answer) | {"service_tier": "default", "system_fingerprint": "fp_standin"})


def chat_stream(answer: Answer) -> Iterator[Event]:
    asked = answer.call.include_usage
    head = _head(answer, "chat.completion.chunk", "chatcmpl-")
    head |= {"service_tier": "default", "system_fingerprint": "fp_standin"}
    nothing_yet: dict[str, Any] = {"usage": None} if asked else {}

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None, tokens: int = 0) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Event(sse(head | {"choices": [choice]} | nothing_yet), tokens)

    for index in range(len(answer.choices)):
        delta = {"role": "assistant", "content": "", "refusal": None}
        yield chunk(index, delta, tokens=0 if index else answer.reasoning_tokens)
    for index, choice in enumerate(answer.choices):
        for piece in choice.pieces:
            yield chunk(index, {"content": piece}, tokens=1)
        for place, call in enumerate(choice.tool_calls):
            first = {"index": place, "id": answer.call_id("call_", place), "type": "function"}
            yield chunk(index, {"tool_calls": [first | {"function": {"name": call.name, "arguments": ""}}]})
            for fragment, tokens in _halves(_arguments(choice, place)):
                yield chunk(
                    index, {"tool_calls": [{"index": place, "function": {"arguments": fragment}}]}, None, tokens
                )
        yield chunk(index, {}, FINISH[choice.finish])
    told = usage(answer)
    if asked and told is not None:
        yield Event(sse(head | {"choices": [], "usage": told}))
    yield DONE


def _halves(text: str) -> Sequence[tuple[str, int]]:
    """A call's arguments in two fragments, with the call's tokens shared between them."""
    middle = max(1, len(text) // 2)
    return ((text[:middle], CALL_TOKENS // 2), (text[middle:], CALL_TOKENS - CALL_TOKENS // 2))


# --- legacy completions


def completions_plain(answer: Answer) -> bytes:
    choices = [
        {"text": choice.text, "index": index, "logprobs": None, "finish_reason": FINISH[choice.finish]}
        for index, choice in enumerate(answer.choices)
    ]
    return dumps(_with_usage(_head(answer, "text_completion", "cmpl-") | {"choices": choices}, answer))


def completions_stream(answer: Answer) -> Iterator[Event]:
    asked = answer.call.include_usage
    head = _head(answer, "text_completion", "cmpl-")
    nothing_yet: dict[str, Any] = {"usage": None} if asked else {}
    unseen = answer.output_tokens - sum(len(choice.pieces) for choice in answer.choices)
    for index, choice in enumerate(answer.choices):
        for piece in choice.pieces:
            part = {"text": piece, "index": index, "logprobs": None, "finish_reason": None}
            yield Event(sse(head | {"choices": [part]} | nothing_yet), 1)
        part = {"text": "", "index": index, "logprobs": None, "finish_reason": FINISH[choice.finish]}
        yield Event(sse(head | {"choices": [part]} | nothing_yet), 0 if index else unseen)
    told = usage(answer)
    if asked and told is not None:
        yield Event(sse(head | {"choices": [], "usage": told}))
    yield DONE


# --- embeddings and models


def embeddings(answer: Answer) -> bytes:
    """`base64` is 32-bit floats, little endian: the official client asks for it unless told otherwise."""
    body = answer.call.body
    given = body["input"]
    inputs = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    data = []
    for index, item in enumerate(inputs):
        numbers = vector(str(item), int(body.get("dimensions") or DIMENSIONS))
        encoded: Any = numbers
        if body.get("encoding_format") == "base64":
            encoded = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
        data.append({"object": "embedding", "index": index, "embedding": encoded})
    told = stated(answer, {"prompt_tokens": answer.input_tokens, "total_tokens": answer.input_tokens})
    whole: dict[str, Any] = {"object": "list", "data": data, "model": answer.call.model}
    return dumps(whole if told is None else whole | {"usage": told})


def models(wanted: str, names: Sequence[str]) -> Mapping[str, Any] | None:
    """One model or the list; None for a model that does not exist."""
    listed = {name: {"id": name, "object": "model", "created": CREATED, "owned_by": "standin"} for name in names}
    return listed.get(wanted) if wanted else {"object": "list", "data": list(listed.values())}
