"""The official clients, by both ways in, asked in one form: so that a test can run over every API and way.

An `Sdk` wraps one official asynchronous client. `way` "base-url" points it at the gateway (or straight at a provider);
"https-proxy" leaves it its usual kind of host name and sends it through the proxy, trusting the gateway's CA.
Its own http client is ours only to see the heads of the answers, and to read nothing from the environment.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import anthropic
import httpx
import httpx2
import ollama
import openai
from google import genai

from tests.kit import replies

type Way = Literal["base-url", "https-proxy"]

WAYS: tuple[Way, ...] = ("base-url", "https-proxy")
APIS = (
    "openai-chat",
    "openai-responses",
    "openai-completions",
    "anthropic-messages",
    "gemini-generate",
    "ollama-chat",
    "ollama-generate",
)
EMBEDDING_APIS = ("openai-embeddings", "gemini-embeddings", "ollama-embeddings")

HOSTS = {
    "openai": "api.openai.test",
    "anthropic": "api.anthropic.test",
    "gemini": "gemini.test",
    "ollama": "ollama.test",
}
USUAL_MODELS = {
    "openai-embeddings": "standin-embed",
    "gemini-embeddings": "standin-embed",
    "ollama-embeddings": "standin-embed",
    "openai": "gpt-4o",
    "anthropic": "claude-sonnet-5-5",
    "gemini": "gemini-3.8-flash",
    "ollama": "llama3",
}
DUMMY_KEY = "not-a-key"  # what a client behind HTTPS_PROXY has in its own settings

TIDE_TABLE = {
    "name": "tide_table",
    "description": "When the tide turns.",
    "parameters": {"type": "object", "properties": {"harbour": {"type": "string"}}, "required": ["harbour"]},
}


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's status and headers, names in lower case."""

    status: int
    headers: Mapping[str, str]


