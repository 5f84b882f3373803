"""The forms of single values."""

import pytest

from greyfox_core.config import forms


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("API.OpenAI.com", "api.openai.com"),
        ("api.openai.com.", "api.openai.com"),
        ("localhost", "localhost"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("my_host-1", "my_host-1"),
    ],
)
def test_hosts_are_lower_case_without_a_dot_at_the_end(written: str, normal: str) -> None:
    assert forms.host(written) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a b",
        "https://a.example",
        "a.example:443",
        "a/b",
        "*.example",
        "-a.example",
        "a..b",
        "a" * 64,
        "127.1",
        "ä.example",
    ],
)
def test_what_is_no_host_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        forms.host(written)


@pytest.mark.parametrize("written", ["127.0.0.1:8090", "[::1]:8090", "localhost:1", "0.0.0.0:65535"])
def test_addresses_to_listen_on(written: str) -> None:
    assert forms.listen(written) == written


@pytest.mark.parametrize(
    "written", ["", "8090", ":8090", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:8090", "[a]:1", "h:80x", "h:٨"]
)
def test_what_is_no_address_to_listen_on_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        forms.listen(written)


@pytest.mark.parametrize(
    "written", ["https://a.example/v1", "http://127.0.0.1:11434", "https://[::1]:8/x", "https://a/"]
)
def test_base_urls(written: str) -> None:
    assert forms.base_url(written) == written


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("a.example", "no base URL"),
        ("ftp://a.example", "no base URL"),
        ("https://", "no base URL"),
        ("https://a.example/x y", "no base URL"),
        ("https://a.example:0", "no base URL"),
        ("https://a.example:99999", "no URL"),
        ("https://user:password@a.example", "credentials"),
        ("https://@a.example", "credentials"),
        ("https://a.example/v1?api-version=1", "query"),
        ("https://a.example/v1#x", "query"),
        ("https://*.example", "no host name"),
    ],
)
def test_what_is_no_base_url_is_refused(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        forms.base_url(written)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost/x", True),
        ("http://[::1]/", True),
        ("http://127.9.9.9", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
        ("http://0.0.0.0", False),
    ],
)
def test_loopback_is_this_machine_alone(url: str, here: bool) -> None:
    assert forms.is_loopback_url(url) is here


@pytest.mark.parametrize("written", ["https://sso.example.com/jwks.json", "http://127.0.0.1:9/jwks"])
def test_keys_are_fetched_over_https_or_from_this_machine(written: str) -> None:
    assert forms.secure_url(written) == written


@pytest.mark.parametrize(
    "written", ["http://sso.example.com/jwks.json", "https://u:p@sso.example.com/", "jwks", "http://[", ""]
)
def test_keys_are_fetched_no_other_way(written: str) -> None:
    with pytest.raises(ValueError, match=r"no URL|not https"):
        forms.secure_url(written)


@pytest.mark.parametrize("written", ["Mars/X", "", "../etc/passwd", "/etc/localtime", "Europe", "UTC\0"])
def test_unknown_zones_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        forms.zone(written)


def test_zones_are_of_the_iana_database() -> None:
    assert forms.zone("America/Santiago") == "America/Santiago"


@pytest.mark.parametrize("written", ["24:00", "7:00", "07:60", "0700", "", "07:00:00"])
def test_times_of_day_are_hours_and_minutes(written: str) -> None:
    assert forms.time_of_day("23:59") == "23:59"
    with pytest.raises(ValueError, match="no time of day"):
        forms.time_of_day(written)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("postgresql://greyfox@db/greyfox", "not in this version"),
        ("mysql://x", "no store"),
        ("greyfox.db", "no store"),
        ("sqlite:///", "no store"),
        ("sqlite:///folder/", "no store"),
        ("sqlite:///a.db?mode=ro", "no store"),
        ("sqlite:///:memory:", "lost"),
    ],
)
def test_the_store_is_a_sqlite_file(written: str, why: str) -> None:
    assert forms.store("sqlite:///greyfox.db") == "sqlite:///greyfox.db"
    with pytest.raises(ValueError, match=why):
        forms.store(written)


@pytest.mark.parametrize(
    "fields", [{"a b": "x"}, {"x": "a\r\nb"}, {"x": "日本"}, {"": "x"}, {"Host": "x"}, {"content-length": "1"}]
)
def test_header_fields_that_cannot_be_sent_are_refused(fields: dict[str, str]) -> None:
    assert forms.headers({"X-Title": "a b"}) == {"X-Title": "a b"}
    with pytest.raises(ValueError, match=r"no header fields|sets itself"):
        forms.headers(fields)


def test_allowed_paths_are_a_method_and_a_path() -> None:
    assert forms.allowed_path(" GET   /files/* ") == "GET /files/*"
    for written in ("/files", "GET files", "get /files", "GET /a?b", "TRACE /x", ""):
        with pytest.raises(ValueError, match="no allowed path"):
            forms.allowed_path(written)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Git.Example.com", "git.example.com"),
        ("git.example.com:22", "git.example.com:22"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("fd00::/8", "fd00::/8"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_goals_of_tunnels(written: str, normal: str) -> None:
    assert forms.tunnel_goal(written) == normal


@pytest.mark.parametrize("written", ["", "*", "*.example.com", "10.0.0.0/33", "a/b", "a:0", "a:b", "https://a"])
def test_what_is_no_goal_of_a_tunnel_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"no goal|no network"):
        forms.tunnel_goal(written)


@pytest.mark.parametrize("written", ["openai/gpt-4o", "groq/openai/gpt-oss-120b", "openai/*"])
def test_targets_are_an_upstream_and_a_model(written: str) -> None:
    assert forms.target(written) == written


@pytest.mark.parametrize("written", ["gpt-4o", "/gpt-4o", "openai/", "openai/gpt-*", ""])
def test_what_is_no_target_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no target"):
        forms.target(written)


def test_an_upstream_is_not_named_like_a_path() -> None:
    assert forms.upstream_name("openai") == "openai"
    for name in ("v1", "v1beta", "api", "greyfox", "chat", "API"):
        with pytest.raises(ValueError, match="paths of the APIs"):
            forms.upstream_name(name)
