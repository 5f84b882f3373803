"""Hit, miss or bypass; and what the answer says about it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from greyfox_core.cache.memory import MemoryCache
from greyfox_core.cache.service import Asked, Cache, Decision
from greyfox_core.clock import ManualClock
from greyfox_core.config.schema import CachePart, Exclusion
from greyfox_core.errors import NotCached
from greyfox_core.values.endpoint import Access, Endpoint
from greyfox_core.values.http import RequestHead, Way
from greyfox_core.values.principal import Principal
from greyfox_core.values.request import ParsedRequest
from greyfox_core.values.target import Target
from greyfox_core.values.usage import Usage

CONFIG = CachePart()
CHAT = Endpoint("openai", "openai-chat", "generate", Access.METERED, "/chat/completions")
FIELDS: Mapping[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
BODY = b'{"choices": []}'


async def look(cache: Cache, request: Asked, config: CachePart) -> Decision:
    """What the cache decides for one request."""
    return await cache.lookup(cache.plan(request, config))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cache(clock: ManualClock) -> Cache:
    return Cache(MemoryCache(clock, max_bytes=1_000_000, max_entry=10_000), clock)


def head(*headers: tuple[str, str], query: str = "") -> RequestHead:
    return RequestHead("POST", "/v1/chat/completions", query, headers, Way.BASE_URL)


def parsed(**changes: Any) -> ParsedRequest:
    return replace(ParsedRequest(CHAT, b"{}", {}, "gpt-4o", stream=False), **changes)


def asked(**changes: Any) -> Asked:
    base = Asked(
        head=head(),
        principal=Principal("alice", "k1", team="core"),
        parsed=parsed(),
        target=Target("openai", "gpt-4o"),
        route="default",
        fields=lambda: FIELDS,
    )
    return replace(base, **changes)


async def answered(cache: Cache, request: Asked, config: CachePart = CONFIG) -> Decision:
    """A miss whose answer is stored."""
    decision = await look(cache, request, config)
    assert decision.state == "miss"
    assert decision.key is not None
    assert keep(cache, decision)
    return decision


def keep(cache: Cache, decision: Decision, status: int = 200, body: bytes = BODY) -> bool:
    assert decision.key is not None
    return cache.store(
        decision.key,
        status=status,
        headers=(("content-type", "application/json"),),
        body=body,
        usage=Usage(3, 5),
        target=Target("openai", "gpt-4o"),
        ttl=decision.ttl,
        tags=decision.tags,
    )


async def test_the_second_identical_request_is_a_hit_byte_for_byte(cache: Cache, clock: ManualClock) -> None:
    await answered(cache, asked())
    clock.advance(60)
    decision = await look(cache, asked(), CONFIG)
    assert decision.state == "hit"
    entry = decision.entry
    assert entry is not None
    assert (entry.status, entry.body, entry.usage) == (200, BODY, Usage(3, 5))
    assert (entry.upstream, entry.model) == ("openai", "gpt-4o")
    assert cache.headers(decision) == [
        ("x-greyfox-cache", "hit"),
        ("cache-status", "greyfox; hit; ttl=3540"),
        ("age", "60"),
    ]


async def test_a_miss_and_a_bypass_say_so(cache: Cache) -> None:
    miss = await look(cache, asked(), CONFIG)
    assert cache.headers(miss) == [("x-greyfox-cache", "miss"), ("cache-status", "greyfox; fwd=miss; stored")]
    unstored = await look(cache, asked(head=head(("x-greyfox-cache-ttl", "0"))), CONFIG)
    assert cache.headers(unstored) == [("x-greyfox-cache", "miss"), ("cache-status", "greyfox; fwd=miss")]
    bypass = await look(cache, asked(uncacheable="tools"), CONFIG)
    assert cache.headers(bypass) == [("x-greyfox-cache", "bypass"), ("cache-status", "greyfox; fwd=bypass")]


async def test_every_entry_ends(cache: Cache, clock: ManualClock) -> None:
    await answered(cache, asked())
    clock.advance(3600)
    assert (await look(cache, asked(), CONFIG)).state == "miss"


@pytest.mark.parametrize(
    "other",
    [
        asked(principal=Principal("bob", "k2", team="sales")),
        asked(principal=Principal("core", "k2")),
        asked(passthrough=(("authorization", "Bearer sk-x"),)),
        asked(target=Target("azure", "gpt-4o")),
        asked(target=Target("openai", "gpt-4o-mini")),
        asked(parsed=parsed(stream=True)),
        asked(parsed=parsed(endpoint=replace(CHAT, operation="embed"))),
        asked(parsed=parsed(endpoint=replace(CHAT, dialect="openai-completions"))),
        asked(fields=lambda: {**FIELDS, "seed": 1}),
        asked(head=head(("anthropic-beta", "a"))),
        asked(head=head(("anthropic-version", "2026-10-21"))),
        asked(head=head(("openai-organization", "org-1"))),
        asked(head=head(query="api-version=2025-01-01")),
        asked(head=head(query="alt=sse")),
        asked(head=head(("x-greyfox-cache-namespace", "mine"))),
    ],
)
async def test_what_differs_is_not_shared(cache: Cache, other: Asked) -> None:
    await answered(cache, asked())
    assert (await look(cache, other, CONFIG)).state == "miss"


async def test_a_stream_with_and_without_a_usage_chunk_are_two_entries(cache: Cache) -> None:
    await answered(cache, asked(parsed=parsed(stream=True)))
    assert (await look(cache, asked(parsed=parsed(stream=True, wants_usage=True)), CONFIG)).state == "miss"


@pytest.mark.parametrize(
    "same",
    [
        asked(principal=Principal("bob", "k2", team="core")),
        asked(route="other"),
        asked(parsed=parsed(model="an-alias")),
        asked(head=head(("user-agent", "x"), ("x-greyfox-tags", "a=b"))),
        asked(head=head(query="key=gf_secret")),
    ],
)
async def test_what_cannot_change_the_answer_is_shared(cache: Cache, same: Asked) -> None:
    await answered(cache, asked())
    assert (await look(cache, same, CONFIG)).state == "hit"


async def test_the_order_of_a_query_does_not_matter(cache: Cache) -> None:
    await answered(cache, asked(head=head(query="x=1&y=2")))
    assert (await look(cache, asked(head=head(query="y=2&x=1&key=gf_x")), CONFIG)).state == "hit"


@pytest.mark.parametrize(
    ("request_", "config", "reason"),
    [
        (asked(), CachePart(enabled=False), "disabled"),
        (asked(head=head(("cache-control", "no-store"))), CONFIG, "no-store"),
        (asked(head=head(("x-greyfox-cache-namespace", "a b"))), CONFIG, "namespace"),
        (asked(uncacheable="web search"), CONFIG, "web search"),
        (asked(), CachePart(exclude=(Exclusion(model="gpt-4o"),)), "excluded"),
    ],
)
async def test_what_stays_out_of_the_cache(cache: Cache, request_: Asked, config: CachePart, reason: str) -> None:
    await answered(cache, asked())
    assert await look(cache, request_, config) == Decision("bypass", reason=reason)


async def test_what_stays_out_is_not_even_made_canonical(cache: Cache) -> None:
    def never() -> Mapping[str, Any]:
        raise AssertionError("fields were made for a bypass")

    await look(cache, asked(uncacheable="tools", fields=never), CONFIG)


async def test_no_cache_asks_upstream_and_stores_anew(cache: Cache) -> None:
    first = await answered(cache, asked())
    again = await look(cache, asked(head=head(("cache-control", "no-cache"))), CONFIG)
    assert (again.state, again.key) == ("miss", first.key)
    keep(cache, again, body=b"newer")
    hit = await look(cache, asked(), CONFIG)
    assert hit.entry is not None
    assert hit.entry.body == b"newer"


async def test_max_age_takes_no_older_answer(cache: Cache, clock: ManualClock) -> None:
    await answered(cache, asked())
    clock.advance(30)
    assert (await look(cache, asked(head=head(("cache-control", "max-age=29"))), CONFIG)).state == "miss"
    assert (await look(cache, asked(head=head(("cache-control", "max-age=30"))), CONFIG)).state == "hit"


@pytest.mark.parametrize("extra", ["", ", no-store", ", no-cache", ", max-age=0"])
async def test_only_if_cached_is_refused_where_nothing_may_be_served(
    cache: Cache, clock: ManualClock, extra: str
) -> None:
    request = asked(head=head(("cache-control", f"only-if-cached{extra}")))
    with pytest.raises(NotCached):
        await look(cache, request, CONFIG)
    await answered(cache, asked())
    clock.advance(1)
    if extra:
        with pytest.raises(NotCached):
            await look(cache, request, CONFIG)
    else:
        assert (await look(cache, request, CONFIG)).state == "hit"


async def test_ttl_and_tags_of_the_caller_go_into_the_entry(cache: Cache, clock: ManualClock) -> None:
    request = asked(head=head(("x-greyfox-cache-ttl", "10s"), ("x-greyfox-cache-tags", "a, b")))
    await answered(cache, request)
    hit = await look(cache, asked(), CONFIG)
    assert hit.entry is not None
    assert hit.entry.tags == {"a", "b"}
    clock.advance(10)
    assert (await look(cache, asked(), CONFIG)).state == "miss"


async def test_no_success_and_nothing_too_large_is_kept(cache: Cache) -> None:
    decision = await look(cache, asked(), CONFIG)
    assert not keep(cache, decision, status=400)
    assert not keep(cache, decision, status=206)
    assert not keep(cache, decision, body=b"x" * 10_001)
    assert (await look(cache, asked(), CONFIG)).state == "miss"


async def test_clearing_and_switching_off_forget_everything(cache: Cache) -> None:
    await answered(cache, asked())
    assert await cache.clear() == 1
    await answered(cache, asked())
    cache.reconfigure(CachePart(enabled=False))
    assert cache.stats().entries == 0
    cache.reconfigure(CONFIG)
    await answered(cache, asked())


def test_a_recorder_is_bounded_like_an_entry(cache: Cache) -> None:
    recorder = cache.recorder(CachePart(max_entry_size=3))
    recorder.add(b"abcd")
    assert recorder.body() is None
