"""Requests and routers for tests of the rules."""

from collections.abc import Callable, Mapping
from typing import Any

from greyfox_core.config.schema import Config
from greyfox_core.routing.content import Texts
from greyfox_core.routing.router import Router
from greyfox_core.values.endpoint import Access, Endpoint
from greyfox_core.values.principal import Principal
from greyfox_core.values.request import ParsedRequest
from greyfox_core.values.target import Resolution

ALICE = Principal("alice", "key_1", team="core", roles=frozenset({"developer", "support"}))
UPSTREAMS: dict[str, dict[str, Any]] = {
    "openai": {"dialect": "openai", "base_url": "https://api.openai.com/v1"},
    "groq": {"dialect": "openai", "base_url": "https://api.groq.com/openai/v1", "models": ["llama-*"]},
    "anthropic": {"dialect": "anthropic", "base_url": "https://api.anthropic.com"},
    "gemini": {"dialect": "gemini", "base_url": "https://generativelanguage.googleapis.com"},
    "ollama": {"dialect": "ollama", "base_url": "http://127.0.0.1:11434"},
}
WIRE = {"openai": "openai-chat"}


def config(upstreams: Mapping[str, Any] = UPSTREAMS, **parts: Any) -> Config:
    return Config.model_validate({"upstreams": upstreams} | parts)


def endpoint(api: str = "openai", *, model: str | None = None, access: Access = Access.METERED) -> Endpoint:
    return Endpoint(api, WIRE.get(api, api), "generate", access, "/x", model)


def request(model: str = "gpt-4o", api: str = "openai", *, stream: bool = False) -> ParsedRequest:
    return ParsedRequest(endpoint(api), b"", {}, model, stream)


def texts(last_user: str = "", system: str = "") -> Texts:
    return Texts(lambda: last_user, lambda: system, lambda: f"{system}\n{last_user}")


def resolve(
    rules: Config | Router,
    model: str = "gpt-4o",
    api: str = "openai",
    *,
    who: Principal = ALICE,
    addressed: str | None = None,
    text: str = "",
    tokens: Callable[[], int] = lambda: 0,
    draw: float = 0.0,
) -> Resolution:
    router = rules if isinstance(rules, Router) else Router(rules, lambda: draw)
    return router.resolve(who, request(model, api), addressed=addressed, texts=texts(text), input_tokens=tokens)


def goals(resolution: Resolution) -> list[str]:
    return [f"{target.upstream}/{target.model}" for target in resolution.targets]
