"""From a file to a configuration, or to every reason why not."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greyfox_core.config.load import Loaded, load, load_bytes
from greyfox_core.config.schema import Config
from greyfox_core.errors import ConfigError
from tests.greyfox_core.config.kit import UPSTREAMS, loaded, refused, written


def test_every_problem_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    told = refused(
        tmp_path,
        """\
quotas:
  - name: developer-day
    per: user
    output_token: 2000
    period:      fortnight
    input_tokens: 1
""",
    )
    assert told == (
        'config.yaml:5:5: unknown key "output_token" in quotas[0] (developer-day)\n'
        "  5 |     output_token: 2000\n"
        "    |     ^^^^^^^^^^^^\n"
        "  allowed: name, per, match, period, timezone, week_starts, resets_at, input_tokens, output_tokens, enforce, "
        "count_cached_input\n"
        '  did you mean "output_tokens"?\n'
        "\n"
        'config.yaml:6:18: "fortnight" is no period\n'
        "  6 |     period:      fortnight\n"
        "    |                  ^^^^^^^^^\n"
        "  allowed: day, week, month\n"
        "\n"
        "2 problems."
    )


def test_problems_of_all_kinds_come_together(tmp_path: Path) -> None:
    told = refused(
        tmp_path,
        """\
cache: {ttl: ${NOPE}, ttl: 5}
quotas:
  - {name: a, period: day, input_tokens: -1}
  - {name: a, period: day, input_tokens: 1, timezone: Mars/X}
routes: [{name: r, use: [{model: nowhere/x, weight: 0}]}]
""",
    )
    for line, words in (
        (2, "not set"),
        (2, "duplicate key"),
        (3 + 1, "too small"),
        (5, "another one"),
        (5, "no time zone"),
    ):
        assert any(part.startswith(f"config.yaml:{line}:") and words in part for part in told.split("\n\n")), words
    assert "names no upstream" in told
    assert "more than 0" in told
    assert told.endswith("7 problems.")


def test_a_variable_that_is_not_set_is_told_once(tmp_path: Path) -> None:
    assert refused(tmp_path, "cache: {ttl: ${NOPE}}").endswith("1 problem.")


def test_nothing_from_the_environment_is_in_a_message(tmp_path: Path) -> None:
    environ = {"SECRET": "zqx-secret"}
    keys = ("store", "admin: {listen", "proxy: {shadow", "cache: {ttl", "cache: {scope", "limits: {max_ratio")
    for key in keys:
        told = refused(tmp_path, f"{key}: ${{SECRET}}{'}' * key.count('{')}\n", environ)
        assert "zqx" not in told
        assert "${SECRET}" in told
    told = refused(tmp_path, "quotas: [{name: ${SECRET}, period: day}]\naliases: {a: ${SECRET}/x}\n", environ)
    assert "zqx" not in told


def test_secrets_that_stand_in_the_file_are_in_no_message(tmp_path: Path) -> None:
    upstreams = "upstreams: {a: {dialect: opnai, base_url: 'https://u:zqx@a.example', api_key: zqx-1, api_ky: zqx-2}}\n"
    assert "zqx-1" not in refused(tmp_path, "", upstreams=upstreams)
    assert "u:zqx" not in refused(tmp_path, "", upstreams=upstreams)
    assert "zqx" not in refused(tmp_path, "x: [", upstreams="upstreams: {a: {api_key: zqx}}\n")
    told = refused(tmp_path, "auth: {jwt: [{issuer: i, audience: a, algorithms: HS256, secret: zqx}]}")
    assert "zqx" not in told


def test_an_alias_of_a_broken_part_is_told_where_it_stands(tmp_path: Path) -> None:
    told = refused(tmp_path, "quotas:\n- &q {name: a, period: dai, input_tokens: 1}\n- *q\n")
    assert told.count("config.yaml:3:24") == 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xfea: 1", "not in UTF-8"),
        (b"a: 1\nb: \xe4\n", ":2: the file is not in UTF-8"),
        (b"#" * 1_048_577, "at most 1,048,576 bytes"),
        (b"", "no mapping"),
        (b"a: \x00", "U+0000"),
        (b"--- !!python/object/apply:os.system [x]\n", "a tag"),
    ],
)
def test_what_is_no_configuration_at_all_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml") as told:
        load_bytes(data, Path("config.yaml"), {})
    assert why in str(told.value)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert load_bytes(b"\xef\xbb\xbf" + UPSTREAMS.encode(), tmp_path / "config.yaml", {}).config.upstreams


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "config.yaml", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


def test_the_store_lies_beside_the_file_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").store_path == tmp_path / "greyfox.db"
    assert loaded(tmp_path, "store: sqlite:///data/g.db").store_path == tmp_path / "data" / "g.db"
    assert loaded(tmp_path, "store: sqlite:////var/g.db").store_path == Path("/var/g.db")
    assert loaded(tmp_path, "").folder == tmp_path


def test_a_configuration_can_be_made_without_a_file() -> None:
    config = Config.model_validate({"upstreams": {"a": {"dialect": "openai", "base_url": "https://a.example"}}})
    assert Loaded(config, Path("/x/config.yaml")).store_path == Path("/x/greyfox.db")


def test_a_large_file_is_read_whole(tmp_path: Path) -> None:
    users = ", ".join(f"user-{n}" for n in range(2_000))
    config = loaded(tmp_path, f"rate_limits: [{{name: r, match: {{user: [{users}]}}, tokens_per_minute: 1}}]\n").config
    assert len(config.rate_limits[0].match.user) == 2_000


PIECES = st.sampled_from(
    [
        "quotas",
        "cache",
        ": ",
        "\n",
        "  ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "${A}",
        "${",
        "'",
        '"',
        "|",
        ">",
        "name: x",
        "period: day",
        "5",
        "-1",
        "true",
        "\t",
        "#",
        "é",
        "!!str ",
        "---\n",
        "routes",
        "use",
        "openai/x",
        "?",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_whatever_the_text_the_answer_is_a_configuration_or_its_problems(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = written(Path(folder), UPSTREAMS + text)
        try:
            assert isinstance(load(file, {"A": "zqx"}).config, Config)
        except ConfigError as error:
            assert "zqx" not in str(error)
            assert str(error).endswith(("problem.", "problems."))
