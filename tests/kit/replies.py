"""From each official client's objects to one form: text, tokens in the normal form, function calls.

Every function takes the client's own object (or iterator of a stream's objects) and reads only what it declares.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Reply:
    """An answer in one form. Tokens are totals (input with its cached part, output with its reasoning), None: not told.

    `calls` are (name, arguments) of function calls. `pieces` counts the texts of a stream as they came.
    """

    text: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    calls: list[tuple[str, Any]] = field(default_factory=list)
    finish: str | None = None
    pieces: int = 0


def merge(whole: Reply, part: Reply) -> None:
    """Calls are added up; figures and the end are the latest told."""
    whole.calls += part.calls
    whole.finish = part.finish or whole.finish
    if part.output_tokens is not None or part.input_tokens is not None:
        whole.input_tokens = part.input_tokens
        whole.output_tokens = part.output_tokens
        whole.cached_tokens = part.cached_tokens
        whole.reasoning_tokens = part.reasoning_tokens


def _openai_usage(reply: Reply, usage: Any) -> None:
    if usage is None:
        return
    chat = hasattr(usage, "prompt_tokens")
    reply.input_tokens = usage.prompt_tokens if chat else usage.input_tokens
    reply.output_tokens = usage.completion_tokens if chat else usage.output_tokens
    read = usage.prompt_tokens_details if chat else usage.input_tokens_details
    written = usage.completion_tokens_details if chat else usage.output_tokens_details
    reply.cached_tokens = (read.cached_tokens if read else 0) or 0
    reply.reasoning_tokens = (written.reasoning_tokens if written else 0) or 0


def chat_reply(answer: Any) -> Reply:
    choice = answer.choices[0]
    reply = Reply(text=choice.message.content or "", finish=choice.finish_reason)
    for call in choice.message.tool_calls or []:
        reply.calls.append((call.function.name, json.loads(call.function.arguments)))
    _openai_usage(reply, answer.usage)
    return reply


async def chat_texts(chunks: Any, reply: Reply) -> AsyncIterator[str]:
    calls: dict[int, list[str]] = {}
    async for chunk in chunks:
        _openai_usage(reply, chunk.usage)
        for choice in chunk.choices[:1]:
            reply.finish = choice.finish_reason or reply.finish
            for call in choice.delta.tool_calls or []:
                known = calls.setdefault(call.index, ["", ""])
                known[0] += call.function.name or ""
                known[1] += call.function.arguments or ""
            if choice.delta.content:
                yield choice.delta.content
    reply.calls += [(name, json.loads(arguments)) for name, arguments in calls.values()]


def response_reply(answer: Any) -> Reply:
    reply = Reply(text=answer.output_text, finish=answer.status)
    for item in answer.output:
        if item.type == "function_call":
            reply.calls.append((item.name, json.loads(item.arguments)))
    _openai_usage(reply, answer.usage)
    return reply


async def response_texts(events: Any, reply: Reply) -> AsyncIterator[str]:
    async for event in events:
        if event.type == "response.output_text.delta":
            yield event.delta
        elif event.type in ("response.completed", "response.incomplete"):
            merge(reply, response_reply(event.response))


def completion_reply(answer: Any) -> Reply:
    choice = answer.choices[0] if answer.choices else None
    reply = Reply(text=choice.text if choice else "", finish=choice.finish_reason if choice else None)
    _openai_usage(reply, answer.usage)
    return reply


def _anthropic_usage(reply: Reply, usage: Any) -> None:
    """`input_tokens` leaves the prompt cache out; a stream's later figures replace the earlier ones."""
    if usage is None:
        return
    if usage.input_tokens is not None:
        reply.cached_tokens = usage.cache_read_input_tokens or 0
        reply.input_tokens = usage.input_tokens + reply.cached_tokens + (usage.cache_creation_input_tokens or 0)
    if usage.output_tokens is not None:
        reply.output_tokens = usage.output_tokens
    details = getattr(usage, "output_tokens_details", None)
    reply.reasoning_tokens = (details.thinking_tokens if details else 0) or 0


def message_reply(answer: Any) -> Reply:
    reply = Reply(finish=answer.stop_reason)
    for block in answer.content:
        if block.type == "text":
            reply.text += block.text
        elif block.type == "tool_use":
            reply.calls.append((block.name, block.input))
    _anthropic_usage(reply, answer.usage)
    return reply


async def message_texts(events: Any, reply: Reply) -> AsyncIterator[str]:
    calls: dict[int, list[str]] = {}
    async for event in events:
        match event.type:
            case "message_start":
                _anthropic_usage(reply, event.message.usage)
            case "content_block_start" if event.content_block.type == "tool_use":
                calls[event.index] = [event.content_block.name, ""]
            case "content_block_delta" if event.delta.type == "input_json_delta":
                calls[event.index][1] += event.delta.partial_json
            case "content_block_delta" if event.delta.type == "text_delta":
                yield event.delta.text
            case "message_delta":
                reply.finish = event.delta.stop_reason
                _anthropic_usage(reply, event.usage)
    reply.calls += [(name, json.loads(text or "{}")) for name, text in calls.values()]


def gemini_reply(answer: Any) -> Reply:
    reply = Reply()
    for candidate in (answer.candidates or [])[:1]:
        reply.finish = candidate.finish_reason.value if candidate.finish_reason else None
        for part in (candidate.content.parts if candidate.content else None) or []:
            if part.text and not part.thought:
                reply.text += part.text
            if part.function_call:
                reply.calls.append((part.function_call.name, part.function_call.args))
    if told := answer.usage_metadata:
        reply.input_tokens = (told.prompt_token_count or 0) + (told.tool_use_prompt_token_count or 0)
        reply.reasoning_tokens = told.thoughts_token_count or 0
        reply.output_tokens = (told.candidates_token_count or 0) + reply.reasoning_tokens
        reply.cached_tokens = told.cached_content_token_count or 0
    return reply


def ollama_reply(answer: Any) -> Reply:
    reply = Reply(finish=answer.done_reason, input_tokens=answer.prompt_eval_count, output_tokens=answer.eval_count)
    message = getattr(answer, "message", None)
    if message is None:
        reply.text = answer.response or ""
        return reply
    reply.text = message.content or ""
    for call in message.tool_calls or []:
        reply.calls.append((call.function.name, dict(call.function.arguments)))
    return reply
