"""Whatever breaks inside, nothing goes out ungoverned: the caller gets a 503, the provider sees nothing."""

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.faults.scene import DIALECTS, at_rest, attempts, books_are_right, client, code_of, eventually, post, question
from tests.kit.configuration import config_for
from tests.kit.gateway import ROOT, Gateway
from tests.kit.provider import Provider
from tests.kit.sdks import HOSTS

# The addons as a script of stock mitmdump, each part made to raise where a request asks for that.
# `step:NAME` breaks a step of the core, `hook:NAME` an addon's hook outside of its guard, `door:NAME` a part of
# the fast door outside of its own.
BREAKING = """
import asyncio, runpy, sys
sys.path.insert(0, {root!r})
from greyfox_core.steps import admit, finish, forward, identify, ingress, recall, resolve

SECRET = "canary-in-an-exception"

def asked(thing):
    thing = getattr(thing, "exchange", thing)
    head = getattr(thing, "head", thing)
    fields = getattr(head, "headers", None) or getattr(head, "fields", None)
    fields = fields or getattr(getattr(head, "request", None), "headers", ())
    fields = fields.items(multi=True) if hasattr(fields, "items") else fields
    return next((value for name, value in fields if name.lower() == "x-test-break"), "")

def broken(owner, method, name, of=1):
    whole = getattr(owner, method)
    def check(arguments):
        wish, _, how = asked(arguments[of]).partition("=")
        if wish == name:
            kind = {{"": RuntimeError, "cancel": asyncio.CancelledError, "memory": MemoryError}}[how]
            # Outside of our guard it is mitmproxy that logs, with the text.
            raise kind(SECRET if name.startswith("step:") else "outside")
    if asyncio.iscoroutinefunction(whole):
        async def replacement(*arguments, **more):
            check(arguments)
            return await whole(*arguments, **more)
    else:
        def replacement(*arguments, **more):
            check(arguments)
            return whole(*arguments, **more)
    setattr(owner, method, replacement)

broken(ingress.Ingress, "open", "step:ingress")
broken(identify.Identify, "at_once", "step:identify")
broken(resolve.Resolve, "__call__", "step:resolve")
broken(admit.Admit, "__call__", "step:admit")
broken(recall.Recall, "__call__", "step:recall")
broken(forward.Forward, "__call__", "step:forward")
broken(finish.Finish, "head", "step:finish")

names = runpy.run_path({script!r}, run_name="greyfox_script")
for addon in names["addons"]:
    for hook in ("requestheaders", "request", "gf_serve", "gf_piece"):
        if hasattr(addon, hook):
            broken(type(addon), hook, "hook:" + addon.name.removeprefix("greyfox.") + "." + hook)
from addons.fast_door import Call, FastDoor
from greyfox_core.steps.known import KnownHeads
from greyfox_core.steps.serve import Serve
broken(FastDoor, "open", "door:open", of=3)
broken(FastDoor, "_call", "door:_call", of=4)
broken(FastDoor, "serve", "door:serve")
broken(FastDoor, "pull", "door:pull")
broken(Serve, "head", "door:head")
broken(Serve, "__call__", "door:steps")
broken(identify.Identify, "hide", "door:hide")
broken(KnownHeads, "recall", "door:recall")
broken(KnownHeads, "remember", "door:remember")
broken(Call, "whole", "door:whole", of=0)
addons = names["addons"]
"""
STEPS = ("ingress", "identify", "resolve", "admit", "recall", "forward")
FLOW_HOOKS = (
    "ingress.requestheaders",
    "auth.requestheaders",
    "resolve.request",
    "quota.request",
    "cache.request",
    "router.request",
)
FAST_DOOR = (
    "door:open",
    "door:_call",
    "door:recall",
    "door:remember",
    "door:head",
    "door:hide",
    "door:serve",
    "door:steps",
    "hook:fast.gf_serve",
)


class Scripted(Gateway):
    """Stock mitmdump with a script of the test's own in place of the addons."""

    script: Path

    def command(self) -> list[str]:
        command = super().command()
        command[command.index("-s") + 1] = str(self.script)
        return command


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def breaking(
    shared_provider: Provider, tmp_path_factory: pytest.TempPathFactory, certs: Path, door: str
) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("breaking")
    quota = {"name": "day", "per": "user", "period": "day", "output_tokens": 10**9}
    # Longer than the test waits for the end: an exchange that is left open would be noticed.
    config = config_for(shared_provider, quotas=[quota], limits={"drain_timeout": "10m"})
    one = Scripted(folder, config, certs=certs, launch="script")
    one.script = folder / "breaking.py"
    one.script.write_text(BREAKING.format(root=str(ROOT), script=str(ROOT / "addons" / "__init__.py")))
    await one.run()
    yield one
    assert await one.stop() == 0, one.log_text()
    assert not one.seen_in_logs(["canary-in-an-exception"])  # what an exception quotes is told nobody


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def breaking_key(breaking: Gateway) -> str:
    return await breaking.create_key("alice")


