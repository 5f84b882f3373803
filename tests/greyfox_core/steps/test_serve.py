"""All steps in one go: whatever one of them does, there is an answer, and no credential is left in the exchange."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest

from greyfox_core.errors import Forbidden, Unavailable
from greyfox_core.steps.leaving import ClientLeft
from greyfox_core.steps.serve import collected
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Answer
from tests.greyfox_core.steps.conftest import BODY, House

STEPS = ("_resolve", "_admit", "_recall", "_forward")


def raising(error: BaseException) -> Any:
    async def step(*arguments: object) -> None:
        raise error

    return step


async def passing(*arguments: object) -> None:
    """A step that has nothing to say."""


def only(house: House, monkeypatch: pytest.MonkeyPatch, name: str, step: Any) -> None:
    """Put `step` in this place, and nothing in the others."""
    for one in STEPS:
        monkeypatch.setattr(house.app.serve, one, step if one == name else passing)


def code(exchange: Exchange) -> tuple[int, str]:
    """The answer's status and GreyFox's own code."""
    assert exchange.answer is not None and isinstance(exchange.answer.body, bytes)
    return exchange.answer.status, orjson.loads(exchange.answer.body)["error"]["code"]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(RuntimeError("canary"), (503, "greyfox_unavailable"), id="unforeseen"),
        pytest.param(MemoryError(), (503, "greyfox_unavailable"), id="no-memory"),
        pytest.param(asyncio.CancelledError(), (503, "greyfox_unavailable"), id="something-was-cancelled"),
        pytest.param(Forbidden("Not you."), (403, "greyfox_forbidden"), id="refused"),
    ],
)
async def test_what_a_step_raises_is_the_answer(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException, expected: tuple[int, str]
) -> None:
    only(house, monkeypatch, name, raising(error))
    exchange = house.decided(house.head())

    await house.app.serve(exchange, BODY)

    assert code(exchange) == expected
    assert exchange.answer is not None
    assert b"canary" not in bytes(exchange.answer.body)  # type: ignore[arg-type]
    assert ("x-greyfox-request-id", exchange.id) in exchange.answer.headers


async def test_a_refusal_that_cannot_be_made_is_the_plainest_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("canary")

    only(house, monkeypatch, "_resolve", raising(Forbidden("Not you.")))
    monkeypatch.setattr(house.app.serve, "_refuse", broken)
    exchange = house.decided(house.head())

    await house.app.serve(exchange, BODY)

    assert code(exchange) == (403, "greyfox_forbidden")


async def test_whoever_cancels_the_task_itself_is_obeyed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def hanging(*arguments: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    only(house, monkeypatch, "_forward", hanging)
    exchange = house.decided(house.head())
    task = asyncio.ensure_future(house.app.serve(exchange, BODY))
    await begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert not exchange.answered


@pytest.mark.parametrize("why", [None, Unavailable("Stopping.")], ids=["by-itself", "made-to"])
async def test_a_client_that_leaves_gets_no_answer_unless_it_was_made_to(
    house: House, monkeypatch: pytest.MonkeyPatch, why: Unavailable | None
) -> None:
    only(house, monkeypatch, "_forward", raising(ClientLeft()))
    exchange = house.decided(house.head())
    exchange.leave(why)

    await house.app.serve(exchange, BODY)

    assert exchange.answered is (why is not None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"draining": True}, 503, id="draining"),
        pytest.param({"length": 10**9}, 413, id="too-large"),
        pytest.param({"fields": 101}, 431, id="too-many-fields"),
        pytest.param({"key": "gf_wrong"}, 401, id="a-stranger"),
    ],
)
def test_what_the_head_decides(house: House, options: dict[str, Any], expected: int) -> None:
    fields = [f"X-{n}: 1" for n in range(options.get("fields", 3))][:90]
    head = house.head(f"Authorization: Bearer {options.get('key', house.key)}", *fields)
    head.fields += tuple(("x", "1") for _ in range(options.get("fields", 0)))
    exchange = house.opened(head)

    assert house.app.serve.head(exchange, None, options.get("length", 5), draining=options.get("draining", False))

    assert code(exchange)[0] == expected
    assert house.key not in repr(exchange.head)


async def test_no_credential_is_left_whatever_raised(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> bool:
        raise RuntimeError

    monkeypatch.setattr(house.app.identify, "at_once", broken)
    exchange = house.opened(house.head())

    assert house.app.serve.head(exchange, None, 5, draining=False)

    assert code(exchange) == (503, "greyfox_unavailable")
    assert house.key not in repr(exchange.head)


class Source:
    """Two pieces, and whether it was closed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.closed = False
        self._error = error
        self._pieces = self._all()

    async def _all(self) -> AsyncGenerator[bytes]:
        yield b"one "
        if self._error is not None:
            raise self._error
        yield b"two"

    def __aiter__(self) -> AsyncGenerator[bytes]:
        return self._pieces

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("error", [None, RuntimeError()], ids=["whole", "broken"])
async def test_pieces_are_collected_and_their_source_is_closed(error: Exception | None) -> None:
    source = Source(error)
    answer = Answer(200, [], source)

    if error is None:
        await collected(answer)
        assert answer.body == b"one two"
    else:
        with pytest.raises(RuntimeError):
            await collected(answer)
    assert source.closed
