"""What the file may say, and what each part refuses by itself."""

import json
from pathlib import Path

import pytest

from greyfox_core.config.schema import Config, Quota, RateLimit, json_schema
from tests.greyfox_core.config.kit import loaded, refused

CONTRACT = r"""
store: sqlite:///greyfox.db
admin: {listen: 127.0.0.1:8090}
upstreams:
  openai:    {dialect: openai,    base_url: https://api.openai.com/v1,   api_key: ${OPENAI_API_KEY:-}, hosts: [api.openai.com]}
  anthropic: {dialect: anthropic, base_url: https://api.anthropic.com,   api_key: ${ANTHROPIC_API_KEY:-}, hosts: [api.anthropic.com]}
  ollama:    {dialect: ollama,    base_url: http://127.0.0.1:11434, hosts: [ollama.com]}
proxy: {unknown_hosts: tunnel, shadow: observe}
auth:
  jwt:
    - {issuer: https://sso.example.com/, audience: greyfox, jwks_url: https://sso.example.com/jwks.json, algorithms: [RS256], user_claim: sub, roles_claim: groups}
quotas:
  - {name: developer-day, per: user, match: {role: developer}, period: day, timezone: UTC, input_tokens: 10000, output_tokens: 2000}
  - {name: opus-month, per: [team, model], match: {model: "claude-opus-*"}, period: month, output_tokens: 5000000}
rate_limits:
  - {name: burst, per: key, requests_per_minute: 60, burst: 10}
cache:
  enabled: true
  ttl: 1h
  scope: team
  max_size: 10GB
  exclude: [{path: /v1/embeddings}, {model: "*-search-*"}, {route: code}]
routes:
  - {name: code,   when: {model: auto, content: code}, use: [openai/gpt-4o, anthropic/claude-sonnet-4-5]}
  - {name: simple, when: {model: auto, role: support, input_tokens: "<500"}, use: [anthropic/claude-3-haiku-20240307]}
  - {name: split,  when: {model: fast}, use: [{model: openai/gpt-4o-mini, weight: 9}, {model: ollama/llama3, weight: 1}]}
content:
  code: {any: ['```', '(?i)\b(write|refactor|debug|implement)\b.*\b(function|class|script|code|test)\b']}
"""  # noqa: E501 # as the contract writes it


def test_the_contract_s_own_example_is_valid(tmp_path: Path) -> None:
    config = loaded(tmp_path, CONTRACT, {"OPENAI_API_KEY": "sk-real"}, upstreams="").config
    assert config.upstreams["openai"].api_key.get_secret_value() == "sk-real"
    assert config.upstreams["anthropic"].api_key.get_secret_value() == ""
    assert config.quotas[0].per == ("user",)
    assert config.quotas[0].match.role == ("developer",)
    assert config.quotas[1].per == ("team", "model")
    assert [use.model for use in config.routes[0].use] == ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]
    assert [use.weight for use in config.routes[2].use] == [9, 1]
    assert config.cache.max_size == 10**10


def test_sections_with_nothing_in_them_are_absent(tmp_path: Path) -> None:
    config = loaded(tmp_path, "quotas:\n  # - {name: later}\ncache:\nadmin: {listen: }\n").config
    assert config.quotas == ()
    assert config.cache.enabled
    assert config.admin.listen == "127.0.0.1:8090"


def test_a_null_limit_is_no_limit() -> None:
    quota = Quota.model_validate({"name": "q", "period": "day", "input_tokens": None, "output_tokens": 5})
    assert quota.input_tokens is None


def test_secrets_are_in_no_representation() -> None:
    config = Config.model_validate(
        {
            "upstreams": {
                "a": {
                    "dialect": "openai",
                    "base_url": "https://a.example",
                    "api_key": "zqx",
                    "headers": {"X-Key": "zqx"},
                }
            }
        }
    )
    assert "zqx" not in repr(config)


def test_memory_holds_the_lesser_of_both_bounds(tmp_path: Path) -> None:
    assert loaded(tmp_path, "cache: {max_size: 1MiB}\n").config.cache.memory_bound == 1_048_576
    assert loaded(tmp_path, "cache: {memory_size: 2MiB}\n").config.cache.memory_bound == 2_097_152


