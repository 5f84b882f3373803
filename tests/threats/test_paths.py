"""Spending through a path that nobody meters (T2, T3, B6): whatever the spelling, no provider sees it."""

import pytest

from tests.contract.house import House
from tests.threats.conftest import CHAT, CHAT_BODY, ask
from tests.threats.wire import request

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("untouched")]

UNMETERED = [
    ("POST", "/v1/batches"),
    ("POST", "/openai/v1/batches"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/audio/speech"),
    ("GET", "/v1/realtime"),
    ("POST", "/v1/fine_tuning/jobs"),
    ("GET", "/v1/organization/usage/completions"),
    ("POST", "/v1/assistants"),
    ("POST", "/v1/messages/batches"),
    ("POST", "/anthropic/v1/messages/batches"),
    ("POST", "/v1beta/models/gemini-3.8-flash:batchGenerateContent"),
    ("POST", "/v1beta/cachedContents"),
    ("POST", "/api/pull"),
    ("DELETE", "/api/delete"),
    ("POST", "/ollama/api/create"),
    ("POST", "/openai/deployments/gpt-4o/images/generations"),
]
STORED_BY_OTHERS = [
    ("GET", "/v1/responses/resp_1"),
    ("DELETE", "/v1/responses/resp_1"),
    ("POST", "/v1/responses/resp_1/cancel"),
    ("GET", "/v1/responses/resp_1/input_items"),
    ("GET", "/v1/chat/completions/chatcmpl-1"),
    ("GET", "/v1/files"),
    ("GET", "/v1/files/file-1/content"),
    ("GET", "/v1beta/files/abc"),
    ("GET", "/v1/threads/t_1"),
]
SPELLINGS = [
    ("POST", "//v1/chat/completions"),
    ("POST", "/v1//chat/completions"),
    ("POST", "/v1/x/../chat/completions"),
    ("POST", "/v1/./chat/completions"),
    ("POST", "/v1/%2e%2e/v1/chat/completions"),
    ("POST", "/v1/%2E/chat/completions"),
    ("POST", "/v1/chat%2fcompletions"),
    ("POST", "/v1/chat%5Ccompletions"),
    ("POST", "/v1/chat\\completions"),
    ("POST", "/v1/chat/completions;a=b"),
    ("POST", "/v1/chat/completions/"),
    ("POST", "/v1/chat/completions%00"),
    ("POST", "/v1/chat/completions%0d%0a"),
    ("POST", "/v1/chat/completions%3fx"),
    ("POST", "/v1/chat/completions%23"),
    ("POST", "/v1/chat/completions%252e"),
    ("POST", "/v1/chat/completions%ff"),
    ("POST", "/V1/chat/completions"),
    ("POST", "/v1/Chat/Completions"),
    ("POST", "/greyfox/../v1/files"),
    ("POST", "/v1/models/../chat/completions"),
]
ADMIN = [("GET", path) for path in ("/metrics", "/healthz", "/readyz", "/api/v1/keys", "/openapi.json")]
WRONG_METHODS = [(method, CHAT) for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get")]
ODD = [("OPTIONS", "*"), ("TRACE", "/"), ("POST", "/"), ("GET", "/greyfox/keys"), ("POST", "/greyfox/me")]

REFUSED = [*UNMETERED, *STORED_BY_OTHERS, *SPELLINGS, *ADMIN, *WRONG_METHODS, *ODD]


@pytest.mark.parametrize(("method", "path"), REFUSED)
async def test_a_path_that_is_not_metered_goes_nowhere(method: str, path: str, house: House, bearer: str) -> None:
    reply = await ask(house, request(method, path, bearer, body=CHAT_BODY))

    assert reply is not None
    assert reply.status in (404, 405)
    assert method == "HEAD" or reply.code in ("greyfox_no_route", "greyfox_bad_request")
    assert reply.headers["x-greyfox-request-id"].startswith("gfr_")


@pytest.mark.parametrize(("method", "path"), [*UNMETERED[:3], *STORED_BY_OTHERS[:3], *SPELLINGS, *ADMIN])
async def test_a_proxy_client_is_refused_the_same_paths(method: str, path: str, house: House) -> None:
    credential = f"Proxy-Authorization: Bearer {house.keys['alice']}"

    reply = await ask(
        house, request(method, f"http://api.openai.test{path}", credential, body=CHAT_BODY, host="api.openai.test")
    )

    assert reply is not None
    assert (reply.status, reply.code) in ((404, "greyfox_no_route"), (405, "greyfox_bad_request"))


@pytest.mark.parametrize(("method", "path"), [*UNMETERED[:2], *SPELLINGS[:2], *ADMIN, ("POST", CHAT), ("GET", "/")])
async def test_a_stranger_learns_nothing_of_which_paths_exist(method: str, path: str, house: House) -> None:
    reply = await ask(house, request(method, path, body=CHAT_BODY))

    assert reply is not None
    assert (reply.status, reply.code) == (401, "greyfox_unauthenticated")


@pytest.mark.parametrize("spelling", ["websocket", "WebSocket", "h2c, websocket"])
@pytest.mark.parametrize("path", ["/v1/realtime?model=gpt-4o", "/v1/responses", CHAT])
async def test_a_websocket_is_refused_until_it_is_metered(path: str, spelling: str, house: House, bearer: str) -> None:
    upgrade = ("Connection: Upgrade", f"Upgrade: {spelling}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")

    reply = await ask(house, request("GET", path, bearer, *upgrade))

    assert reply is not None
    assert (reply.status, reply.code) == (426, "greyfox_unsupported")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://127.0.0.1:{own}/v1/chat/completions", 403),
        ("http://localhost:{own}/v1/chat/completions", 403),
        ("http://127.0.0.1:{admin}/metrics", 403),
        ("http://169.254.169.254/latest/meta-data", 403),
        ("http://example.test/", 403),
        ("https://example.test/", 403),
        ("ftp://api.openai.test/", 400),
        ("file:///etc/passwd", 400),
        ("http://alice@api.openai.test/v1/models", 400),
        ("http://api.openai.test:0/v1/models", 400),
    ],
)
async def test_a_proxy_client_reaches_governed_hosts_only(target: str, status: int, house: House) -> None:
    target = target.format(own=house.gateway.port, admin=house.gateway.admin_port)
    credential = f"Proxy-Authorization: Bearer {house.keys['alice']}"
    authority = target.split("/")[2].rpartition("@")[2]

    reply = await ask(house, request("GET", target, credential, host=authority))

    assert reply is not None
    assert reply.status == status
    assert reply.code == ("greyfox_forbidden" if status == 403 else "greyfox_bad_request")


async def test_a_proxy_client_whose_host_field_names_another_host_is_refused(house: House) -> None:
    credential = f"Proxy-Authorization: Bearer {house.keys['alice']}"

    reply = await ask(house, request("GET", "http://api.openai.test/v1/models", credential, host="evil.test"))

    assert reply is not None
    assert (reply.status, reply.code) == (400, "greyfox_bad_request")
