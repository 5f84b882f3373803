import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.auth.keys import (
    KeyRecord,
    digest_of,
    load_pepper,
    new_id,
    new_key,
    pepper_file,
    well_formed,
)
from greyfox_core.errors import ConfigError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = new_key(lambda n: bytes(range(n)))


def record(**changes: object) -> KeyRecord:
    facts: dict[str, object] = {"id": "key_a", "digest": b"d" * 32, "pepper_version": 1, "name": None, "user": "alice"}
    facts |= {"team": None, "roles": frozenset(), "models": (), "created_at": NOW}
    return KeyRecord(**(facts | changes))  # type: ignore[arg-type]


@given(st.binary(min_size=32, max_size=32))
def test_every_new_key_is_well_formed_and_carries_all_its_random_bits(random: bytes) -> None:
    key = new_key(lambda n: random[:n])
    assert len(key) == 46 and key.startswith("gf_")
    assert well_formed(key)
    assert new_key(lambda n: bytes(n)) != key or random == bytes(32)


def test_ids_and_keys_do_not_repeat() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(one) == len("key_") + 12 and one.isascii() and one == one.lower() for one in ids)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "gf_",
        KEY[:-1],
        KEY + "A",
        KEY.upper(),
        KEY.replace("gf_", "sk_"),
        KEY[:10] + " " + KEY[11:],
        KEY + "\r\n",
        KEY + "\n",
        " " + KEY,
        "gf_" + "A" * 65_536,
        KEY[:-1] + "B",  # bits that no 32 bytes leave set
    ],
)
def test_what_cannot_be_a_key_needs_no_look_up(bad: str) -> None:
    assert not well_formed(bad)


def test_a_digest_needs_the_pepper() -> None:
    one, other = digest_of(KEY, b"p" * 32), digest_of(KEY, b"q" * 32)
    assert len(one) == 32
    assert one != other
    assert one == digest_of(KEY, b"p" * 32)
    assert KEY.encode() not in one


def test_a_record_shows_no_digest() -> None:
    assert "dddd" not in repr(record())


def test_a_key_holds_until_the_moment_it_expires() -> None:
    assert record().usable(NOW)
    assert record(expires_at=NOW + timedelta(microseconds=1)).usable(NOW)
    assert not record(expires_at=NOW).usable(NOW)
    assert not record(revoked_at=NOW).usable(NOW)


class TestPepper:
    def test_it_is_made_once_beside_the_database_for_the_owner_alone(self, tmp_path: Path) -> None:
        path = pepper_file(tmp_path / "greyfox.db")
        assert path == tmp_path / "greyfox.db.pepper"
        first = load_pepper(path, create=True)
        assert len(first) == 32
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert load_pepper(path, create=True) == first == load_pepper(path, create=False)
        assert list(tmp_path.iterdir()) == [path]  # nothing temporary is left

    def test_the_second_of_two_makers_gets_the_first_ones(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "p"
        first = load_pepper(path, create=True)
        monkeypatch.setattr(Path, "exists", lambda self: False)  # it looked before the first one was done
        assert load_pepper(path, create=True) == first

    def test_a_missing_one_is_never_replaced_silently(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="missing"):
            load_pepper(tmp_path / "p", create=False)
        assert not (tmp_path / "p").exists()

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
    def test_one_that_others_may_read_is_refused(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "p"
        load_pepper(path, create=True)
        path.chmod(mode)
        with pytest.raises(ConfigError, match="chmod 600"):
            load_pepper(path, create=True)

    @pytest.mark.parametrize("size", [0, 31, 33, 5000])
    def test_a_damaged_one_is_refused(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "p"
        path.write_bytes(bytes(size))
        path.chmod(0o600)
        with pytest.raises(ConfigError, match="damaged"):
            load_pepper(path, create=True)

    def test_a_folder_without_room_for_it_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot make"):
            load_pepper(tmp_path / "none" / "p", create=True)

    def test_something_else_in_its_place_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "p").symlink_to("p")
        with pytest.raises(ConfigError, match="not readable"):
            load_pepper(tmp_path / "p", create=False)