@pytest.fixture
def untouched(shared_provider: Provider) -> Iterator[Provider]:
    """A provider that no request of this test may reach."""
    shared_provider.reset()
    yield shared_provider
    assert shared_provider.requests == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_raises_refuses_that_request_and_no_other(
    breaking: Gateway, breaking_key: str, untouched: Provider, step: str, http2: bool
) -> None:
    async with client(breaking, breaking_key, http2=http2) as by:
        for dialect in DIALECTS:
            by.headers["x-test-break"] = f"step:{step}"
            asked = question(dialect, f"May {step} fail?")
            answer = await post(by, asked)
            assert answer.status_code == 503
            if step == "ingress":  # before a dialect is known
                assert answer.json()["error"]["code"] == "greyfox_unavailable"
            else:
                assert code_of(dialect, answer.content) == "greyfox_unavailable"
                assert answer.headers["x-greyfox-request-id"]
            assert "canary" not in answer.text
        assert untouched.requests == []
        del by.headers["x-test-break"]
        assert (await post(by, question(prompt=f"And after {step}?"))).status_code == 200
    await eventually(lambda: nothing_under_way(breaking), what="an exchange is left open")
    await books_are_right(breaking)
    untouched.reset()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("hook", FLOW_HOOKS)
async def test_a_hook_that_raises_outside_its_guard_meets_the_last_gate(
    breaking: Gateway, breaking_key: str, untouched: Provider, hook: str, door: str
) -> None:
    if door == "fast":
        pytest.skip("it makes no flows, and so runs none of these hooks")
    async with client(breaking, breaking_key) as by:
        answer = await post_breaking(by, f"hook:{hook}")
    assert answer.status_code == 503, answer.text
    assert at_rest(breaking)


async def post_breaking(by: httpx.AsyncClient, what: str) -> httpx.Response:
    asked = question(prompt=f"Break {what}?")
    return await by.post(asked.path, content=asked.content, headers={"x-test-break": what})


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("step", "how"),
    # Nothing is awaited in the first step, so nothing can be cancelled there.
    [(step, how) for how in ("cancel", "memory") for step in STEPS if (step, how) != ("ingress", "cancel")],
)
async def test_a_cancelled_step_and_one_without_memory_send_nothing_out_either(
    breaking: Gateway, breaking_key: str, untouched: Provider, step: str, how: str
) -> None:
    async with client(breaking, breaking_key) as by:
        answer = await post_breaking(by, f"step:{step}={how}")
    assert answer.status_code == 503
    await eventually(lambda: nothing_under_way(breaking), what="an exchange is left open")
    assert at_rest(breaking)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("what", FAST_DOOR)
async def test_what_raises_in_the_fast_door_outside_its_guards_is_a_503_too(
    breaking: Gateway, breaking_key: str, untouched: Provider, what: str, door: str
) -> None:
    if door == "flow":
        pytest.skip("it has no such part")
    by_tunnel = proxied(breaking, breaking_key)  # what waits there, waits by a hook
    async with by_tunnel if what.startswith("hook:") else client(breaking, breaking_key) as by:
        answer = await post_breaking(by, what)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "greyfox_unavailable")
        assert "canary" not in answer.text
        assert untouched.requests == []
        assert (await post(by, question(prompt=f"And after {what}?"))).status_code == 200
    await eventually(lambda: nothing_under_way(breaking), what="an exchange is left open")
    await books_are_right(breaking)
    untouched.reset()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("what", ["door:whole", "door:pull", "hook:fast.gf_piece"])
async def test_an_answer_that_cannot_be_handed_over_is_cut_and_what_was_spent_is_booked(
    breaking: Gateway, breaking_key: str, shared_provider: Provider, what: str, door: str
) -> None:
    if door == "flow":
        pytest.skip("it has no such part")
    shared_provider.reset()
    asked = question(prompt=f"Break {what}?", stream=what != "door:whole")
    async with proxied(breaking, breaking_key) as by:  # inside TLS an answer in pieces is pulled by hooks
        with pytest.raises(httpx.RemoteProtocolError):
            await by.post(asked.path, content=asked.content, headers={"x-test-break": what})
    await eventually(lambda: nothing_under_way(breaking), what="an exchange is left open")
    await books_are_right(breaking)
    assert len(shared_provider.requests) == 1
    assert attempts(breaking)[-1]["state"] != "reserved"


def proxied(gateway: Gateway, key: str) -> httpx.AsyncClient:
    """A client of OpenAI's own host, through the gateway as its proxy."""
    trust = ssl.create_default_context(cafile=str(gateway.ca_file))
    settings: dict[str, Any] = {"proxy": gateway.proxy_url(key), "verify": trust, "trust_env": False}
    headers = {"content-type": "application/json"}
    return httpx.AsyncClient(base_url=f"https://{HOSTS['openai']}", headers=headers, **settings)


async def nothing_under_way(gateway: Gateway) -> bool:
    """By the gateway's own figure of requests."""
    async with httpx.AsyncClient(trust_env=False) as by:
        figures = (await by.get(f"{gateway.admin_url}/metrics")).text
    return "\ngreyfox_requests_in_flight 0.0\n" in figures


@pytest.mark.asyncio(loop_scope="module")
async def test_a_head_that_cannot_be_made_is_a_503_and_what_was_spent_is_booked(
    breaking: Gateway, breaking_key: str, shared_provider: Provider
) -> None:
    shared_provider.reset()
    async with client(breaking, breaking_key) as by:
        answer = await post_breaking(by, "step:finish")
    assert answer.status_code == 503
    await books_are_right(breaking)
    assert len(shared_provider.requests) == 1
    assert attempts(breaking)[-1]["output_tokens"] == shared_provider.bill().output_tokens