def test_a_route_is_weighted_where_any_target_has_a_weight(tmp_path: Path) -> None:
    routes = "routes:\n- {name: a, use: openai/x}\n- {name: b, use: [openai/x, {model: openai/y, weight: 1}]}\n"
    config = loaded(tmp_path, routes).config
    assert [route.weighted for route in config.routes] == [False, True]


def test_numbers_may_come_from_the_environment(tmp_path: Path) -> None:
    config = loaded(
        tmp_path, "limits: {max_depth: ${DEPTH}}\ncache: {enabled: ${CACHE}}\n", {"DEPTH": "9", "CACHE": "false"}
    )
    assert config.config.limits.max_depth == 9
    assert config.config.cache.enabled is False


def test_plain_http_goes_to_this_machine_or_is_meant(tmp_path: Path) -> None:
    plain = "upstreams: {vllm: {dialect: openai, base_url: http://10.0.0.5:8000/v1%s}}\n"
    assert "allow_plaintext: true" in refused(tmp_path, "", upstreams=plain % "")
    assert loaded(tmp_path, "", upstreams=plain % ", allow_plaintext: true").config.upstreams["vllm"].allow_plaintext
    here = loaded(tmp_path, "", upstreams=plain.replace("10.0.0.5", "localhost") % "")
    assert here.config.upstreams["vllm"].base_url == "http://localhost:8000/v1"


JWT = "auth: {jwt: [{issuer: i, audience: a, %s}]}\n"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("algorithms: [RS256]", "exactly one of"),
        (f"algorithms: [HS256], secret: {'s' * 32}, jwks_url: https://a.example/", "secret and jwks_url"),
        ("algorithms: [HS256], secret: short", "the secret has 5 bytes; these algorithms need at least 32"),
        (f"algorithms: [HS256, HS512], secret: {'s' * 63}", "need at least 64"),
        (f"algorithms: [RS256], secret: {'s' * 32}", "secret cannot verify RS256"),
        ("algorithms: [HS256], jwks_url: https://a.example/", "jwks_url cannot verify HS256"),
        ("algorithms: [none], jwks_url: https://a.example/", '"none" is no algorithm'),
        ("algorithms: [], jwks_url: https://a.example/", "algorithms is empty"),
        ("algorithms: [RS256], jwks_url: http://a.example/", "not https"),
        ("algorithms: [RS256], public_key: zqx", "public_key is no public key"),
    ],
)
def test_an_issuer_has_one_key_that_fits_its_algorithms(tmp_path: Path, keys: str, why: str) -> None:
    text = refused(tmp_path, JWT % keys)
    assert why in text
    assert "config.yaml:2:" in text


def test_an_issuer_with_a_secret_that_is_long_enough(tmp_path: Path) -> None:
    assert loaded(tmp_path, JWT % f"algorithms: HS256, secret: {'s' * 32}").config.auth.jwt[0].algorithms == ("HS256",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("quotas: [{name: q, period: day}]", "quotas[0] (q): a quota needs input_tokens, output_tokens or both"),
        ("quotas: [{name: q, period: day, per: [user, user], input_tokens: 1}]", "per names a dimension twice"),
        ("quotas: [{name: q, period: day, per: [], input_tokens: 1}]", "empty"),
        ("quotas: [{name: q, period: day, week_starts: sunday, input_tokens: 1}]", "period: week alone"),
        ("rate_limits: [{name: r}]", "rate_limits[0] (r): a rate limit needs requests_per_minute"),
        ("rate_limits: [{name: r, requests_per_minute: 0}]", '"0" is too small: it must be more than 0'),
        ("cache: {exclude: [{}]}", "an exclusion names a path, a model or a route"),
        ("cache: {ttl: 2d}", "ttl is longer than max_ttl (86400 seconds)"),
        ("cache: {backend: redis://h}", "not in this version: the cache is local"),
        ("content: {c: {over: all}}", "a pattern set needs any, all or none"),
        ("store: postgresql://db/x", "not in this version"),
    ],
)
def test_parts_that_make_no_sense_are_refused(tmp_path: Path, text: str, why: str) -> None:
    assert why in refused(tmp_path, text)


def test_rate_limits_count_by_key_unless_told_otherwise() -> None:
    assert RateLimit.model_validate({"name": "r", "tokens_per_minute": 5}).per == ("key",)


def test_the_json_schema_admits_the_short_forms() -> None:
    described = json_schema()
    json.dumps(described)
    per = described["$defs"]["Quota"]["properties"]["per"]
    assert {"type": "string"} in per["anyOf"]
