"""Which door is taken where nobody says it, seen from outside: flows are made for whoever looks at them."""

import json
from pathlib import Path

import httpx
import pytest
from mitmproxy.io import FlowReader

from tests.conftest import GatewayFactory
from tests.kit.configuration import config_for
from tests.kit.gateway import Gateway, free_port
from tests.kit.provider import Provider

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Tide?"}]}
PATH = "/v1/chat/completions"

# mitmproxy counts its flows nowhere: a script does, by its constructor.
COUNTING = """
from mitmproxy import http

made = http.HTTPFlow.__init__

def counted(self, *arguments, **more):
    with open("flows.txt", "a") as file:
        file.write("flow\\n")
    made(self, *arguments, **more)

http.HTTPFlow.__init__ = counted
"""
LISTENING = """
def request(flow):
    with open("heard.txt", "a") as file:
        file.write(flow.request.path + "\\n")
"""


def script(folder: Path, name: str, text: str) -> list[str]:
    """The options that load a script of this text."""
    file = folder / name
    file.write_text(text)
    return ["-s", str(file)]


async def ask(gateway: Gateway) -> None:
    key = await gateway.create_key("alice")
    async with httpx.AsyncClient(base_url=gateway.base_url, trust_env=False) as client:
        for _ in range(2):
            answer = await client.post(PATH, json=ASKED, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == 200, answer.text


def lines(gateway: Gateway, name: str) -> list[str]:
    file = gateway.folder / name
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize(("door", "flows"), [("auto", 0), ("flow", 2)])
async def test_where_nobody_watches_no_flow_is_made(
    gateway: GatewayFactory, provider: Provider, tmp_path: Path, door: str, flows: int
) -> None:
    options = [*script(tmp_path, "count.py", COUNTING), "--set", f"greyfox_door={door}"]
    running = await gateway(config_for(provider), launch="script", arguments=options)
    await ask(running)

    assert len(lines(running, "flows.txt")) == flows


@pytest.mark.parametrize("door", ["auto", "flow"])
async def test_another_script_is_told_of_every_request(
    gateway: GatewayFactory, provider: Provider, tmp_path: Path, door: str
) -> None:
    listening = script(tmp_path, "listen.py", LISTENING)
    options = [*listening, "--set", f"greyfox_door={door}"]
    running = await gateway(config_for(provider), launch="script", arguments=options)
    await ask(running)

    assert lines(running, "heard.txt") == [PATH, PATH]


async def test_whoever_wants_the_fast_door_has_it_whoever_watches(
    gateway: GatewayFactory, provider: Provider, tmp_path: Path
) -> None:
    options = [*script(tmp_path, "listen.py", LISTENING), "--set", "greyfox_door=fast"]
    running = await gateway(config_for(provider), launch="script", arguments=options)
    await ask(running)

    assert lines(running, "heard.txt") == []


async def test_flows_that_are_to_be_written_are_written(gateway: GatewayFactory, provider: Provider) -> None:
    running = await gateway(config_for(provider), arguments=["-w", "flows.mitm"])
    await ask(running)
    assert await running.stop() == 0

    with (running.folder / "flows.mitm").open("rb") as file:
        paths = [flow.request.path for flow in FlowReader(file).stream()]  # type: ignore[attr-defined]
    assert paths == [PATH, PATH]


async def test_mitmweb_shows_them(gateway: GatewayFactory, provider: Provider) -> None:
    port = free_port()
    web = ["--face", "web", "--set", f"web_port={port}", "--set", "web_password=only-for-this-test"]
    running = await gateway(config_for(provider), arguments=web)
    await ask(running)

    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(
            f"http://127.0.0.1:{port}/flows", headers={"authorization": "Bearer only-for-this-test"}
        )
    assert [flow["request"]["path"] for flow in json.loads(answer.content)] == [PATH, PATH]
