"""The current Claude Code and Codex from npm answer one question through the gateway, by either way in."""

import asyncio
import json
from typing import Any

import pytest

from tests.clients.agents import PATIENCE, Desk, Said, proxied
from tests.contract.house import House
from tests.kit.provider import Behaviour, Entry
from tests.kit.sdks import DUMMY_KEY, WAYS, Way

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.agents, pytest.mark.timeout(300)]

QUESTION = "When does the tide turn at Whitby?"
ANSWER = "At six in the morning, and again at noon."
MODELS = {"claude": "claude-sonnet-5-5", "codex": "gpt-5.4"}
TOLD = {
    "claude": "quota of user bob is used up",
    "codex": "Quota exceeded",  # its own words for every insufficient_quota
}
PATHS = {"claude": "/v1/messages", "codex": "/v1/responses"}


async def ask(agent: str, desk: Desk, house: House, way: Way, user: str = "alice") -> Said:
    """One question, not interactively, set up as the gateway's own page says."""
    gateway, key = house.gateway, house.keys[user]
    through = proxied(gateway.proxy_url(key), gateway.ca_file) if way == "https-proxy" else {}
    if agent == "claude":
        if way == "base-url":
            through |= {"ANTHROPIC_BASE_URL": gateway.base_url, "ANTHROPIC_AUTH_TOKEN": key}
        else:
            through |= {"ANTHROPIC_API_KEY": DUMMY_KEY}
        return await desk.run(
            "claude", "-p", QUESTION, "--output-format", "json", "--model", MODELS[agent], more=through
        )
    where = ["-c", f'openai_base_url="{gateway.base_url}/v1"'] if way == "base-url" else []
    known = await desk.run("codex", "login", "--with-api-key", stdin=key if way == "base-url" else DUMMY_KEY)
    assert known.code == 0, known.everything
    return await desk.run("codex", "exec", "--skip-git-repo-check", *where, "-m", MODELS[agent], QUESTION, more=through)


def asked(entry: Entry) -> bool:
    return QUESTION in json.dumps(entry.body)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("agent", ["claude", "codex"])
async def test_an_agent_gets_its_answer_and_the_ledger_knows_whose_it_was(
    agent: str, way: Way, desk: Desk, house: House
) -> None:
    house.provider.always(Behaviour(text=ANSWER), path=PATHS[agent])
    began = len(house.gateway.ledger())

    said = await ask(agent, desk, house, way)

    assert said.code == 0, said.everything
    assert ANSWER in (json.loads(said.stdout)["result"] if agent == "claude" else said.stdout)
    answered = [entry for entry in house.provider.requests if asked(entry)]
    assert [(entry.path, entry.model, entry.stream) for entry in answered] == [(PATHS[agent], MODELS[agent], True)]
    secrets = [*house.keys.values(), DUMMY_KEY]
    assert not [word for entry in house.provider.requests for word in secrets if word in str(entry.headers)]
    rows = await booked(house, began)
    assert {(row["user"], row["way"]) for row in rows} == {("alice", "tunnel" if way == "https-proxy" else "base-url")}
    assert sum(row["output_tokens"] for row in rows) == house.provider.bill().output_tokens
    assert sum(row["input_tokens"] for row in rows) == house.provider.bill().input_tokens


async def booked(house: House, began: int) -> list[dict[str, Any]]:
    """The ledger's rows since `began`: an agent may be gone before its last answer is booked."""
    async with asyncio.timeout(PATIENCE):
        while True:
            rows = house.gateway.ledger()[began:]
            if rows and all(row["state"] != "reserved" for row in rows):
                return rows
            await asyncio.sleep(0.01)


async def rows_of_bob(house: House, model: str, earlier: int) -> list[dict[str, Any]]:
    """Bob's rows for the model after the `earlier` ones: other agents' rows may still come in."""
    async with asyncio.timeout(PATIENCE):
        while True:
            rows = [row for row in house.gateway.ledger() if (row["user"], row["model"]) == ("bob", model)][earlier:]
            if rows and all(row["state"] != "reserved" for row in rows):
                return rows
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("agent", ["claude", "codex"])
async def test_an_exhausted_quota_is_told_to_the_person_and_not_tried_again(
    agent: str, desk: Desk, house: House
) -> None:
    house.provider.always(Behaviour(text=ANSWER), path=PATHS[agent])
    await ask(agent, desk, house, "base-url", user="bob")
    earlier = len(await rows_of_bob(house, MODELS[agent], 0))
    bill = house.provider.bill().requests

    said = await ask(agent, desk, house, "base-url", user="bob")

    assert said.code != 0
    assert TOLD[agent] in said.everything
    assert house.provider.bill().requests == bill
    (row,) = await rows_of_bob(house, MODELS[agent], earlier)
    assert (row["kind"], row["user"], row["status"]) == ("refusal", "bob", 429)
