"""The index calls what the stock manager calls, in its order, and makes the same of errors. Both are always asked."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from mitmproxy import exceptions, options
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons import errorcheck
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.proxy.server_hooks import ClientConnectedHook
from mitmproxy.test import taddons, tflow

from addons import hook_index


class Recorder:
    """Remembers its calls in a common list; `does` is what happens then."""

    def __init__(self, name: str, calls: list[str], does: Callable[[], Any] | None = None, parts: Any = ()) -> None:
        self.name = name
        self._calls = calls
        self._does = does
        self.addons = list(parts)

    def request(self, flow: Any) -> Any:
        self._calls.append(self.name)
        return self._does() if self._does is not None else None


class Waiting(Recorder):
    async def request(self, flow: Any) -> None:
        self._calls.append(f"{self.name} begins")
        await asyncio.sleep(0)
        self._calls.append(f"{self.name} ends")


class Deaf:
    name = "deaf"


def fails() -> None:
    raise ValueError("as told")


def halts() -> None:
    raise exceptions.AddonHalt


def wrong_option() -> None:
    raise exceptions.OptionsError("as told")


def manager(*addons: Any, indexed: bool) -> AddonManager:
    made = taddons.context(loadcore=False, options=options.Options()).master.addons
    made.add(*addons)
    if indexed:
        hook_index.install(made)
    return made


type Chain = Callable[[list[str]], list[Any]]

CHAINS: dict[str, Chain] = {
    "in-order": lambda calls: [Recorder("a", calls), Deaf(), Recorder("b", calls)],
    "parts-depth-first": lambda calls: [
        Recorder("a", calls, parts=[Recorder("a1", calls, parts=[Recorder("a1x", calls)]), Recorder("a2", calls)]),
        Recorder("b", calls),
    ],
    "awaited-in-turn": lambda calls: [Waiting("a", calls), Recorder("b", calls), Waiting("c", calls)],
    "an-error-skips-the-rest-of-its-own-group": lambda calls: [
        Recorder("a", calls, fails, [Recorder("a1", calls)]),
        Recorder("b", calls),
    ],
    "a-halt-ends-the-event": lambda calls: [
        Recorder("a", calls),
        Recorder("b", calls, halts, [Recorder("b1", calls)]),
        Recorder("c", calls),
    ],
    "a-coroutine-that-a-plain-hook-returns": lambda calls: [Recorder("a", calls, lambda: asyncio.sleep(0))],
}


@pytest.mark.parametrize("chain", [pytest.param(value, id=name) for name, value in CHAINS.items()])
@pytest.mark.parametrize("through", ["trigger_event", "handle_lifecycle"])
async def test_the_same_is_called_as_without_the_index(
    chain: Chain, through: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls: dict[bool, list[str]] = {False: [], True: []}
    reports: dict[bool, list[str]] = {}
    for indexed in calls:
        addons = manager(*chain(calls[indexed]), indexed=indexed)
        caplog.clear()
        for _ in range(2):  # the second time from the index
            await getattr(addons, through)(HttpRequestHook(tflow.tflow()))
        reports[indexed] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]

    assert calls[True] == calls[False] != []
    assert reports[True] == reports[False]


@pytest.mark.parametrize("indexed", [False, True])
async def test_a_wrong_option_is_raised_to_the_caller(indexed: bool) -> None:
    calls: list[str] = []
    addons = manager(Recorder("a", calls, wrong_option), Recorder("b", calls), indexed=indexed)

    with pytest.raises(exceptions.OptionsError):
        await addons.trigger_event(HttpRequestHook(tflow.tflow()))

    assert calls == ["a"]


@pytest.mark.parametrize("indexed", [False, True])
async def test_a_cancellation_is_never_swallowed(indexed: bool) -> None:
    calls: list[str] = []
    addons = manager(Waiting("a", calls), Recorder("b", calls), indexed=indexed)
    task = asyncio.create_task(addons.trigger_event(HttpRequestHook(tflow.tflow())))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert calls == ["a begins"]


@pytest.mark.parametrize("indexed", [False, True])
async def test_a_hook_that_cannot_be_called_is_reported_and_harms_no_other_addon(
    indexed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []
    broken = Deaf()
    broken.request = "no function"  # type: ignore[attr-defined]
    addons = manager(broken, Recorder("b", calls), indexed=indexed)

    await addons.trigger_event(HttpRequestHook(tflow.tflow()))

    assert calls == ["b"]
    assert "not callable" in caplog.text


@pytest.mark.parametrize("indexed", [False, True])
async def test_a_module_that_is_named_like_a_hook_is_no_hook(indexed: bool) -> None:
    calls: list[str] = []
    holder = Deaf()
    holder.request = errorcheck  # type: ignore[attr-defined]
    addons = manager(holder, Recorder("b", calls), indexed=indexed)

    await addons.trigger_event(HttpRequestHook(tflow.tflow()))

    assert calls == ["b"]


async def test_a_change_of_the_chain_is_seen_at_once() -> None:
    calls: list[str] = []
    first, second, part = Recorder("a", calls), Recorder("b", calls), Recorder("a1", calls)
    addons = manager(first, indexed=True)

    async def called() -> list[str]:
        calls.clear()
        await addons.trigger_event(HttpRequestHook(tflow.tflow()))
        return list(calls)

    assert await called() == ["a"]
    addons.add(second)
    assert await called() == ["a", "b"]
    first.addons.append(addons.register(part))
    assert await called() == ["a", "a1", "b"]
    addons.remove(second)
    assert await called() == ["a", "a1"]
    addons.clear()
    assert await called() == []


async def test_an_update_follows_a_flow_only_where_somebody_listens() -> None:
    seen: list[str] = []

    class Watcher:
        def update(self, flows: Any) -> None:
            seen.extend(flow.id for flow in flows)

    flow = tflow.tflow()
    addons = manager(Recorder("a", []), indexed=True)
    await addons.handle_lifecycle(HttpRequestHook(flow))
    assert seen == []

    addons.add(Watcher())
    await addons.handle_lifecycle(HttpRequestHook(flow))
    await addons.handle_lifecycle(ClientConnectedHook(flow.client_conn))

    assert seen == [flow.id]


def test_the_manager_stays_the_same_object() -> None:
    addons = manager(Recorder("a", []), indexed=False)

    hook_index.install(addons)

    assert isinstance(addons, hook_index.IndexedAddonManager)
    assert len(addons) == 1 and addons.get("a") is not None
