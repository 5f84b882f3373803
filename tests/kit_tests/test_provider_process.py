"""The provider in a process of its own, steered by its admin path."""

import asyncio
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.kit.gateway import ROOT

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]}
PATH = "/v1/chat/completions"


@pytest.fixture
async def url() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.kit.provider", "--port", "0"), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    yield (await process.stdout.readline()).decode().strip()
    process.terminate()
    await process.communicate()
    assert process.returncode == 0


async def test_bill_behave_release_and_reset(url: str) -> None:
    async with aiohttp.ClientSession(url) as http:
        told = {"behaviour": {"status": 429, "headers": {"retry-after": "3"}}, "path": PATH, "times": 1}
        assert (await http.post("/_behave", json=told)).status == 200
        assert (await http.post(PATH, json=CHAT)).status == 429
        assert (await http.post(PATH, json=CHAT)).status == 200

        bill = await (await http.get("/_bill?entries=1")).json()
        assert bill["totals"]["requests"] == 2 and bill["totals"]["output_tokens"] == 12
        assert [entry["status"] for entry in bill["requests"]] == [429, 200]
        assert bill["requests"][0]["body"] == CHAT

        await http.post("/_behave", json={"behaviour": {"permits": 0, "tool_calls": [{"name": "wind"}]}})
        held = asyncio.create_task(http.post(PATH, json=CHAT))
        while (await (await http.get("/_bill")).json())["totals"]["requests"] < 3:
            await asyncio.sleep(0)
        assert not held.done()
        await http.post("/_release")
        assert (await (await held).json())["choices"][0]["finish_reason"] == "tool_calls"

        await http.post("/_reset")
        assert (await (await http.get("/_bill")).json())["totals"]["requests"] == 0


async def test_an_unknown_behaviour_is_refused_by_name(url: str) -> None:
    async with aiohttp.ClientSession(url) as http, http.post("/_behave", json={"behaviour": {"statsu": 1}}) as answer:
        assert answer.status == 400
        assert "statsu" in (await answer.json())["error"]
