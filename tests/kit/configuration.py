"""Configurations for the gateway under test: every upstream is the stand-in provider.

Upstream keys travel by the environment, as the product wants it: `config_for` names the variables, `UPSTREAM_KEYS` are
their values.
"""

from typing import Any

from tests.kit.provider import Provider
from tests.kit.sdks import HOSTS

UPSTREAM_KEYS = {
    "OPENAI_API_KEY": "upstream-secret-openai",
    "ANTHROPIC_API_KEY": "upstream-secret-anthropic",
    "GEMINI_API_KEY": "upstream-secret-gemini",
    "OLLAMA_API_KEY": "upstream-secret-ollama",
    "GROQ_API_KEY": "upstream-secret-groq",
}


def config_for(provider: Provider, **parts: Any) -> dict[str, Any]:
    """A whole configuration. `parts` (quotas, cache, routes …) are laid over it, key by key at the top level.

    `admin` and `store` are the gateway's own affair and added when it starts.
    """
    return {"upstreams": upstreams_for(provider)} | parts


def upstreams_for(provider: Provider) -> dict[str, dict[str, Any]]:
    """openai, anthropic, gemini, ollama by their own base paths, and groq as an OpenAI-compatible one."""
    bases = {"openai": f"{provider.url}/v1"}
    upstreams: dict[str, dict[str, Any]] = {
        dialect: {
            "dialect": dialect,
            "base_url": bases.get(dialect, provider.url),
            "api_key": f"${{{dialect.upper()}_API_KEY:-}}",
            "hosts": [host],
        }
        for dialect, host in HOSTS.items()
    }
    upstreams["groq"] = {
        "dialect": "openai",
        "base_url": f"{provider.url}/openai/v1",
        "api_key": "${GROQ_API_KEY:-}",
        "hosts": ["api.groq.test"],
    }
    return upstreams
