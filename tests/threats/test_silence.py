"""Keys, prompts and answers stay where they belong (G6, G16, T16, T21, K9): not in logs, figures, errors or at rest."""

import base64
import json
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import GatewayFactory
from tests.kit.configuration import UPSTREAM_KEYS, config_for
from tests.kit.gateway import DOOR, Gateway, free_port
from tests.kit.provider import Behaviour, Provider
from tests.threats.wire import request, wire

PROMPT, ANSWER = "cormorant-prompt", "guillemot-answer"
GUESSED = "gf_" + "K9canary" * 5 + "abc"  # what somebody tried in vain
PASSTHROUGH = "sk-own-key-of-alice"
PASSWORD = "only-for-this-test"


def question(model: str = "gpt-4o", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": f"Say {PROMPT} twice."}], **more}


async def a_working_day(gateway: Gateway, provider: Provider, key: str) -> list[bytes]:
    """Requests that succeed and that fail, by every way in; gives what GreyFox itself said in refusals."""
    provider.always(Behaviour(text=f"{ANSWER} {ANSWER}"))
    refused = []
    bearer = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=gateway.base_url, trust_env=False) as client:

        async def ask(expected: int, path: str = "/v1/chat/completions", **options: Any) -> None:
            options.setdefault("json", question())
            answer = await client.post(path, **options)
            assert answer.status_code == expected, answer.text
            if "greyfox_" in answer.text:
                refused.append(answer.content)

        await ask(200, headers=bearer)
        await ask(200, headers=bearer)  # from the cache
        await ask(200, headers=bearer, json=question(stream=True))
        contents = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
        await ask(200, f"/v1beta/models/gemini-3.8-flash:generateContent?key={key}", json=contents)
        await ask(401, headers={"authorization": f"Bearer {GUESSED}"})
        await ask(401, f"/v1/chat/completions?key={GUESSED}")
        await ask(400, headers=bearer, content=f'{{"model": "gpt-4o", "messages": "{PROMPT}"}}', json=None)
        await ask(400, headers=bearer, content=f'{{"{PROMPT}"', json=None)
        await ask(404, headers=bearer, json=question(model="no-such-model"))
        await ask(404, f"/v1/files/?key={key}", headers=bearer)
        provider.once(Behaviour(status=500, message="out of order"), Behaviour(cut="reset"))
        await ask(500, headers=bearer, json=question(seed=1))
        await ask(502, headers=bearer, json=question(seed=2))
        provider.once(Behaviour(body=b"{" + ANSWER.encode(), content_type="text/html"))
        await ask(200, headers=bearer, json=question(seed=3))
    proxy = f"http://alice:{key}@127.0.0.1:{gateway.port}"
    trust = ssl.create_default_context(cafile=str(gateway.ca_file))
    async with httpx.AsyncClient(proxy=proxy, verify=trust, trust_env=False) as client:
        await client.post("https://api.openai.test/v1/chat/completions", json=question(seed=4))
        own = {"authorization": f"Bearer {PASSTHROUGH}"}
        await client.post("https://api.openai.test/v1/chat/completions", json=question(seed=5), headers=own)
    broken = f"Authorization Bearer {key}"
    async with wire(gateway.port) as line:
        await line.send(request("POST", "/v1/chat/completions", broken, body=b"{}"))
        reply = await line.reply()
        assert reply is not None
        refused.append(reply.body)
    async with wire(gateway.port) as line:
        await line.send(f"POST / HTTP/1.1\r\nAuthorization: Bearer {key}\r\n".encode())  # and gone
    return refused


def forms(secrets: Iterable[str]) -> list[bytes]:
    """As they are, and as Basic would carry them."""
    return [form for word in secrets for form in (word.encode(), base64.b64encode(f"alice:{word}".encode()))]


def holding(files: Iterable[Path], words: Iterable[bytes]) -> list[str]:
    return [
        f"{file.name}: {word!r}" for file in files for data in [file.read_bytes()] for word in words if word in data
    ]


@pytest.mark.parametrize("verbose", [False, True], ids=["usual", "debug"])
async def test_no_key_and_no_prompt_is_in_logs_figures_errors_or_at_rest(
    verbose: bool, provider: Provider, gateway: GatewayFactory, canaries: set[str]
) -> None:
    arguments = ["-w", "flows.mitm", *(["-v", "--set", "termlog_verbosity=debug", "--set", "flow_detail=4"] * verbose)]
    running = await gateway(config_for(provider), arguments=arguments)
    key = await running.create_key("alice")
    keys = {key, GUESSED, PASSTHROUGH, *UPSTREAM_KEYS.values()}
    canaries |= keys | {PROMPT, ANSWER}

    refused = await a_working_day(running, provider, key)
    async with httpx.AsyncClient(trust_env=False) as client:
        figures = (await client.get(f"{running.admin_url}/metrics")).content
    while_it_runs = [file for file in running.folder.iterdir() if file.name.startswith("greyfox.db")]
    at_rest = holding(while_it_runs, forms(canaries))
    code = await running.stop()

    assert code == 0
    assert at_rest == []
    assert len(refused) == 8
    assert not [word for word in forms(canaries) for text in [*refused, figures] if word in text]
    kept = [file for file in running.folder.rglob("*") if file.is_file() and file.name != "flows.mitm"]
    assert holding(kept, forms(canaries)) == []
    assert holding([running.folder / "flows.mitm"], forms(keys)) == []


async def test_mitmweb_shows_who_and_what_at_a_glance_and_no_key(
    provider: Provider, gateway: GatewayFactory, canaries: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DOOR)  # by itself it must find that somebody watches
    port = free_port()
    web = ["--face", "web", "--set", f"web_port={port}", "--set", f"web_password={PASSWORD}"]
    running = await gateway(config_for(provider), arguments=web)
    key = await running.create_key("alice")
    keys = {key, GUESSED, PASSTHROUGH, *UPSTREAM_KEYS.values()}
    canaries |= keys

    await a_working_day(running, provider, key)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {PASSWORD}"}, trust_env=False
    ) as client:
        pages = {path: await client.get(path) for path in ("/flows", "/events", "/options", "/state", "/flows/dump")}
    async with httpx.AsyncClient(trust_env=False) as stranger:
        without_token = await stranger.get(f"http://127.0.0.1:{port}/flows")

    assert without_token.status_code == 403
    assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(pages, 200)
    assert not [(path, word) for path, page in pages.items() for word in forms(keys) if word in page.content]
    flows = json.loads(pages["/flows"].content)
    by_comment: dict[str, list[str]] = {}
    for flow in flows:
        by_comment.setdefault(flow["comment"], []).append(flow["request"]["path"])
    chat = ["/v1/chat/completions"]
    assert by_comment["alice · gpt-4o · 6+2 · hit"] == chat
    assert len(by_comment["alice · gpt-4o · 6+2 · miss"]) == 4  # plain, streamed, twice through HTTPS_PROXY
    assert by_comment["alice · gemini-3.8-flash · 4+2 · miss"] == ["/v1beta/models/gemini-3.8-flash:generateContent"]
    assert len(by_comment["nobody · greyfox_unauthenticated"]) == 2
    assert by_comment["alice · no-such-model · greyfox_no_route"] == chat
    marks = {flow["comment"]: flow["marked"] for flow in flows}
    assert marks["alice · gpt-4o · 6+2 · hit"] == "⚡"
    assert marks["alice · no-such-model · greyfox_no_route"] == "⛔"
    shown = {(flow["request"]["host"], flow["request"]["port"]) for flow in flows if flow["comment"].endswith("· miss")}
    assert shown == {("127.0.0.1", provider.port)}  # where it went
