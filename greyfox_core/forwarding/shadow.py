"""Hosts of LLM providers: used through the proxy without an upstream that names them, they are shadow use. Pure."""

from fnmatch import fnmatchcase

KNOWN_HOSTS = (
    "api.openai.com",
    "*.openai.azure.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "*-aiplatform.googleapis.com",
    "aiplatform.googleapis.com",
    "bedrock-runtime.*.amazonaws.com",
    "bedrock-mantle.*.api.aws",
    "api.groq.com",
    "api.mistral.ai",
    "codestral.mistral.ai",
    "api.deepseek.com",
    "api.x.ai",
    "openrouter.ai",
    "api.together.xyz",
    "api.together.ai",
    "api.fireworks.ai",
    "api.cohere.com",
    "api.cohere.ai",
    "api.perplexity.ai",
    "api.moonshot.ai",
    "api.moonshot.cn",
    "dashscope.aliyuncs.com",
    "dashscope-intl.aliyuncs.com",
    "api.cerebras.ai",
    "api.sambanova.ai",
    "api.replicate.com",
    "router.huggingface.co",
    "api-inference.huggingface.co",
    "ollama.com",
    "api.githubcopilot.com",
    "*.githubcopilot.com",
    "copilot-proxy.githubusercontent.com",
    "chatgpt.com",
    "chat.openai.com",
    "claude.ai",
    "gemini.google.com",
    "api2.cursor.sh",
)


def is_llm_host(host: str) -> bool:
    """Whether `host` is known to serve language models."""
    name = host.lower().rstrip(".")
    return any(fnmatchcase(name, pattern) for pattern in KNOWN_HOSTS)
