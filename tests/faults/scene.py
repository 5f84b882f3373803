"""What the tests of faults share: questions in four dialects without an SDK, and what the books say afterwards."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.kit.gateway import Gateway
from tests.kit.provider import Provider

DIALECTS = ("openai", "anthropic", "gemini", "ollama")
MODELS = {
    "openai": "gpt-4o",
    "anthropic": "claude-sonnet-5-5",
    "gemini": "gemini-3.8-flash",
    "ollama": "llama3",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One request as it goes over the wire, without a credential."""

    path: str
    body: dict[str, Any]

    @property
    def content(self) -> bytes:
        return json.dumps(self.body).encode()


def question(
    dialect: str = "openai",
    prompt: str = "When does the tide turn?",
    *,
    cap: int = 100,
    model: str | None = None,
    stream: bool = False,
) -> Question:
    """`cap` is output tokens. Ollama's `model` may name any upstream's model no more than the others' may."""
    name = model or MODELS[dialect]
    messages = [{"role": "user", "content": prompt}]
    match dialect:
        case "openai":
            body = {"model": name, "messages": messages, "max_completion_tokens": cap, "stream": stream}
            return Question("/v1/chat/completions", body)
        case "anthropic":
            return Question("/v1/messages", {"model": name, "messages": messages, "max_tokens": cap, "stream": stream})
        case "gemini":
            verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
            contents = [{"role": "user", "parts": [{"text": prompt}]}]
            config = {"maxOutputTokens": cap}
            return Question(f"/v1beta/models/{name}:{verb}", {"contents": contents, "generationConfig": config})
        case "ollama":
            body = {"model": name, "messages": messages, "options": {"num_predict": cap}, "stream": stream}
            return Question("/api/chat", body)
    raise ValueError(dialect)


def client(gateway: Gateway, key: str | None = None, *, http2: bool = False, **options: Any) -> httpx.AsyncClient:
    """A plain client of the gateway's port; `http2` by prior knowledge, all requests over one connection."""
    headers = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    settings: dict[str, Any] = {"timeout": 60, "limits": httpx.Limits(max_connections=1 if http2 else 400)}
    return httpx.AsyncClient(
        base_url=gateway.base_url,
        headers=headers,
        trust_env=False,
        http1=not http2,
        http2=http2,
        **settings | options,
    )


async def post(by: httpx.AsyncClient, asked: Question) -> httpx.Response:
    """Ask and read the whole answer."""
    return await by.post(asked.path, content=asked.content)


def code_of(dialect: str, body: bytes) -> str | None:
    """GreyFox's code in an error of this dialect; None where the body is no such error."""
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
        told = json.loads(body)
        match dialect:
            case "openai":
                return str(told["error"]["code"])
            case "anthropic":
                return str(told["error"]["details"]["error_code"]) if told["type"] == "error" else None
            case "gemini":
                return str(told["error"]["details"][0]["reason"])
            case "ollama":
                return str(told["code"]) if isinstance(told["error"], str) else None
    return None


# --- the books


def attempts(gateway: Gateway, **having: Any) -> list[dict[str, Any]]:
    """The ledger's rows of what was asked upstream, oldest first; those with these columns."""
    rows = [row for row in gateway.ledger() if row["kind"] == "attempt"]
    return [row for row in rows if all(row[name] == value for name, value in having.items())]


def booked(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """Input and output tokens of ledger rows."""
    return sum(row["input_tokens"] for row in rows), sum(row["output_tokens"] for row in rows)


def counters(gateway: Gateway) -> list[dict[str, Any]]:
    """The quotas' counters as the database has them now."""
    uri = f"file:{gateway.database}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM counters")]


def at_rest(gateway: Gateway) -> bool:
    """Whether nothing is reserved: neither in the ledger nor on a counter."""
    return not attempts(gateway, state="reserved") and not any(
        counter["reserved_input"] or counter["reserved_output"] for counter in counters(gateway)
    )


async def rest(gateway: Gateway) -> None:
    """Until nothing is reserved any more."""
    await eventually(lambda: at_rest(gateway), what="something stays reserved")


async def eventually(
    holds: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 15, what: str = "it never came true"
) -> None:
    """Look again and again until it holds; what another process does cannot be waited for in any other way."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = holds()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{what} (after {seconds} s)") from None


async def books_are_right(gateway: Gateway) -> None:
    """Nothing is reserved, and every counter is the sum of the ledger: counted here, and not by the product."""
    await rest(gateway)
    uri = f"file:{gateway.database}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10)) as database:
        wrong = database.execute(_RECOUNT).fetchall()
    assert wrong == [], f"quota, subject, settled as stored, settled as counted: {wrong}"


_RECOUNT = """
SELECT quota, subject, settled_input, settled_output, paid_input, paid_output FROM (
  SELECT c.*, COALESCE(SUM(l.input_tokens), 0) AS paid_input, COALESCE(SUM(l.output_tokens), 0) AS paid_output
  FROM counters c LEFT JOIN charges ch ON ch.counter_id = c.id
  LEFT JOIN ledger l ON l.id = ch.ledger_id AND l.state IN ('settled', 'estimated') GROUP BY c.id
) WHERE settled_input <> paid_input OR settled_output <> paid_output
"""


async def verified(gateway: Gateway) -> None:
    """The same, as the operator's own command says it."""
    await books_are_right(gateway)
    done = await gateway.cli("quota", "verify")
    assert done.code == 0, done.stdout + done.stderr


def bill(provider: Provider) -> tuple[int, int]:
    """Input and output tokens that the provider has billed."""
    totals = provider.bill()
    return totals.input_tokens, totals.output_tokens


async def last(gateway: Gateway) -> dict[str, Any]:
    """The latest attempt, once nothing is open and the books are right."""
    await books_are_right(gateway)
    return attempts(gateway)[-1]
