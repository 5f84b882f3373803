from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from greyfox_core.auth.keys import KeyRecord
from greyfox_core.auth.ports import UNKNOWN, KeyStore
from greyfox_core.errors import StoreUnavailable
from greyfox_core.store.open import open_store
from tests.greyfox_core.quota.house import NOON, house


def key(id_: str = "key_a", digest: bytes = b"a" * 32, **words: Any) -> KeyRecord:
    return KeyRecord(
        **{
            "id": id_,
            "digest": digest,
            "pepper_version": 1,
            "name": "laptop",
            "user": "alice",
            "team": "core",
            "roles": frozenset({"developer", "admin"}),
            "models": ("gpt-4o*",),
            "created_at": NOON,
            "expires_at": NOON + timedelta(days=30),
            **words,
        }
    )


async def test_a_key_comes_back_as_it_went_in(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        keys: KeyStore = one.store.keys
        await keys.add(key())
        await keys.add(key("key_b", b"b" * 32, team=None, name=None, roles=frozenset(), models=(), expires_at=None))
        assert await keys.by_digest(b"a" * 32) == key()
        assert await keys.by_digest(b"x" * 32) is None
        assert [record.id for record in await keys.list()] == ["key_a", "key_b"]
        assert (await keys.list())[0] == key()


async def test_a_key_is_added_once(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await one.store.keys.add(key())
        for again in (key(digest=b"c" * 32), key("key_c")):
            with pytest.raises(ValueError, match="exists already"):
                await one.store.keys.add(again)


async def test_memory_answers_while_changes_are_looked_for_and_not_longer(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        keys = one.store.keys
        await keys.add(key())
        assert keys.cached(b"a" * 32) is UNKNOWN  # nobody has looked yet
        await one.store.changes()
        assert keys.cached(b"a" * 32) == key()
        assert keys.cached(b"x" * 32) is UNKNOWN
        await keys.by_digest(b"x" * 32)
        assert keys.cached(b"x" * 32) is None
        one.clock.advance(1.01)
        assert keys.cached(b"a" * 32) is UNKNOWN
        assert keys.cached(b"x" * 32) is UNKNOWN
        await one.store.changes()
        assert keys.cached(b"a" * 32) == key()
        assert keys.cached(b"x" * 32) is UNKNOWN  # by now it may have been made


async def test_what_another_process_does_is_known_at_the_next_look(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        keys = one.store.keys
        await one.store.changes()
        await keys.by_digest(b"a" * 32)
        epoch = keys.epoch
        beside = open_store(one.path, one.clock, exclusive=False)
        await beside.keys.add(key())
        await one.store.changes()
        assert keys.cached(b"a" * 32) == key()
        assert keys.epoch > epoch
        epoch = keys.epoch
        assert await beside.keys.revoke("key_a", NOON)
        await one.store.changes()
        assert keys.cached(b"a" * 32) == key(revoked_at=NOON)
        assert keys.epoch > epoch
        epoch = keys.epoch
        await one.store.changes()
        assert keys.epoch == epoch
        beside.close()


async def test_a_key_that_is_revoked_keeps_its_first_moment(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        keys = one.store.keys
        await keys.add(key())
        await one.store.changes()
        assert await keys.revoke("key_a", NOON)
        assert keys.cached(b"a" * 32) == key(revoked_at=NOON)
        assert await keys.revoke("key_a", NOON + timedelta(days=1))
        assert await keys.by_digest(b"a" * 32) == key(revoked_at=NOON)
        assert not await keys.revoke("key_z", NOON)


async def test_dead_are_those_that_were_revoked_or_have_expired_by_now(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        keys = one.store.keys
        soon, later = NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)
        await keys.add(key("key_a", b"a" * 32, expires_at=soon))
        await keys.add(key("key_b", b"b" * 32, expires_at=later))
        await keys.add(key("key_c", b"c" * 32, expires_at=None))
        assert keys.dead(NOON) == frozenset()
        assert keys.dead(soon) == {"key_a"}
        assert keys.dead(NOON) == frozenset()  # a clock that was set back
        assert keys.dead(later) == {"key_a", "key_b"}
        await keys.revoke("key_c", later)
        assert keys.dead(later) == {"key_a", "key_b", "key_c"}
        await keys.add(key("key_d", b"d" * 32, expires_at=soon))
        assert keys.dead(soon) == {"key_a", "key_c", "key_d"}


async def test_without_the_database_nobody_is_known(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        away = one.path.with_name("away.db")
        one.path.rename(away)
        with pytest.raises(StoreUnavailable):
            await one.store.keys.by_digest(b"a" * 32)
        assert not one.path.exists()  # never made anew
        away.rename(one.path)
