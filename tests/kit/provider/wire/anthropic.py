"""Anthropic messages: content blocks, and streams whose `event:` line is mandatory.

Source: the Anthropic API reference. `input_tokens` leaves out what the prompt cache read or wrote. `message_start`
states the input and a first output token; `message_delta` states cumulative figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.kit.provider.answer import TOOL_CALL_TOKENS, Answer, Event
from tests.kit.provider.wire.framing import dumps, sse, stated

FINISH = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use", "filter": "refusal"}
SIGNATURE = "c3RhbmRpbg=="
THOUGHT = "Count them."


def usage(answer: Answer, output: int | None = None) -> dict[str, Any] | None:
    """With `output`, the figures up to now."""
    true: dict[str, Any] = {
        "input_tokens": answer.input_tokens - answer.cached_tokens - answer.cache_write_tokens,
        "cache_creation_input_tokens": answer.cache_write_tokens,
        "cache_read_input_tokens": answer.cached_tokens,
        "output_tokens": answer.output_tokens if output is None else output,
    }
    if answer.reasoning_tokens and output is None:
        true["output_tokens_details"] = {"thinking_tokens": answer.reasoning_tokens}
    return stated(answer, true)


def _blocks(answer: Answer) -> list[dict[str, Any]]:
    choice = answer.choices[0]
    blocks: list[dict[str, Any]] = []
    if answer.reasoning_tokens:
        blocks.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
    if choice.pieces:
        blocks.append({"type": "text", "text": choice.text})
    blocks.extend(
        {"type": "tool_use", "id": answer.call_id("toolu_", index), "name": call.name, "input": dict(call.arguments)}
        for index, call in enumerate(choice.tool_calls)
    )
    return blocks


def _message(answer: Answer, content: list[dict[str, Any]], stop: str | None, told: dict[str, Any] | None) -> Any:
    message = {
        "id": answer.name("msg_"),
        "type": "message",
        "role": "assistant",
        "model": answer.call.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
    }
    return message if told is None else message | {"usage": told | {"service_tier": "standard"}}


def plain(answer: Answer) -> bytes:
    return dumps(_message(answer, _blocks(answer), FINISH[answer.choices[0].finish], usage(answer)))


def stream(answer: Answer) -> Iterator[Event]:
    def event(kind: str, tokens: int = 0, **fields: Any) -> Event:
        return Event(sse({"type": kind} | fields, kind), tokens)

    yield event("message_start", message=_message(answer, [], None, usage(answer, min(1, answer.output_tokens))))
    for index, block in enumerate(_blocks(answer)):
        match block["type"]:
            case "thinking":
                yield event("content_block_start", index=index, content_block=block | {"thinking": "", "signature": ""})
                thought = {"type": "thinking_delta", "thinking": THOUGHT}
                yield event("content_block_delta", answer.reasoning_tokens, index=index, delta=thought)
                signed = {"type": "signature_delta", "signature": SIGNATURE}
                yield event("content_block_delta", index=index, delta=signed)
            case "text":
                yield event("content_block_start", index=index, content_block={"type": "text", "text": ""})
                yield event("ping")
                for piece in answer.choices[0].pieces:
                    yield event("content_block_delta", 1, index=index, delta={"type": "text_delta", "text": piece})
            case _:
                yield event("content_block_start", index=index, content_block=block | {"input": {}})
                text = dumps(block["input"]).decode()
                middle = max(1, len(text) // 2)
                for fragment in (text[:middle], text[middle:]):
                    delta = {"type": "input_json_delta", "partial_json": fragment}
                    yield event("content_block_delta", TOOL_CALL_TOKENS // 2, index=index, delta=delta)
        yield event("content_block_stop", index=index)
    told = usage(answer)
    end: dict[str, Any] = {"delta": {"stop_reason": FINISH[answer.choices[0].finish], "stop_sequence": None}}
    yield event("message_delta", **end if told is None else end | {"usage": told})
    yield event("message_stop")


def models(wanted: str, names: Sequence[str]) -> Mapping[str, Any] | None:
    """One model or the list; None for a model that does not exist."""
    listed = {
        name: {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": "2026-11-24T06:00:00Z",
            "max_input_tokens": 200_000,
            "max_tokens": 64_000,
        }
        for name in names
    }
    if wanted:
        return listed.get(wanted)
    first, last = (names[0], names[-1]) if names else (None, None)
    return {"data": list(listed.values()), "has_more": False, "first_id": first, "last_id": last}
