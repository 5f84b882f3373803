"""How long clients may take: arithmetic, and who is ended."""

import asyncio
import time
from math import inf

import pytest
from mitmproxy.connection import Client
from mitmproxy.test import tflow

from addons.patience import LEAVE, PROGRESS, Awaited, Patience, Watchman
from greyfox_core.config.schema import LimitsPart

LIMITS = LimitsPart(head_timeout=1, body_timeout=2, idle_timeout=3)
ALLOWED = {
    Awaited.REQUEST: 3,
    Awaited.HEAD: 1,
    Awaited.BODY: 2,
    Awaited.UNWANTED: 2,
    Awaited.LEAVE: LEAVE,
}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time: the last of the list."""
    times = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: times[-1])
    return times


@pytest.mark.parametrize(("what", "seconds"), ALLOWED.items())
def test_each_thing_has_its_own_time(what: Awaited, seconds: float, now: list[float]) -> None:
    patience = Patience()
    patience.wait_for(what, LIMITS)

    assert (patience.awaited, patience.due) == (what, 100 + seconds)


@pytest.mark.parametrize("what", [Awaited.HEAD, Awaited.UNWANTED, Awaited.LEAVE])
def test_what_trickles_wins_no_time(what: Awaited, now: list[float]) -> None:
    patience = Patience()
    patience.wait_for(what, LIMITS, 1)
    due = patience.due
    for _ in range(5):
        now.append(now[-1] + 0.1)
        patience.wait_for(what, LIMITS, 10_000)

    assert patience.due == due


def test_a_body_wins_time_by_each_kibibyte(now: list[float]) -> None:
    patience = Patience()
    patience.wait_for(Awaited.BODY, LIMITS)
    now.append(101.0)
    patience.wait_for(Awaited.BODY, LIMITS, PROGRESS - 1)
    assert patience.due == 102
    patience.wait_for(Awaited.BODY, LIMITS, 1)
    assert patience.due == 103


def test_after_an_answer_all_time_is_new(now: list[float]) -> None:
    patience = Patience()
    patience.wait_for(Awaited.HEAD, LIMITS, 500)
    patience.nothing_awaited()
    assert (patience.awaited, patience.due) == (None, inf)
    now.append(200.0)
    patience.wait_for(Awaited.HEAD, LIMITS)

    assert patience.due == 201


class Ended:
    """Remembers who was ended; `fails` says whether ending raises."""

    def __init__(self, *, fails: bool = False) -> None:
        self.clients: list[tuple[Client, Awaited]] = []
        self._fails = fails

    def __call__(self, client: Client, awaited: Awaited) -> None:
        self.clients.append((client, awaited))
        if self._fails:
            raise RuntimeError("canary")


async def test_who_is_late_is_ended_once_and_nobody_else(now: list[float]) -> None:
    ended = Ended()
    watchman = Watchman(ended)
    late, busy, early, gone = clients = [tflow.tclient_conn() for _ in range(4)]
    for client in clients:
        watchman.of(client).wait_for(Awaited.HEAD if client is not early else Awaited.REQUEST, LIMITS)
    watchman.of(busy).nothing_awaited()
    watchman.forget(gone)

    for moment in (100.9, 101.1, 101.2):
        watchman.end_overdue(moment)
    await watchman.stop()

    assert ended.clients == [(late, Awaited.HEAD)]


async def test_one_connection_that_cannot_be_ended_saves_no_other(
    now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    ended = Ended(fails=True)
    watchman = Watchman(ended)
    clients = [tflow.tclient_conn() for _ in range(2)]
    for client in clients:
        watchman.of(client).wait_for(Awaited.HEAD, LIMITS)

    watchman.end_overdue(inf)
    await watchman.stop()

    assert len(ended.clients) == 2
    assert "canary" not in caplog.text


async def test_a_client_has_one_patience_and_keeps_nobody_alive() -> None:
    watchman = Watchman(Ended())
    client = tflow.tclient_conn()

    assert watchman.of(client) is watchman.of(client)
    del client
    assert not watchman._watched
    await watchman.stop()


async def test_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addons.patience.LOOK", 0.001)
    found = asyncio.Event()
    watchman = Watchman(lambda client, awaited: found.set())
    client = tflow.tclient_conn()
    watchman.of(client).wait_for(Awaited.HEAD, LimitsPart(head_timeout=0.001))

    await asyncio.wait_for(found.wait(), 10)
    await watchman.stop()


async def test_it_can_be_stopped_before_anybody_came() -> None:
    await Watchman(Ended()).stop()
