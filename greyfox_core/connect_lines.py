"""The lines that point tools at the gateway, ready to paste. Pure."""

from urllib.parse import urlsplit


def connect_lines(address: str, key: str) -> dict[str, list[str]]:
    """Shell lines by kind of tool. `address` is the gateway's own, `http://127.0.0.1:8080`."""
    host = urlsplit(address).netloc
    return {
        "OpenAI SDKs": [f"export OPENAI_BASE_URL={address}/v1", f"export OPENAI_API_KEY={key}"],
        "Codex": [  # reads no OPENAI_BASE_URL since 2026; the setting may also stand in ~/.codex/config.toml
            f"echo {key} | codex login --with-api-key",
            f"codex -c 'openai_base_url=\"{address}/v1\"'",
        ],
        "Anthropic SDKs, Claude Code": [
            f"export ANTHROPIC_BASE_URL={address}",
            f"export ANTHROPIC_AUTH_TOKEN={key}",
        ],
        "Google GenAI SDKs, Gemini CLI": [
            f"export GOOGLE_GEMINI_BASE_URL={address}",
            f"export GEMINI_API_KEY={key}",
        ],
        "Ollama": [f"export OLLAMA_HOST={address}", f"export OLLAMA_API_KEY={key}"],
        "Any tool, by proxy": [
            f"curl -s -H 'Authorization: Bearer {key}' {address}/greyfox/connect/ca.pem > greyfox-ca.pem",
            f"export HTTPS_PROXY=http://me:{key}@{host}",
            "export NODE_EXTRA_CA_CERTS=$PWD/greyfox-ca.pem NODE_USE_ENV_PROXY=1",
            "cat /etc/ssl/certs/ca-certificates.crt greyfox-ca.pem > greyfox-bundle.pem",
            "export SSL_CERT_FILE=$PWD/greyfox-bundle.pem REQUESTS_CA_BUNDLE=$PWD/greyfox-bundle.pem",
        ],
    }
