"""`python -m bench.clients`: what a call to an upstream costs, by aiohttp, by httpx and by GreyFox's own client.

Each client asks the same stand-in upstream over kept-alive connections, some calls at a time, in this process; the
upstream has a core of its own. The clients take turns, round by round, and the median of the rounds is told.
Units: microseconds of CPU time, user and system, of the asking process alone. A stream's figure is for one of its
writes: they come PAUSE seconds apart, so that no client gains by being late and finding several together.
"""

import argparse
import asyncio
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import httpx
from yarl import URL

from bench.asks import TOKENS
from bench.gateways import upstream
from bench.machine import GATEWAY_CORE, pin
from bench.replies import stream_answer
from greyfox_core.forwarding.client import Call, UpstreamClient

CALLERS = 10
PAUSE = 0.002  # seconds
WRITES = len(stream_answer(TOKENS))
PATH = "/v1/chat/completions"
HEADERS = [
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("user-agent", "OpenAI/Python 2.8.1"),
    ("x-stainless-lang", "python"),
    ("x-stainless-runtime", "CPython"),
    ("accept-encoding", "identity"),
    ("authorization", "Bearer sk-bench"),
]
PLAIN = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Why do foxes hunt at dusk?"}],"max_tokens":64}'
STREAM = PLAIN[:-1] + b',"stream":true}'
TIMEOUT = 60.0

Ask = Callable[[bytes], Awaitable[int]]
"""Makes one call with this body and reads the answer to its end; returns its bytes."""


async def main(port: int, calls: int, rounds: int) -> None:
    """Measure and print."""
    url = f"http://127.0.0.1:{port}{PATH}"
    ours = UpstreamClient()
    ours.start()
    async with aiohttp_session() as session, httpx.AsyncClient(trust_env=False, timeout=TIMEOUT) as client:
        asks = {"aiohttp": by_aiohttp(session, url), "httpx": by_httpx(client, url), "greyfox": by_greyfox(ours, url)}
        figures: dict[tuple[str, bytes], list[float]] = {}
        for number in range(rounds + 1):
            for name, ask in asks.items():
                for body, share in ((PLAIN, 1), (STREAM, WRITES)):
                    spent = await cpu(ask, body, max(calls // share, CALLERS)) / share
                    if number:  # the first round warms up
                        figures.setdefault((name, body), []).append(spent)
    await ours.close()
    print(f"{'CLIENT':<10}{'A PLAIN CALL':>14}{'A STREAMED EVENT':>18}   microseconds of CPU time")
    for name in asks:
        plain, event = (statistics.median(figures[name, body]) for body in (PLAIN, STREAM))
        print(f"{name:<10}{plain:>14.1f}{event:>18.1f}")


async def cpu(ask: Ask, body: bytes, calls: int) -> float:
    """Microseconds of CPU time a call, CALLERS at a time."""

    async def caller() -> None:
        for _ in range(calls // CALLERS):
            assert await ask(body) > 0

    gc.collect()
    before = time.process_time()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return (time.process_time() - before) / (calls // CALLERS * CALLERS) * 1e6


def aiohttp_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT),
    )


def by_aiohttp(session: aiohttp.ClientSession, url: str) -> Ask:
    parsed = URL(url, encoded=True)

    async def ask(body: bytes) -> int:
        size = 0
        async with asyncio.timeout(TIMEOUT):
            response = await session.request("POST", parsed, headers=HEADERS, data=body, allow_redirects=False)
        while True:
            async with asyncio.timeout(TIMEOUT):
                piece = await response.content.readany()
            if not piece:
                break
            size += len(piece)
        response.release()
        return size

    return ask


def by_httpx(client: httpx.AsyncClient, url: str) -> Ask:
    async def ask(body: bytes) -> int:
        size = 0
        async with client.stream("POST", url, headers=HEADERS, content=body) as response:
            async for piece in response.aiter_raw():
                size += len(piece)
        return size

    return ask


def by_greyfox(client: UpstreamClient, url: str) -> Ask:
    async def ask(body: bytes) -> int:
        size = 0
        response = await client.open(Call("bench", "POST", url, HEADERS, body, TIMEOUT, TIMEOUT, TIMEOUT))
        async for piece in response.pieces():
            size += len(piece)
        response.close()
        return size

    return ask


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.clients", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--calls", type=int, default=2000, help="plain calls of a round; default 2000")
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="greyfox-bench-") as folder,
        upstream(Path(folder), ["--pause", str(PAUSE)]) as server,
    ):
        pin(os.getpid(), GATEWAY_CORE)
        asyncio.run(main(server.port, options.calls, options.rounds))
    sys.exit(0)
