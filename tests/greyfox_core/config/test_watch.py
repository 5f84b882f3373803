"""A change is picked up once it has settled; what is broken is told once, and what was in force stays."""

from pathlib import Path

import pytest

from greyfox_core.config.watch import ConfigSource
from greyfox_core.errors import ConfigError
from tests.greyfox_core.config.kit import UPSTREAMS, written


@pytest.fixture
def source(tmp_path: Path) -> ConfigSource:
    return ConfigSource(written(tmp_path, UPSTREAMS), {"TTL": "30m"})


async def test_a_change_is_the_configuration_from_the_second_look_on(source: ConfigSource, tmp_path: Path) -> None:
    assert await source.changed() is None
    written(tmp_path, UPSTREAMS + "cache: {ttl: ${TTL}}\n")
    assert await source.changed() is None  # it could be half a file
    fresh = await source.changed()
    assert fresh is not None
    assert fresh.config.cache.ttl == 1800
    assert source.current is fresh
    assert await source.changed() is None


async def test_half_a_file_is_never_used(source: ConfigSource, tmp_path: Path) -> None:
    whole = UPSTREAMS + "quotas: [{name: q, period: day, input_tokens: 1}]\n"
    for end in range(len(UPSTREAMS), len(whole), 7):  # an editor at work: valid and broken states in turn
        written(tmp_path, whole[:end])
        assert await source.changed() is None
    written(tmp_path, whole)
    assert await source.changed() is None
    fresh = await source.changed()
    assert fresh is not None
    assert fresh.config.quotas[0].name == "q"


async def test_a_broken_change_is_told_once_and_changes_nothing(source: ConfigSource, tmp_path: Path) -> None:
    before = source.current
    written(tmp_path, UPSTREAMS + "cahe: {}\n")
    assert await source.changed() is None
    with pytest.raises(
        ConfigError, match=r'unknown key "cahe"(.|\n)*1 problem\. The configuration in force is unchanged\.'
    ):
        await source.changed()
    assert await source.changed() is None
    assert source.current is before
    written(tmp_path, UPSTREAMS + "cahe: {a: b}\n")
    assert await source.changed() is None
    with pytest.raises(ConfigError):
        await source.changed()


async def test_a_broken_change_that_is_taken_back_is_no_change(source: ConfigSource, tmp_path: Path) -> None:
    written(tmp_path, "nonsense")
    await source.changed()
    with pytest.raises(ConfigError):
        await source.changed()
    written(tmp_path, UPSTREAMS)
    assert [await source.changed() for _ in range(3)] == [None, None, None]


async def test_a_comment_is_no_change(source: ConfigSource, tmp_path: Path) -> None:
    before = source.current
    written(tmp_path, "# new\n" + UPSTREAMS)
    assert [await source.changed() for _ in range(3)] == [None, None, None]
    assert source.current is before


async def test_a_file_that_is_gone_is_told_once_and_found_again(source: ConfigSource, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").unlink()
    assert await source.changed() is None  # an editor may be renaming
    with pytest.raises(ConfigError, match=r"No such file or directory\. The configuration in force is unchanged"):
        await source.changed()
    assert await source.changed() is None
    written(tmp_path, UPSTREAMS + "cache: {enabled: false}\n")
    await source.changed()
    fresh = await source.changed()
    assert fresh is not None
    assert not fresh.config.cache.enabled


@pytest.mark.parametrize(
    ("text", "place", "key"),
    [("store: sqlite:///b.db\n", "2:8", "store"), ("admin: {listen: 127.0.0.1:9}\n", "2:17", "admin.listen")],
)
async def test_what_needs_a_restart_is_refused(
    source: ConfigSource, tmp_path: Path, text: str, place: str, key: str
) -> None:
    before = source.current
    written(tmp_path, UPSTREAMS + text + "cache: {enabled: false}\n")
    await source.changed()
    with pytest.raises(ConfigError, match=f":{place}: {key} cannot change while the gateway runs: restart it"):
        await source.changed()
    assert source.current is before


def test_a_broken_file_is_refused_from_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        ConfigSource(written(tmp_path, "x"), {})
