"""How the stand-in provider is told to behave: well by default, badly on demand.

A `Behaviour` says how one request is answered; `Rules` chooses the behaviour of a request.
Units: tokens, bytes and events are whole numbers; `pace` is seconds between two events.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Self

from tests.kit.watch import Watch

SAMPLES = Path(__file__).parent.parent / "samples"

type Finish = Literal["stop", "length", "tool", "filter"]
type Cut = Literal["reset", "half-close", "close"]


class Gate:
    """Lets one answer out step by step. Step 1 is the head; each event (or the whole plain body) is one more.

    `Gate()` holds the answer before its head, `Gate(1)` before the first event, `Gate(3)` before the third.
    """

    def __init__(self, permits: int = 0) -> None:
        self._permits = permits
        self._taken = 0
        self._open = False
        self._at_rest = False  # the provider stands before the gate, or the answer has ended
        self._watch = Watch()

    async def step(self, count: int = 1, seconds: float = 10) -> None:
        """Let `count` more steps out; return when the provider has taken them and waits again, or the answer ended."""
        self._permits += count
        self._at_rest = False
        self._watch.changed()
        await self.held(seconds)

    async def held(self, seconds: float = 10) -> None:
        """Return when the provider stands before this gate without a permit, or the answer ended."""
        await self._watch.until(lambda: self._at_rest, seconds)

    def release(self) -> None:
        """Let everything out, now and later."""
        self._open = True
        self._watch.changed()

    async def enter(self) -> None:
        """The provider's side: take one permit, waiting for it where there is none."""
        while not self._open and self._taken >= self._permits:
            self._at_rest = True
            self._watch.changed()
            await self._watch.until(lambda: self._open or self._taken < self._permits)
        self._at_rest = False
        self._taken += 1

    def leave(self) -> None:
        """The provider's side: the answer has ended, however it did."""
        self._at_rest = True
        self._watch.changed()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One function call that the answer proposes."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to answer. Every field left alone means: as a healthy provider would."""

    # What the model says and what is billed for it
    text: str | None = None  # the answer's words; otherwise derived from the request
    output_tokens: int | None = None  # words that the model wants to say, per choice; its cap cuts them
    input_tokens: int | None = None  # billed input, in place of the counting rule
    cached_tokens: int = 0  # part of the input, read from the provider's prompt cache
    cache_write_tokens: int = 0  # part of the input, written to it
    reasoning_tokens: int = 0  # part of the output, unseen
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish | None = None  # otherwise what follows from the cap and the calls
    ignore_cap: bool = False  # bill more than the request's cap
    bills_after_drop: bool = False  # goes on generating when the client has left
    usage: Literal["true", "absent"] | Mapping[str, Any] = "true"  # a mapping is stated in place of the true figures

    # The head
    status: int = 200
    message: str = "The stand-in provider was told to fail."
    error_code: str | None = None
    error_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None  # served byte for byte, with `content_type`
    content_type: str | None = None

    # How it travels
    gate: Gate | None = None
    pace: float = 0.0
    piece: int | None = None  # the body goes out in pieces of so many bytes, whatever its events
    gzip: bool = False
    error_after: int | None = None  # events before an error inside the stream
    cut: Cut | None = None  # how the connection ends early
    cut_after_events: int | None = None  # neither: before the head
    cut_after_bytes: int | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """From the admin path. `tool_calls` are objects, `body` is text, `permits` makes a gate.

        Raises ValueError for an unknown field.
        """
        values = dict(given)
        if "permits" in values:
            values["gate"] = Gate(int(values.pop("permits")))
        if "tool_calls" in values:
            values["tool_calls"] = tuple(ToolCall(**call) for call in values["tool_calls"])
        if isinstance(values.get("body"), str):
            values["body"] = values["body"].encode()
        unknown = values.keys() - {known.name for known in fields(cls)}
        if unknown:
            raise ValueError(f"unknown in a behaviour: {', '.join(sorted(unknown))}")
        return cls(**values)


def sample(name: str, **changes: Any) -> Behaviour:
    """A file of `tests/kit/samples`, byte for byte, billed as its index says (where it tells no usage: 0).

    Raises KeyError for a name that the index lacks.
    """
    about = sample_index()[name]
    usage = about["usage"] or {"input_total": 0, "output_total": 0, "input_cached_read": 0, "input_cache_write": 0}
    values: dict[str, Any] = {
        "body": (SAMPLES / name).read_bytes(),
        "status": about["status"],
        "content_type": about["content_type"],
        "input_tokens": usage["input_total"],
        "output_tokens": usage["output_total"],
        "cached_tokens": usage["input_cached_read"],
        "cache_write_tokens": usage["input_cache_write"],
        "reasoning_tokens": usage.get("output_reasoning", 0),
    }
    return Behaviour(**values | changes)


def sample_index() -> dict[str, dict[str, Any]]:
    """The samples by file name: dialect, endpoint, status, content_type, usage in normal form."""
    listed: list[dict[str, Any]] = json.loads((SAMPLES / "index.json").read_bytes())["samples"]
    return {about["file"]: about for about in listed}


@dataclass(slots=True)
class _Rule:
    behaviour: Behaviour
    path: str
    model: str
    times: int | None  # None: always

    def fits(self, path: str, model: str) -> bool:
        return fnmatchcase(path, self.path) and fnmatchcase(model, self.model)


class Rules:
    """Which behaviour a request gets: the first waiting one-shot that fits, else the newest standing one."""

    def __init__(self) -> None:
        self._queue: list[_Rule] = []
        self._standing: list[_Rule] = []
        self._plain = Behaviour()

    def add(self, behaviour: Behaviour, *, path: str = "*", model: str = "*", times: int | None = None) -> None:
        """`path` and `model` are shell patterns; `times` None means until `clear`."""
        rules = self._standing if times is None else self._queue
        rules.append(_Rule(behaviour, path, model, times))

    def clear(self) -> None:
        self._queue.clear()
        self._standing.clear()

    def take(self, path: str, model: str) -> Behaviour:
        """The behaviour of this request; a one-shot is used up."""
        for rule in self._queue:
            if rule.fits(path, model):
                rule.times = (rule.times or 1) - 1
                if rule.times == 0:
                    self._queue.remove(rule)
                return rule.behaviour
        return next((rule.behaviour for rule in reversed(self._standing) if rule.fits(path, model)), self._plain)

    def gates(self) -> list[Gate]:
        """Every gate of a rule that still waits or stands."""
        return [rule.behaviour.gate for rule in self._queue + self._standing if rule.behaviour.gate]
