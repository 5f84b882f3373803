"""Streams of chat completions and legacy completions: chunks, a usage chunk if it was asked for, `[DONE]`.

Usage comes in a last chunk with `choices: []` (OpenAI), on the last chunk with choices (Mistral, Together), in every
chunk as a running total (vLLM) or in `x_groq` (Groq): the latest wins, and `null` erases nothing. Azure's first chunk
has no choices either: what is withheld is known by its usage, not by its empty choices.
"""

from collections.abc import Mapping
from typing import Any

from greyfox_core.dialects import errors
from greyfox_core.dialects.sse import SseReader, all_said, loaded, said_under
from greyfox_core.dialects.texts import objects, strings
from greyfox_core.dialects.usage import openai_usage
from greyfox_core.errors import Refused

FINISHED = ("stop", "tool_calls", "function_call")  # of its own accord; the others cut or filter

SAID = said_under("content", "text", "reasoning", "reasoning_content", "refusal", "name", "arguments", "input")


class ChatReader(SseReader):
    """`choices` is how many answers were asked for. `withholds`: the caller did not ask for the usage chunk."""

    def __init__(self, *, choices: int, withholds: bool) -> None:
        super().__init__(withholds=withholds)
        self._choices = choices
        self._finished: dict[int, bool] = {}

    def matters(self, block: bytes) -> bool:
        # In JSON text a quote is escaped: these patterns are found in an answer's text only with a backslash before.
        return (
            block.count(b'"usage"') != block.count(b'"usage":null')
            or b'"finish_reason":"' in block
            or b'"finish_reason": "' in block
            or b"[DONE]" in block
            or b'"error"' in block
            or b'"refusal":"' in block
            or b'"refusal": "' in block
        )

    def read(self, data: bytes) -> bool:
        if data.startswith(b"[DONE]"):
            self.complete = not self.failed
            return False
        chunk = loaded(data)
        groq = chunk.get("x_groq")
        stated = chunk.get("usage") or (groq.get("usage") if isinstance(groq, Mapping) else None)
        usage = openai_usage(stated)
        if usage:
            self.usage, self.input_known = usage, usage.input_total
        if chunk.get("error") or (isinstance(groq, Mapping) and groq.get("error")):
            self.failed, self.complete = True, False
        choices = chunk.get("choices")
        for choice in objects(choices):
            self._read_choice(choice)
        return self._withholds and choices == [] and isinstance(chunk.get("usage"), dict)

    def _read_choice(self, choice: Mapping[str, Any]) -> None:
        index, reason, delta = choice.get("index"), choice.get("finish_reason"), choice.get("delta")
        if not isinstance(index, int):
            return
        if isinstance(delta, Mapping) and delta.get("refusal"):
            self._finished[index] = False
        if isinstance(reason, str):
            self._finished[index] = reason in FINISHED and self._finished.get(index, True)

    @property
    def cacheable(self) -> bool:
        finished = self._finished
        return self.complete and self.usage is not None and len(finished) == self._choices and all(finished.values())

    def text_in(self, events: bytes) -> str:
        return all_said(SAID, events)

    def error_event(self, error: Refused, request_id: str) -> bytes:
        return errors.openai_event(error)


def message_texts(message: Any) -> list[str]:
    """What a message, or a fragment of one, says: text, refusal, thinking, tool calls; a legacy choice's `text`."""
    if not isinstance(message, Mapping):
        return []
    found = list(strings(message, "content", "text", "refusal", "reasoning", "reasoning_content"))
    for part in objects(message.get("content")):  # Mistral's parts
        found += strings(part, "text")
    for call in [*objects(message.get("tool_calls")), {"function": message.get("function_call")}]:
        found += strings(call.get("function"), "name", "arguments")
        found += strings(call.get("custom"), "name", "input")
    return found
