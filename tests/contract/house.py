"""One gateway process in front of one stand-in provider, shared by a module's tests."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.kit.clients import through
from tests.kit.configuration import config_for, upstreams_for
from tests.kit.gateway import Gateway, free_port
from tests.kit.provider import Provider
from tests.kit.sdks import DUMMY_KEY, HOSTS, USUAL_MODELS, Head, Sdk, Way

DIALECTS = ("openai", "anthropic", "gemini", "ollama")
PATIENCE = 10  # seconds until something that never happens fails a test

REQUEST_ID = "x-greyfox-request-id"


class _Prefers2(ssl.SSLContext):
    """httpx names HTTP/1.1 first in a tunnel, and the gateway heeds a client's order; other clients name HTTP/2."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        super().set_alpn_protocols(sorted(alpn_protocols))


@dataclass(slots=True)
class House:
    """`keys` are virtual keys by user."""

    provider: Provider
    gateway: Gateway
    keys: dict[str, str] = field(default_factory=dict)

    def sdk(self, api: str, way: Way = "base-url", user: str = "alice", **options: Any) -> Sdk:
        """An official client with that user's key."""
        return through(self.gateway, api, self.keys[user], way, **options)

    def raw(self, api: str, way: Way = "base-url", user: str = "alice", **options: Any) -> httpx.AsyncClient:
        """A plain HTTP client that presents the credential where the API's own clients do."""
        dialect = api.partition("-")[0]
        key = self.keys[user]
        fields = {"anthropic-version": "2026-10-21"} if dialect == "anthropic" else {}
        trust = _Prefers2(ssl.PROTOCOL_TLS_CLIENT) if options.get("http2") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if way == "base-url":
            fields |= credential(dialect, key)
            return httpx.AsyncClient(
                base_url=self.gateway.base_url, headers=fields, verify=trust, trust_env=False, **options
            )
        fields |= credential(dialect, DUMMY_KEY)
        trust.load_verify_locations(self.gateway.ca_file)
        return httpx.AsyncClient(
            base_url=f"https://{HOSTS[dialect]}",
            headers=fields,
            proxy=self.gateway.proxy_url(key),
            verify=trust,
            trust_env=False,
            **options,
        )

    async def ask(
        self,
        api: str,
        prompt: str,
        *,
        way: Way = "base-url",
        user: str = "alice",
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """One question over plain HTTP; `options` as of `question`."""
        path, body = question(api, prompt, **options)
        async with self.raw(api, way, user) as client:
            return await client.post(path, json=body, headers=headers)

    async def post(
        self, body: bytes | dict[str, Any], path: str = "/v1/chat/completions", **headers: str
    ) -> httpx.Response:
        """Alice sends this very body to OpenAI's API; a mapping is written as JSON in its own order."""
        content = body if isinstance(body, bytes) else json.dumps(body)
        async with self.raw("openai-chat") as client:
            return await client.post(path, content=content, headers={"content-type": "application/json", **headers})

    async def rows(self, answer: httpx.Response | Head | str, count: int) -> list[dict[str, Any]]:
        """The ledger's rows of this answer (or request id), once there are `count` of them and none is under way."""
        wanted = answer if isinstance(answer, str) else answer.headers[REQUEST_ID]
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [row for row in self.gateway.ledger() if row["request_id"] == wanted]
                if len(found) >= count and all(row["state"] != "reserved" for row in found):
                    assert len(found) == count
                    return found
                await asyncio.sleep(0.01)

    async def row(self, answer: httpx.Response | Head | str) -> dict[str, Any]:
        """The only row of this answer."""
        (row,) = await self.rows(answer, 1)
        return row


@asynccontextmanager
async def open_house(
    folder: Path,
    certs: Path,
    people: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    **parts: Any,
) -> AsyncIterator[House]:
    """Start both; `people` are users with the options of their keys, `parts` are laid over the configuration.

    A part that is callable is called with the provider. `env` takes the place of the upstreams' keys.
    Afterwards: the gateway ended in peace and kept its secrets.
    """
    async with Provider() as provider:
        made = {name: part(provider) if callable(part) else part for name, part in parts.items()}
        gateway = await Gateway.start(folder, config_for(provider, **made), certs=certs, env=env)
        house = House(provider, gateway)
        try:
            for user, options in (people if people is not None else {"alice": {}}).items():
                house.keys[user] = await gateway.create_key(user, **options)
            yield house
        finally:
            if gateway.running:
                code = await gateway.stop()
                assert code == 0, gateway.log_text()[-2000:]
        assert not gateway.died_unasked, gateway.log_text()[-2000:]
        assert not gateway.seen_in_logs([]), "a secret is in the log files"


def unwell_upstreams(provider: Provider) -> dict[str, Any]:
    """Beside the usual ones, for each dialect a second one, one where nobody listens and one without patience.

    No model leads there but by a rule: `openai-two`, `openai-dead`, `openai-hasty` …
    """
    upstreams = upstreams_for(provider)
    dead = f"http://127.0.0.1:{free_port()}"
    for dialect in DIALECTS:
        base = upstreams[dialect]["base_url"]
        kept = {"dialect": dialect, "api_key": "upstream-secret-two", "models": ["none"]}
        upstreams[f"{dialect}-two"] = kept | {"base_url": base}
        upstreams[f"{dialect}-dead"] = kept | {"base_url": dead}
        upstreams[f"{dialect}-hasty"] = kept | {"base_url": base, "first_byte_timeout": "300ms"}
    return upstreams


def cache_state(answer: httpx.Response) -> str:
    """`hit`, `miss` or `bypass`."""
    return str(answer.headers["x-greyfox-cache"])


def credential(dialect: str, key: str) -> dict[str, str]:
    """The header field in which the API's own clients send a key."""
    match dialect:
        case "anthropic":
            return {"x-api-key": key}
        case "gemini":
            return {"x-goog-api-key": key}
        case _:
            return {"authorization": f"Bearer {key}"}


def question(
    api: str,
    prompt: str,
    *,
    stream: bool = False,
    model: str | None = None,
    cap: int | None = None,
    **extra: Any,
) -> tuple[str, dict[str, Any]]:
    """Path and JSON body of one request, as the API's reference writes it. `cap` is output tokens."""
    name = model or USUAL_MODELS[api.partition("-")[0]]
    messages = [{"role": "user", "content": prompt}]
    body: dict[str, Any]
    match api:
        case "openai-chat":
            path, body = "/v1/chat/completions", {"model": name, "messages": messages}
            body |= {} if cap is None else {"max_completion_tokens": cap}
        case "openai-responses":
            path, body = "/v1/responses", {"model": name, "input": prompt, "store": False}
            body |= {} if cap is None else {"max_output_tokens": cap}
        case "openai-completions":
            path, body = "/v1/completions", {"model": name, "prompt": prompt}
            body |= {} if cap is None else {"max_tokens": cap}
        case "anthropic-messages":
            path, body = "/v1/messages", {"model": name, "messages": messages, "max_tokens": cap or 1000}
        case "gemini-generate":
            verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
            path, body = f"/v1beta/models/{name}:{verb}", {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
            return path, body | ({} if cap is None else {"generationConfig": {"maxOutputTokens": cap}}) | extra
        case "ollama-chat":
            path, body = "/api/chat", {"model": name, "messages": messages}
            body |= {} if cap is None else {"options": {"num_predict": cap}}
        case "ollama-generate":
            path, body = "/api/generate", {"model": name, "prompt": prompt}
            body |= {} if cap is None else {"options": {"num_predict": cap}}
        case _:
            raise ValueError(f"{api} answers no questions")
    if api.startswith("ollama"):
        return path, body | {"stream": stream} | extra
    return path, body | ({"stream": True} if stream else {}) | extra
