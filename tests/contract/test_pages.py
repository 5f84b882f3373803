"""What a caller sees of GreyFox itself: what is left, own usage, how to connect."""

import re
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio

from tests.contract.conftest import Opens
from tests.contract.house import House
from tests.kit.sdks import WAYS

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROWSER = {"accept": "text/html,application/xhtml+xml"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens) -> AsyncIterator[House]:
    quotas = [
        {"name": "day", "per": "user", "period": "day", "timezone": "Asia/Tokyo", "output_tokens": 1000},
        {"name": "sales", "per": "team", "match": {"team": "sales"}, "period": "month", "input_tokens": 5},
    ]
    people = {"alice": {"team": "<core>", "roles": ["developer"], "models": ["gpt-*"]}, "bob": {}}
    async with opens(people, quotas=quotas) as house:
        for way in WAYS:
            await house.row(await house.ask("openai-chat", "When?", way=way))  # the second from the cache
        await house.row(await house.ask("openai-chat", "When?", user="bob"))
        yield house


async def get(house: House, path: str, user: str = "alice", **headers: str) -> httpx.Response:
    async with house.raw("openai-chat", user=user) as client:
        return await client.get(path, headers=headers)


async def test_me_tells_what_is_left_and_what_was_used(house: House) -> None:
    answer = await get(house, "/greyfox/me")

    told = answer.json()
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert (told["user"], told["team"], told["roles"], told["models"]) == ("alice", "<core>", ["developer"], ["gpt-*"])
    assert told["key"].startswith("key_") and house.keys["alice"] not in answer.text
    (quota,) = told["quotas"]
    assert (quota["quota"], quota["subject"], quota["period"]) == ("day", {"user": "alice"}, "day")
    assert quota["output_tokens"] == {"limit": 1000, "settled": 12, "reserved": 0, "remaining": 988}
    assert quota["input_tokens"] is None
    resets = datetime.fromisoformat(quota["resets_at"])
    assert resets > datetime.now(UTC) and quota["resets_at"].endswith("T00:00:00+09:00")
    (usage,) = told["usage"]
    assert (usage["model"], usage["requests"], usage["output_tokens"], usage["cache_hits"]) == ("gpt-4o", 2, 12, 1)


async def test_me_is_a_page_for_a_browser(house: House) -> None:
    answer = await get(house, "/greyfox/me", **BROWSER)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "988" in answer.text and "gpt-4o" in answer.text
    assert "&lt;core&gt;" in answer.text and "<core>" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_browser_may_bring_its_key_in_the_address(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.gateway.base_url, trust_env=False) as client:
        answer = await client.get(f"/greyfox/me?key={house.keys['alice']}", headers=BROWSER)

    assert answer.status_code == 200 and house.keys["alice"] not in answer.text


async def test_a_browser_is_asked_for_the_key_and_walks_on(house: House) -> None:
    base = house.gateway.base_url
    async with httpx.AsyncClient(base_url=base, headers=BROWSER, trust_env=False) as stranger:
        asked = await stranger.get("/greyfox/me")
    assert (asked.status_code, asked.headers["www-authenticate"]) == (401, 'Basic realm="GreyFox"')

    login = httpx.BasicAuth("whoever", house.keys["alice"])
    async with httpx.AsyncClient(base_url=base, headers=BROWSER, auth=login, trust_env=False) as person:
        page = await person.get("/greyfox/me")
        for expected in ("/greyfox/connect", "/greyfox/connect/ca.pem"):
            assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
            (link,) = re.findall(r"<a href=([^> ]+)>", page.text)
            page = await person.get(page.url.join(link))
            assert page.url.path == expected
    assert page.status_code == 200 and "BEGIN CERTIFICATE" in page.text


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/v1/messages", "/api/tags", "/greyfox"])
async def test_no_browser_is_asked_on_a_path_that_could_cost(path: str, house: House) -> None:
    async with httpx.AsyncClient(base_url=house.gateway.base_url, trust_env=False) as client:
        for answer in (await client.get(path), await client.post(path, json={})):
            assert answer.status_code == 401 and "www-authenticate" not in answer.headers


async def test_nobody_sees_anothers(house: House) -> None:
    told = (await get(house, "/greyfox/me", "bob")).json()

    assert told["user"] == "bob" and "alice" not in str(told)
    assert [row["requests"] for row in told["usage"]] == [1]


async def test_connect_tells_the_lines_and_the_ca(house: House) -> None:
    lines = await get(house, "/greyfox/connect")
    page = await get(house, "/greyfox/connect", **BROWSER)
    ca = await get(house, "/greyfox/connect/ca.pem")

    here = house.gateway.base_url
    assert here in lines.text and here in page.text and "HTTPS_PROXY" in lines.text
    assert house.keys["alice"] not in lines.text + page.text
    assert ca.content == house.gateway.ca_file.read_bytes()
    ssl.create_default_context(cadata=ca.text)


@pytest.mark.parametrize("path", ["/greyfox/me", "/greyfox/connect", "/greyfox/connect/ca.pem", "/greyfox/else"])
async def test_strangers_see_nothing(path: str, house: House) -> None:
    async with httpx.AsyncClient(base_url=house.gateway.base_url, trust_env=False) as client:
        assert (await client.get(path)).status_code == 401


async def test_what_is_no_page_is_not_found(house: House) -> None:
    assert (await get(house, "/greyfox/else")).status_code == 404
    async with house.raw("openai-chat") as client:
        assert (await client.post("/greyfox/me", json={})).status_code == 405
    assert not house.provider.requests
