"""OpenAI's responses: items instead of messages, named events with sequence numbers, no `[DONE]`.

Source: the OpenAI API reference. The last event (`response.completed` or `response.incomplete`) holds the whole answer
with its usage.
"""

from collections.abc import Iterator
from typing import Any

from tests.kit.provider.answer import CREATED, TOOL_CALL_TOKENS, Answer, Event
from tests.kit.provider.wire.framing import dumps, sse, stated


def usage(answer: Answer) -> dict[str, Any] | None:
    return stated(
        answer,
        {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {
                "cached_tokens": answer.cached_tokens,
                "cache_write_tokens": answer.cache_write_tokens,
            },
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    )


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _items(answer: Answer) -> list[dict[str, Any]]:
    choice = answer.choices[0]
    status = "incomplete" if choice.finish == "length" else "completed"
    items: list[dict[str, Any]] = []
    if answer.reasoning_tokens:
        items.append({"type": "reasoning", "id": answer.name("rs_"), "summary": []})
    if choice.pieces:
        content = [_text_part(choice.text)]
        message = {"type": "message", "id": answer.name("msg_"), "status": status, "role": "assistant"}
        items.append(message | {"content": content})
    for index, call in enumerate(choice.tool_calls):
        items.append(
            {
                "type": "function_call",
                "id": answer.call_id("fc_", index),
                "call_id": answer.call_id("call_", index),
                "name": call.name,
                "arguments": dumps(call.arguments).decode(),
                "status": "completed",
            }
        )
    return items


def response(answer: Answer, status: str, output: list[dict[str, Any]], told: dict[str, Any] | None) -> dict[str, Any]:
    """The response object at some moment of its life."""
    body = answer.call.body
    why = {"length": "max_output_tokens", "filter": "content_filter"}.get(answer.choices[0].finish)
    return {
        "id": answer.name("resp_"),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "model": answer.call.model,
        "output": output,
        "error": None,
        "incomplete_details": {"reason": why} if status == "incomplete" else None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or {},
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "store": body.get("store", True) is not False,
        "usage": told,
    }


def _end(answer: Answer) -> str:
    return "incomplete" if answer.choices[0].finish in ("length", "filter") else "completed"


def plain(answer: Answer) -> bytes:
    return dumps(response(answer, _end(answer), _items(answer), usage(answer)))


def stream(answer: Answer) -> Iterator[Event]:
    sequence = 0

    def event(kind: str, tokens: int = 0, **fields: Any) -> Event:
        nonlocal sequence
        body = {"type": kind, "sequence_number": sequence} | fields
        sequence += 1
        return Event(sse(body, kind), tokens)

    begun = response(answer, "in_progress", [], None)
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    items = _items(answer)
    for place, item in enumerate(items):
        match item["type"]:
            case "reasoning":
                yield event("response.output_item.added", output_index=place, item=item)
                yield event("response.output_item.done", answer.reasoning_tokens, output_index=place, item=item)
            case "message":
                empty = item | {"status": "in_progress", "content": []}
                where = {"item_id": item["id"], "output_index": place, "content_index": 0}
                yield event("response.output_item.added", output_index=place, item=empty)
                yield event("response.content_part.added", **where, part=_text_part(""))
                for piece in answer.choices[0].pieces:
                    yield event("response.output_text.delta", 1, **where, delta=piece, logprobs=[])
                text = answer.choices[0].text
                yield event("response.output_text.done", **where, text=text, logprobs=[])
                yield event("response.content_part.done", **where, part=_text_part(text))
                yield event("response.output_item.done", output_index=place, item=item)
            case _:
                empty = item | {"status": "in_progress", "arguments": ""}
                where = {"item_id": item["id"], "output_index": place}
                yield event("response.output_item.added", output_index=place, item=empty)
                arguments = item["arguments"]
                middle = max(1, len(arguments) // 2)
                for fragment in (arguments[:middle], arguments[middle:]):
                    yield event(
                        "response.function_call_arguments.delta", TOOL_CALL_TOKENS // 2, **where, delta=fragment
                    )
                yield event("response.function_call_arguments.done", **where, name=item["name"], arguments=arguments)
                yield event("response.output_item.done", output_index=place, item=item)
    end = _end(answer)
    yield event(f"response.{end}", response=response(answer, end, items, usage(answer)))


def failure(answer: Answer, message: str, code: str, sequence: int) -> bytes:
    """A stream that ends badly: `response.failed`, which the official client raises on."""
    failed = response(answer, "failed", [], None) | {"error": {"code": code, "message": message}}
    return sse({"type": "response.failed", "sequence_number": sequence, "response": failed}, "response.failed")
