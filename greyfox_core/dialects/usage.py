"""What the providers' usage figures mean, in one normal form. docs/usage.md says the same with examples.

Units:   tokens. `input_total` contains cached reads and writes, `output_total` contains reasoning.
Errors:  none: figures that are missing, negative or no whole numbers give None, and the answer is then estimated.
Source:  the APIs' references and the fields of the official SDKs. OpenAI's input includes what was cached, Anthropic's
         does not; Gemini's candidates and xAI's completion leave reasoning out.
"""

from collections.abc import Mapping
from typing import Any

from greyfox_core.values.usage import Usage

EXTRA_ITERATIONS = ("compaction", "advisor_message")  # billed beside Anthropic's totals; the others break them down


def count(value: Any) -> int | None:
    """A whole number of tokens, or None."""
    return value if type(value) is int and value >= 0 else None


def part(node: Any, *path: str) -> int:
    """The count at `path`; 0 where there is none."""
    for name in path:
        if not isinstance(node, Mapping):
            return 0
        node = node.get(name)
    return count(node) or 0


def openai_usage(stated: Any) -> Usage | None:
    """`usage` of chat completions and legacy completions, at OpenAI and at what is compatible with it."""
    if not isinstance(stated, Mapping):
        return None
    hit, miss = count(stated.get("prompt_cache_hit_tokens")), count(stated.get("prompt_cache_miss_tokens"))
    sent, received = count(stated.get("prompt_tokens")), count(stated.get("completion_tokens"))
    if sent is None and hit is not None and miss is not None:
        sent = hit + miss
    if sent is None or received is None:
        return None
    cached = part(stated, "prompt_tokens_details", "cached_tokens") or hit or part(stated, "cached_tokens")
    reasoning = part(stated, "completion_tokens_details", "reasoning_tokens")
    return _normal(
        sent=sent,
        received=received,
        cached=cached,
        written=part(stated, "prompt_tokens_details", "cache_write_tokens"),
        reasoning=reasoning,
        total=count(stated.get("total_tokens")),  # at xAI: greater by the reasoning, which completion leaves out
    )


def embeddings_usage(stated: Any) -> Usage | None:
    """`usage` of OpenAI's embeddings: input only."""
    sent = count(stated.get("prompt_tokens")) if isinstance(stated, Mapping) else None
    return None if sent is None else Usage(input_total=max(sent, part(stated, "total_tokens")))


def responses_usage(response: Any) -> Usage | None:
    """A response object's `usage`, and beside it the tokens of pictures that it made (`tool_usage.image_gen`)."""
    stated = response.get("usage") if isinstance(response, Mapping) else None
    if not isinstance(stated, Mapping):
        return None
    sent, received = count(stated.get("input_tokens")), count(stated.get("output_tokens"))
    if sent is None or received is None:
        return None
    text = _normal(
        sent=sent,
        received=received,
        cached=part(stated, "input_tokens_details", "cached_tokens"),
        written=part(stated, "input_tokens_details", "cache_write_tokens"),
        reasoning=part(stated, "output_tokens_details", "reasoning_tokens"),
        total=count(stated.get("total_tokens")),
    )
    return Usage(
        text.input_total + part(response, "tool_usage", "image_gen", "input_tokens"),
        text.output_total + part(response, "tool_usage", "image_gen", "output_tokens"),
        text.input_cached_read,
        text.input_cache_write,
        text.output_reasoning,
    )


def anthropic_usage(stated: Any) -> Usage | None:
    """`usage` of a message. Cache reads and writes come beside `input_tokens`; some iterations beside everything."""
    if not isinstance(stated, Mapping):
        return None
    if count(stated.get("input_tokens")) is None or count(stated.get("output_tokens")) is None:
        return None
    if any(
        stated.get(name) is not None and count(stated.get(name)) is None
        for name in ("cache_creation_input_tokens", "cache_read_input_tokens")
    ):
        return None
    iterations = stated.get("iterations")
    extra = [
        one
        for one in (iterations if isinstance(iterations, list) else ())
        if isinstance(one, Mapping) and one.get("type") in EXTRA_ITERATIONS
    ]
    everything = [stated, *extra]
    written = sum(part(one, "cache_creation_input_tokens") for one in everything)
    read = sum(part(one, "cache_read_input_tokens") for one in everything)
    return Usage(
        input_total=sum(part(one, "input_tokens") for one in everything) + written + read,
        output_total=sum(part(one, "output_tokens") for one in everything),
        input_cached_read=read,
        input_cache_write=written,
        output_reasoning=part(stated, "output_tokens_details", "thinking_tokens"),
    )


def gemini_usage(stated: Any) -> Usage | None:
    """`usageMetadata`: thoughts come beside candidates, tool results beside the prompt; what is zero is left out."""
    if not isinstance(stated, Mapping) or count(stated.get("promptTokenCount")) is None:
        return None
    figures = ("toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount")
    if any(stated.get(name) is not None and count(stated.get(name)) is None for name in figures):
        return None
    thoughts = part(stated, "thoughtsTokenCount")
    return _normal(
        sent=part(stated, "promptTokenCount") + part(stated, "toolUsePromptTokenCount"),
        received=part(stated, "candidatesTokenCount") + thoughts,
        cached=part(stated, "cachedContentTokenCount"),
        written=0,
        reasoning=thoughts,
        total=count(stated.get("totalTokenCount")),
    )


def ollama_usage(answer: Mapping[str, Any], *, produced_text: bool) -> Usage | None:
    """The counts on an answer's last line. Older servers leave the prompt's out for a cached prompt, or say 0."""
    if answer.get("done_reason") in ("load", "unload"):
        return Usage()
    sent, received = count(answer.get("prompt_eval_count")), count(answer.get("eval_count"))
    if answer.get("eval_count") is None and not produced_text:
        received = 0  # a zero is left out
    if not sent or received is None:
        return None
    return Usage(sent, received, min(part(answer, "prompt_eval_cached_count"), sent))


def _normal(*, sent: int, received: int, cached: int, written: int, reasoning: int, total: int | None) -> Usage:
    """Where the stated total is greater than input and output together, the larger figure is taken, as output."""
    if total is not None and total > sent + received:
        received = total - sent
    cached = min(cached, sent)
    return Usage(sent, received, cached, min(written, sent - cached), min(reasoning, received))
