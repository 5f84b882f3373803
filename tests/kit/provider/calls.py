"""What a request asks of the stand-in provider: which API, which model, how long an answer, for how much input.

Counting rule (both sides): one token a word, a word being what stands between white space; three more a message.
No public tokenizer gives fewer, so an honest estimate is never below this bill. Token arrays count their length;
images, files and tools count nothing (a test that needs them sets `Behaviour.input_tokens`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.kit.provider.refusals import Refused

TOKENS_A_MESSAGE = 3
COMPLETIONS_CAP = 16  # what /v1/completions takes where no max_tokens is given

_OPENAI = re.compile(
    r"^(?:/v1|/openai/v1|/openai/deployments/(?P<deployment>[^/]+)|/openai)"
    r"/(?P<what>chat/completions|responses(?:/(?P<id>[^/]+))?|completions|embeddings)$"
)
_ANTHROPIC = re.compile(r"^/v1/messages(?P<count>/count_tokens)?$")
_GEMINI = re.compile(r"^/(?:v1|v1beta|v1alpha)/models/(?P<model>[^/:]+):(?P<verb>[A-Za-z]+)$")
_MODELS = re.compile(r"^/(?:v1|v1beta|v1alpha|openai/v1)/models(?:/(?P<model>.+))?$")
_OLLAMA = re.compile(r"^/api/(?P<what>chat|generate|embed|embeddings|tags|show|ps|version)$")

_TEXT_FIELDS = (
    "text content parts messages contents prompt input system instructions output "
    "systemInstruction system_instruction requests suffix generateContentRequest"
)
_TEXT_KEYS = frozenset(_TEXT_FIELDS.split())


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was understood."""

    dialect: str
    endpoint: str
    model: str
    body: Mapping[str, Any]
    stream: bool = False
    framing: str = "plain"  # plain, sse, ndjson, array
    cap: int | None = None  # output tokens a choice
    choices: int = 1  # answered
    billed_choices: int = 1  # generated (best_of)
    input_tokens: int = 0
    include_usage: bool = False
    stored_id: str = ""


def place(method: str, path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Dialect, endpoint, model in the decoded path, id in it. Raises Refused (404) for a path that nobody serves."""
    if method == "HEAD" and path == "/":
        return "anthropic", "root", "", ""
    if found := _OLLAMA.match(path):
        return "ollama", found["what"], "", ""
    if found := _GEMINI.match(path):
        return "gemini", found["verb"], found["model"], ""
    if found := _ANTHROPIC.match(path):
        return "anthropic", "count_tokens" if found["count"] else "messages", "", ""
    if found := _MODELS.match(path):
        return _asker(headers, query), "models", (found["model"] or "").removeprefix("models/"), ""
    if found := _OPENAI.match(path):
        what = "stored" if found["id"] else found["what"].replace("chat/completions", "chat")
        return "openai", what, found["deployment"] or "", found["id"] or ""
    raise Refused("openai", 404, f"Unknown path: {method} {path}", code="unknown_url")


def _asker(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """`GET /v1/models` belongs to three dialects; the credential's header tells which is meant."""
    if "x-goog-api-key" in headers or "x-goog-api-client" in headers or "key" in query:
        return "gemini"
    return "anthropic" if "anthropic-version" in headers else "openai"


def call_of(
    dialect: str, endpoint: str, model: str, stored_id: str, query: Mapping[str, str], body: Mapping[str, Any]
) -> Call:
    """Read what matters of a JSON body."""
    model = model or str(body.get("model", ""))
    stream, framing = _streaming(dialect, endpoint, query, body)
    choices, billed = _choices(dialect, endpoint, body)
    options = body.get("stream_options") or {}
    return Call(
        dialect,
        endpoint,
        model,
        body,
        stream=stream,
        framing=framing,
        cap=_cap(dialect, endpoint, body),
        choices=choices,
        billed_choices=billed,
        input_tokens=count_input(body),
        include_usage=bool(options.get("include_usage")),
        stored_id=stored_id,
    )


def count_words(text: str) -> int:
    return len(text.split())


def count_input(body: Mapping[str, Any]) -> int:
    """By the rule on top of this file; at least 1."""
    messages = sum(len(found) for key in ("messages", "contents") if isinstance(found := body.get(key), list))
    return max(1, messages * TOKENS_A_MESSAGE + sum(_tokens(value) for key, value in body.items() if key in _TEXT_KEYS))


def prompt_text(body: Mapping[str, Any]) -> str:
    """The words that the answer is derived from."""
    return " ".join(text for key, value in sorted(body.items()) if key in _TEXT_KEYS for text in _strings(value))


def _tokens(node: Any) -> int:
    if isinstance(node, list) and node and all(isinstance(item, int) for item in node):
        return len(node)
    if isinstance(node, list):
        return sum(_tokens(item) for item in node)
    if isinstance(node, dict):
        return sum(_tokens(value) for key, value in node.items() if key in _TEXT_KEYS)
    return count_words(node) if isinstance(node, str) else 0


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, int):
        yield str(node)
    elif isinstance(node, list):
        for item in node:
            yield from _strings(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in _TEXT_KEYS:
                yield from _strings(value)


def _streaming(dialect: str, endpoint: str, query: Mapping[str, str], body: Mapping[str, Any]) -> tuple[bool, str]:
    if dialect == "gemini":
        if endpoint != "streamGenerateContent":
            return False, "plain"
        return True, "sse" if query.get("alt") == "sse" else "array"
    if dialect == "ollama":
        stream = endpoint in ("chat", "generate") and body.get("stream", True) is not False
        return stream, "ndjson" if stream else "plain"
    stream = endpoint in ("chat", "responses", "completions", "messages") and body.get("stream") is True
    return stream, "sse" if stream else "plain"


def generation_config(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Gemini reads both spellings."""
    found = body.get("generationConfig") or body.get("generation_config")
    return found if isinstance(found, dict) else {}


def _cap(dialect: str, endpoint: str, body: Mapping[str, Any]) -> int | None:
    found: Any
    match dialect, endpoint:
        case "openai", "chat":
            found = body.get("max_completion_tokens") or body.get("max_tokens")
        case "openai", "responses":
            found = body.get("max_output_tokens")
        case "openai", "completions":
            found = body.get("max_tokens", COMPLETIONS_CAP)
        case "gemini", _:
            config = generation_config(body)
            found = config.get("maxOutputTokens") or config.get("max_output_tokens")
        case "ollama", _:
            found = (body.get("options") or {}).get("num_predict")
            found = found if isinstance(found, int) and found >= 0 else None  # -1 and -2: unlimited
        case _:
            found = body.get("max_tokens")
    return found if isinstance(found, int) else None


def _choices(dialect: str, endpoint: str, body: Mapping[str, Any]) -> tuple[int, int]:
    """How many choices are answered, and how many were generated for them."""
    if dialect == "gemini":
        config = generation_config(body)
        count = int(config.get("candidateCount") or config.get("candidate_count") or 1)
        return count, count
    if dialect != "openai" or endpoint not in ("chat", "completions"):
        return 1, 1
    count = int(body.get("n") or 1)
    if endpoint == "chat":
        return count, count
    prompt = body.get("prompt", "")
    prompts = len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1
    return prompts * count, prompts * max(count, int(body.get("best_of") or 1))
