"""What the stand-in model says to a call, before any dialect puts it on the wire.

Deterministic: the words follow from model and prompt alone, so that a capped answer is the beginning of the whole one
and a streamed answer says what the plain one says. Ids carry the request's serial number and are never repeated.

Units: tokens; one word is one token, and so is one piece of a stream. A tool call costs TOOL_CALL_TOKENS.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.kit.provider.behaviour import Behaviour, Finish, ToolCall
from tests.kit.provider.calls import Call, prompt_text

CREATED = 1795500000  # 2026-11-24, the second that every answer claims to be made in
USUAL_WORDS = 12
TOOL_CALL_TOKENS = 8

# Two words outside ASCII, so that pieces of a stream are real UTF-8.
_VOCABULARY = (
    "tide harbour low water high moon neap spring boat wind calm rope mast keel buoy shoal reef gull swell fog "
    "anchor bell lamp chart north pier quay sail deck flood Strömung 潮"
)
_WORDS = tuple(_VOCABULARY.split())
_WITH_SPACE = re.compile(r"\s*\S+\s*$|\s*\S+\s?")


@dataclass(frozen=True, slots=True)
class Choice:
    """One alternative: its text in pieces of one token each, its calls, and why it ended."""

    pieces: tuple[str, ...]
    tool_calls: tuple[ToolCall, ...]
    finish: Finish

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with its true bill, in the normal form (totals, with parts)."""

    serial: int
    call: Call
    choices: tuple[Choice, ...]
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    behaviour: Behaviour

    def name(self, prefix: str) -> str:
        """An id such as `chatcmpl-standin000007`."""
        return f"{prefix}standin{self.serial:06d}"

    def call_id(self, prefix: str, index: int) -> str:
        return f"{prefix}standin{self.serial:06d}{chr(ord('A') + index)}"


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of a body, and the output tokens that were generated for it."""

    data: bytes
    tokens: int = 0


def answer_to(call: Call, behaviour: Behaviour, serial: int) -> Answer:
    """Compose the answer: reasoning first, then words, then tool calls, all within the cap."""
    cap = None if behaviour.ignore_cap else call.cap
    reasoning = behaviour.reasoning_tokens if cap is None else min(behaviour.reasoning_tokens, cap)
    room = None if cap is None else cap - reasoning
    choices = tuple(_choice(call, behaviour, index, room) for index in range(call.choices))
    spoken = [len(choice.pieces) + TOOL_CALL_TOKENS * len(choice.tool_calls) for choice in choices]
    unseen = (call.billed_choices - call.choices) * (spoken[0] if spoken else 0)  # best_of generates more than it shows
    return Answer(
        serial,
        call,
        choices,
        input_tokens=behaviour.input_tokens if behaviour.input_tokens is not None else call.input_tokens,
        cached_tokens=behaviour.cached_tokens,
        cache_write_tokens=behaviour.cache_write_tokens,
        output_tokens=sum(spoken) + unseen + reasoning,
        reasoning_tokens=reasoning,
        behaviour=behaviour,
    )


def _choice(call: Call, behaviour: Behaviour, index: int, room: int | None) -> Choice:
    wanted = _wanted_pieces(call, behaviour, index)
    pieces = wanted if room is None else wanted[:room]
    left = None if room is None else room - len(pieces)
    fitting = len(behaviour.tool_calls) if left is None else min(len(behaviour.tool_calls), left // TOOL_CALL_TOKENS)
    calls = behaviour.tool_calls[:fitting]
    cut = len(pieces) < len(wanted) or fitting < len(behaviour.tool_calls)
    finish: Finish = behaviour.finish or ("length" if cut else "tool" if calls else "stop")
    return Choice(tuple(pieces), calls, finish)


def _wanted_pieces(call: Call, behaviour: Behaviour, index: int) -> list[str]:
    if behaviour.text is not None:
        said = _WITH_SPACE.findall(behaviour.text)
        return said if behaviour.output_tokens is None else said[: behaviour.output_tokens]
    count = behaviour.output_tokens if behaviour.output_tokens is not None else USUAL_WORDS
    if behaviour.tool_calls and behaviour.output_tokens is None:
        return []
    words = _words(f"{call.model}\n{index}\n{prompt_text(call.body)}")
    said = [next(words) + " " for _ in range(count)]
    if said:
        said[-1] = said[-1].rstrip() + "."
    return said


def _words(seed: str) -> Iterator[str]:
    """Endless words that follow from the seed."""
    block = 0
    while True:
        for byte in hashlib.sha256(f"{seed}\n{block}".encode()).digest():
            yield _WORDS[byte % len(_WORDS)]
        block += 1


def vector(text: str, dimensions: int) -> list[float]:
    """An embedding that follows from the text: numbers that a 32-bit float holds exactly."""
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[place % len(digest)] - 128) / 128 for place in range(dimensions)]
