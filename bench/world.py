"""What GreyFox has to govern in a run, and the configuration that says so. Pure.

Every request is for `COMMON_QUOTAS` quotas; each further quota is for one user. The further rules never fit, and are
asked before those that might. All limits are beyond reach but for the user `spent`, whose quota one answer uses up.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.asks import TOKENS

COMMON_QUOTAS, COMMON_RULES = 2, 3
TEAM = "bench"
SPENT = "spent"  # the user whose quota is used up
UPSTREAM_KEY = "BENCH_UPSTREAM_KEY"
PLENTY = 10**15  # tokens
CACHE = 32 * 2**20  # bytes


@dataclass(frozen=True)
class World:
    """So many of each; `cache` is bytes of it in memory, 0: switched off. `ledger` rows are there before the start."""

    keys: int = 10
    quotas: int = COMMON_QUOTAS
    rules: int = COMMON_RULES
    ledger: int = 0
    cache: int = CACHE


def user(number: int) -> str:
    """The owner of the key of that number."""
    return f"u{number}"


def configuration(world: World, folder: Path, upstream_port: int, admin_port: int) -> str:
    """The text of config.yaml, as JSON without blanks: ten thousand quotas must fit into its megabyte."""
    upstream = {
        "dialect": "openai",
        "base_url": f"http://127.0.0.1:{upstream_port}/v1",
        "api_key": f"${{{UPSTREAM_KEY}}}",
    }
    made = {
        "store": f"sqlite:///{folder / 'bench.db'}",
        "admin": {"listen": f"127.0.0.1:{admin_port}"},
        "upstreams": {"openai": upstream},
        "quotas": quotas(world.quotas),
        "rate_limits": [{"name": "burst", "per": "key", "requests_per_minute": 10**8, "burst": 10**6}],
        "cache": {"enabled": bool(world.cache), "ttl": "1h", "scope": "team", "memory_size": max(world.cache, 2**20)},
        "routes": rules(world.rules),
        "content": {"code": {"any": [r"(?i)\b(write|refactor|debug)\b.*\b(function|class|script|code)\b"]}},
    }
    return json.dumps(made, separators=(",", ":"))


def quotas(count: int) -> list[dict[str, Any]]:
    """`count` of them, and the one that is used up."""
    common: list[dict[str, Any]] = [
        {"name": "day", "per": "user", "period": "day", "input_tokens": PLENTY, "output_tokens": PLENTY},
        {"name": "month", "per": ["team", "model"], "period": "month", "output_tokens": PLENTY},
    ]
    others = [
        {"name": f"q{number}", "match": {"user": user(number)}, "period": "day", "input_tokens": 10**9}
        for number in range(1, count - COMMON_QUOTAS + 1)
    ]
    spent = {"name": "spent", "match": {"user": SPENT}, "period": "month", "output_tokens": TOKENS}
    return [*common[:count], *others, spent]


def rules(count: int) -> list[dict[str, Any]]:
    """`count` of them, none of which fits a request of the bench."""
    common: list[dict[str, Any]] = [
        {"name": "other", "when": {"role": "support"}, "use": ["openai/gpt-4o-mini"]},
        {"name": "code", "when": {"model": "auto", "content": "code"}, "use": ["openai/gpt-4o"]},
        {"name": "fast", "when": {"model": "fast"}, "use": ["openai/gpt-4o"]},
    ]
    others = [
        {"name": f"r{number}", "when": {"model": f"m{number}"}, "use": "openai/gpt-4o"}
        for number in range(count - COMMON_RULES)
    ]
    return [*others, *common[:count]]
