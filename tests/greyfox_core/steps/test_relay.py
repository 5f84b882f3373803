"""A stream on its way: what the client gets, and that it is settled exactly once however it ends."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from greyfox_core.errors import Refused, UpstreamFailed, UpstreamTimeout
from greyfox_core.steps.open_attempt import Background
from greyfox_core.steps.relay import BrokenOff, Relay
from greyfox_core.values.usage import Usage

STATED = Usage(5, 3)


class Attempt:
    """Remembers how it was settled."""

    def __init__(self, *, on_drop: str = "close", drain_timeout: float = 3600) -> None:
        config = SimpleNamespace(accounting=SimpleNamespace(on_drop=on_drop, drain_timeout=drain_timeout))
        self.exchange = SimpleNamespace(id="gfr_1", rules=SimpleNamespace(config=config))
        self.settled: list[tuple[str, Any, str]] = []

    def settle_stated(self, usage: Usage, outcome: str) -> None:
        self.settled.append(("stated", usage, outcome))

    def settle_text(self, received: Any, outcome: str) -> None:
        self.settled.append(("text", received.text, outcome))

    def settle_received(self, received: Any, outcome: str) -> None:
        self.settled.append(("received", received.text, outcome))


class Response:
    """Gives these pieces, and then what is to be raised or waited for."""

    def __init__(self, pieces: Sequence[bytes], then: Refused | None = None, hang: bool = False) -> None:
        self._left = list(pieces)
        self._then = then
        self._hang = hang
        self.closed = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        while self._left:
            yield self._left.pop(0)
        if self._hang:
            await asyncio.Event().wait()
        if self._then is not None:
            raise self._then

    def close(self) -> None:
        self.closed += 1


class Reader:
    """Passes on what it is fed, in upper case; `end` ends the answer, `-` is held back until the end."""

    def __init__(self, usage: Usage | None = STATED, cut_event: bytes = b"!") -> None:
        self.usage = usage
        self.complete = False
        self.failed = False
        self.cacheable = True
        self.input_known: int | None = None
        self._text = b""
        self._held = b""
        self._cut_event = cut_event

    def feed(self, data: bytes) -> bytes:
        self._text += data
        self.complete = self.complete or data == b"end"
        if data == b"-":
            self._held += data
            return b""
        return data.upper()

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def cut(self, error: Refused, request_id: str) -> bytes:
        return self._cut_event

    def received_text(self) -> str:
        return self._text.decode()

    def received_chars(self) -> int:
        return len(self._text)


class Scene:
    """A relay and what it was made of."""

    def __init__(self, response: Response, reader: Reader | None = None, **attempt: Any) -> None:
        self.attempt = Attempt(**attempt)
        self.response = response
        self.reader = reader or Reader()
        self.background = Background()
        self.recorded: list[bytes] = []
        self.kept = 0
        standing_in: Any = self.attempt
        answering: Any = response
        self.relay = Relay(
            standing_in, answering, self.reader, self.background, record=self.recorded.append, keep=self._keep
        )

    def _keep(self, attempt: Any) -> None:
        assert self.attempt.settled, "kept before it was settled"
        self.kept += 1


async def test_a_whole_answer_goes_out_piece_by_piece_and_is_settled_by_its_figures() -> None:
    scene = Scene(Response([b"a", b"-", b"b", b"end"]))

    assert [piece async for piece in scene.relay] == [b"A", b"B", b"END", b"-"]
    await scene.relay.aclose()

    assert scene.attempt.settled == [("stated", STATED, "complete")]
    assert scene.recorded == [b"A", b"B", b"END", b"-"]
    assert (scene.kept, scene.response.closed) == (1, 1)


async def test_a_piece_is_handed_on_before_the_next_one_is_there() -> None:
    scene = Scene(Response([b"a"], hang=True))

    assert await anext(scene.relay) == b"A"
    assert scene.attempt.settled == []


async def test_an_answer_that_is_over_is_freed_without_the_collector() -> None:
    scene = Scene(Response([b"end"]))
    scene.attempt.exchange.answer = scene.relay  # as a front door has it
    gone = weakref.ref(scene.relay)
    gc.disable()
    try:
        assert [piece async for piece in scene.relay] == [b"END"]
        await scene.relay.aclose()
        del scene
        assert gone() is None
    finally:
        gc.enable()


async def test_a_whole_answer_without_figures_is_settled_by_its_text() -> None:
    scene = Scene(Response([b"a", b"end"]), Reader(usage=None))

    assert [piece async for piece in scene.relay] == [b"A", b"END"]

    assert scene.attempt.settled == [("text", "aend", "complete")]


async def test_an_answer_that_may_not_be_kept_is_not() -> None:
    scene = Scene(Response([b"end"]))
    scene.reader.cacheable = False

    assert [piece async for piece in scene.relay] == [b"END"]

    assert scene.kept == 0


@pytest.mark.parametrize("broken", [UpstreamFailed("x"), UpstreamTimeout("x")])
async def test_a_break_is_told_in_the_stream_and_settled_by_what_came(broken: Refused) -> None:
    scene = Scene(Response([b"a", b"-"], then=broken))

    assert [piece async for piece in scene.relay] == [b"A", b"!"]

    assert scene.attempt.settled == [("received", "a-", "cut-upstream")]
    assert scene.recorded == [b"A"]
    assert (scene.kept, scene.response.closed) == (0, 1)


async def test_a_break_that_the_framing_cannot_tell_breaks_off() -> None:
    scene = Scene(Response([b"a"], then=UpstreamFailed("x")), Reader(cut_event=b""))

    assert await anext(scene.relay) == b"A"
    with pytest.raises(BrokenOff):
        await anext(scene.relay)

    assert scene.attempt.settled == [("received", "a", "cut-upstream")]


async def test_an_end_before_the_answers_own_end_is_a_cut_and_never_kept() -> None:
    scene = Scene(Response([b"a"]))

    assert [piece async for piece in scene.relay] == [b"A"]

    assert scene.attempt.settled == [("received", "a", "cut-upstream")]
    assert scene.kept == 0


@pytest.mark.parametrize("taken", [0, 1, 2])
async def test_a_client_that_leaves_stops_the_upstream_and_is_settled_by_what_came(taken: int) -> None:
    scene = Scene(Response([b"a", b"b"], hang=True))
    for _ in range(taken):
        await anext(scene.relay)

    await scene.relay.aclose()
    await scene.relay.aclose()

    assert scene.attempt.settled == [("received", "ab"[:taken], "cut-client")]
    assert (scene.kept, scene.response.closed) == (0, 1)


async def test_a_client_that_leaves_at_the_last_piece_has_had_the_whole_answer() -> None:
    scene = Scene(Response([b"-", b"end"]))
    assert [await anext(scene.relay), await anext(scene.relay)] == [b"END", b"-"]

    await scene.relay.aclose()

    assert scene.attempt.settled == [("stated", STATED, "complete")]


async def test_a_cancelled_wait_is_settled_too() -> None:
    scene = Scene(Response([b"a"], hang=True))
    assert await anext(scene.relay) == b"A"
    waiting = asyncio.create_task(scene.relay.__anext__())
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert scene.attempt.settled == [("received", "a", "cut-client")]
    assert scene.response.closed == 1


@pytest.mark.parametrize("taken", [0, 1])
async def test_with_drain_the_answer_is_read_on_for_its_true_figures(taken: int) -> None:
    scene = Scene(Response([b"a", b"b", b"end"]), on_drop="drain")
    for _ in range(taken):
        await anext(scene.relay)

    await scene.relay.aclose()
    assert scene.attempt.settled == []
    await scene.background.finished(10)

    assert scene.attempt.settled == [("stated", STATED, "drained")]
    assert (scene.kept, scene.response.closed) == (0, 1)


@pytest.mark.parametrize("response", [Response([b"a", b"b"], UpstreamFailed("x")), Response([b"a", b"b"], hang=True)])
async def test_with_drain_a_break_or_too_long_a_wait_is_settled_by_what_came(response: Response) -> None:
    scene = Scene(response, on_drop="drain", drain_timeout=0.01)
    await anext(scene.relay)

    await scene.relay.aclose()
    await scene.background.finished(10)

    assert scene.attempt.settled == [("received", "ab", "cut-client")]
    assert response.closed == 1