class Sdk:
    """One API of one official client. Close it, or use `async with`."""

    def __init__(
        self,
        api: str,
        url: str,
        key: str,
        *,
        proxy: str | None = None,
        ca_file: Path | None = None,
        retries: int = 0,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> None:
        """`url` is a host's (`http://127.0.0.1:8080`), without path; `retries` is the client's own, 0 unless given."""
        self.api = api
        self.dialect = api.partition("-")[0]
        self.heads: list[Head] = []  # every answer that came, retries too, oldest first
        self._stack = AsyncExitStack()
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # of itself it trusts nobody; reading the usual CAs takes long
        if ca_file is not None:
            trust.load_verify_locations(ca_file)
        common: dict[str, Any] = {"proxy": proxy, "verify": trust, "trust_env": False, "timeout": timeout}
        extra = dict(headers or {})
        match self.dialect:
            case "openai":
                self.client: Any = openai.AsyncOpenAI(
                    api_key=key,
                    base_url=f"{url}/v1",
                    max_retries=retries,
                    default_headers=extra,
                    http_client=self._client2(common),
                )
            case "anthropic":
                self.client = anthropic.AsyncAnthropic(
                    api_key=key,
                    base_url=url,
                    max_retries=retries,
                    default_headers=extra,
                    http_client=self._client2(common),
                )
            case "gemini":
                again = genai.types.HttpRetryOptions(attempts=retries + 1) if retries else None
                self.client = genai.Client(
                    api_key=key,
                    http_options=genai.types.HttpOptions(
                        base_url=url, headers=extra, retry_options=again, httpx_async_client=self._client2(common)
                    ),
                ).aio
            case _:
                extra = {"authorization": f"Bearer {key}", **extra}
                self.client = ollama.AsyncClient(
                    host=url, headers=extra, event_hooks={"response": [self._see]}, **common
                )
                self._stack.push_async_callback(self.client.close)

    def _client2(self, common: dict[str, Any]) -> httpx2.AsyncClient:
        client = httpx2.AsyncClient(event_hooks={"response": [self._see]}, follow_redirects=True, **common)
        self._stack.push_async_callback(client.aclose)
        return client

    async def _see(self, response: httpx.Response | httpx2.Response) -> None:
        names = {name.lower(): value for name, value in response.headers.items()}
        self.heads.append(Head(response.status_code, names))

    async def close(self) -> None:
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def model(self) -> str:
        """The model asked for where a test names none."""
        return USUAL_MODELS.get(self.api, USUAL_MODELS[self.dialect])

    def arguments(
        self, prompt: str, *, model: str | None = None, cap: int | None = None, tools: bool = False, **extra: Any
    ) -> dict[str, Any]:
        """The client's own arguments for a question. `cap`: output tokens; `tools`: offer `tide_table`."""
        name = model or self.model
        messages = [{"role": "user", "content": prompt}]
        match self.api:
            case "openai-chat":
                asked = {"model": name, "messages": messages} | _unless_none(max_completion_tokens=cap)
                asked |= {"tools": [{"type": "function", "function": TIDE_TABLE}]} if tools else {}
            case "openai-responses":
                asked = {"model": name, "input": prompt, "store": False} | _unless_none(max_output_tokens=cap)
                asked |= {"tools": [{"type": "function", "strict": False, **TIDE_TABLE}]} if tools else {}
            case "openai-completions":
                asked = {"model": name, "prompt": prompt} | _unless_none(max_tokens=cap)
            case "anthropic-messages":
                asked = {"model": name, "messages": messages, "max_tokens": cap if cap is not None else 1000}
                schema = {"name": TIDE_TABLE["name"], "input_schema": TIDE_TABLE["parameters"]}
                asked |= {"tools": [schema]} if tools else {}
            case "gemini-generate":
                config = _unless_none(max_output_tokens=cap) | extra.pop("config", {})
                config |= {"tools": [{"function_declarations": [TIDE_TABLE]}]} if tools else {}
                asked = {"model": name, "contents": prompt, "config": config}
            case "ollama-chat":
                asked = {"model": name, "messages": messages, "options": _unless_none(num_predict=cap)}
                asked |= {"tools": [{"type": "function", "function": TIDE_TABLE}]} if tools else {}
            case "ollama-generate":
                asked = {"model": name, "prompt": prompt, "options": _unless_none(num_predict=cap)}
            case _:
                raise ValueError(f"{self.api} answers no questions")
        return asked | extra

    async def ask(self, prompt: str, **options: Any) -> replies.Reply:
        """A plain question; `options` as in `arguments`. Raises what the client raises."""
        asked = self.arguments(prompt, **options)
        match self.api:
            case "openai-chat":
                return replies.chat_reply(await self.client.chat.completions.create(**asked))
            case "openai-responses":
                return replies.response_reply(await self.client.responses.create(**asked))
            case "openai-completions":
                return replies.completion_reply(await self.client.completions.create(**asked))
            case "anthropic-messages":
                return replies.message_reply(await self.client.messages.create(**asked))
            case "gemini-generate":
                return replies.gemini_reply(await self.client.models.generate_content(**asked))
            case "ollama-chat":
                return replies.ollama_reply(await self.client.chat(**asked))
            case _:
                return replies.ollama_reply(await self.client.generate(**asked))

    async def ask_stream(self, prompt: str, **options: Any) -> replies.Reply:
        """A streamed question, read to its end."""
        reply = replies.Reply()
        async for text in self.stream(prompt, into=reply, **options):
            reply.text += text
            reply.pieces += 1
        return reply

    async def stream(
        self, prompt: str, *, into: replies.Reply | None = None, include_usage: bool = True, **options: Any
    ) -> AsyncIterator[str]:
        """Texts as they come; what else is told goes `into` a reply. `include_usage`: OpenAI chat and completions."""
        asked = self.arguments(prompt, **options)
        reply = into if into is not None else replies.Reply()
        if self.api in ("openai-chat", "openai-completions") and include_usage:
            asked["stream_options"] = {"include_usage": True}
        match self.api:
            case "openai-chat":
                async for text in replies.chat_texts(
                    await self.client.chat.completions.create(stream=True, **asked), reply
                ):
                    yield text
            case "openai-responses":
                async for text in replies.response_texts(
                    await self.client.responses.create(stream=True, **asked), reply
                ):
                    yield text
            case "openai-completions":
                async for chunk in await self.client.completions.create(stream=True, **asked):
                    replies.merge(reply, replies.completion_reply(chunk))
                    if chunk.choices and chunk.choices[0].text:
                        yield chunk.choices[0].text
            case "anthropic-messages":
                async for text in replies.message_texts(await self.client.messages.create(stream=True, **asked), reply):
                    yield text
            case "gemini-generate":
                async for chunk in await self.client.models.generate_content_stream(**asked):
                    part = replies.gemini_reply(chunk)
                    replies.merge(reply, part)
                    if part.text:
                        yield part.text
            case _:
                call = self.client.chat if self.api == "ollama-chat" else self.client.generate
                async for chunk in await call(stream=True, **asked):
                    part = replies.ollama_reply(chunk)
                    replies.merge(reply, part)
                    if part.text:
                        yield part.text

    async def embed(self, texts: list[str], *, model: str | None = None, **extra: Any) -> list[list[float]]:
        """One vector a text."""
        name = model or self.model
        match self.api:
            case "openai-embeddings":
                answer = await self.client.embeddings.create(model=name, input=texts, **extra)
                return [item.embedding for item in answer.data]
            case "gemini-embeddings":
                answer = await self.client.models.embed_content(model=name, contents=texts, **extra)
                return [item.values for item in answer.embeddings]
            case "ollama-embeddings":
                answer = await self.client.embed(model=name, input=texts, **extra)
                return [list(item) for item in answer.embeddings]
            case _:
                raise ValueError(f"{self.api} embeds nothing")

    async def models(self) -> list[str]:
        """The ids that the client lists."""
        if self.dialect == "ollama":
            return [item.model for item in (await self.client.list()).models]
        listed = await self.client.models.list()
        return [getattr(item, "id", None) or item.name.removeprefix("models/") async for item in listed]

    async def count_tokens(self, prompt: str) -> int:
        """The free exact counters of Anthropic and Gemini."""
        if self.dialect == "anthropic":
            messages = [{"role": "user", "content": prompt}]
            counted = await self.client.messages.count_tokens(model=self.model, messages=messages)
            return int(counted.input_tokens)
        return int((await self.client.models.count_tokens(model=self.model, contents=prompt)).total_tokens)


def straight(api: str, url: str, key: str = "upstream-secret", **options: Any) -> Sdk:
    """A client that talks to the provider itself."""
    return Sdk(api, url, key, **options)


def _unless_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
