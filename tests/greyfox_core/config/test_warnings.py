"""What is permitted but worth a second look."""

from pathlib import Path

import pytest

from tests.greyfox_core.config.kit import UPSTREAMS, loaded


def told(folder: Path, text: str = "", upstreams: str = UPSTREAMS) -> list[str]:
    return [problem.message for problem in loaded(folder, text, upstreams=upstreams).warnings]


def test_an_ordinary_file_has_no_warnings(tmp_path: Path) -> None:
    assert told(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("cache: {scope: global}", "scope global"),
        ("admin: {listen: 0.0.0.0:8090}", "other machines"),
        ("cache: {exclude: [{route: hr}]}", "names no route of this file"),
        ("cache: {encryption_key: long-enough-to-be-one}", "nothing to encrypt yet"),
    ],
)
def test_settings_that_open_doors_are_warned_of(tmp_path: Path, text: str, warning: str) -> None:
    assert len(told(tmp_path, text)) == 1
    assert warning in told(tmp_path, text)[0]


def test_a_cache_that_is_off_shares_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, "cache: {scope: global, enabled: false}") == []


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ("base_url: https://a.example", True),
        ("base_url: https://a.example, api_key: ${KEY:-}", True),
        ("base_url: https://a.example, api_key: k", False),
        ("base_url: https://a.example, auth: none", False),
        ("base_url: https://a.example, headers: {Authorization: Basic x}", False),
        ("base_url: http://127.0.0.1:11434", False),
    ],
)
def test_an_upstream_without_a_key_is_warned_of(tmp_path: Path, keys: str, warned: bool) -> None:
    upstreams = f"upstreams: {{a: {{dialect: openai, {keys}}}}}\n"
    assert any("has no key" in one for one in told(tmp_path, upstreams=upstreams)) is warned


def test_plaintext_is_warned_of_even_where_it_is_meant(tmp_path: Path) -> None:
    upstreams = "upstreams: {a: {dialect: openai, base_url: http://10.0.0.1, allow_plaintext: true, api_key: k}}\n"
    assert "unencrypted" in told(tmp_path, upstreams=upstreams)[0]


def test_overlapping_hosts_are_warned_of(tmp_path: Path) -> None:
    upstreams = """\
upstreams:
  a: {dialect: openai, base_url: https://a.example/v1, api_key: k, hosts: [a.example]}
  b: {dialect: openai, base_url: https://a.example/v1, api_key: k}
proxy: {allow: ["a.example:8443", "b.example"]}
"""
    first, second = loaded(tmp_path, "", upstreams=upstreams).warnings
    assert "those of upstream a" in first.message
    assert "never tunnelled" in second.message
    assert second.span is not None
    assert (second.span.line, second.span.column) == (4, 17)
