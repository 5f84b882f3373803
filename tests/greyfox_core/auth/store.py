"""A store of keys in memory, for the tests of identity. It can be told to know nothing, and to fail."""

from dataclasses import replace
from datetime import datetime

from greyfox_core.auth.keys import KeyRecord
from greyfox_core.auth.ports import UNKNOWN, Unknown
from greyfox_core.errors import StoreUnavailable


class MemoryKeys:
    """`remembers` is whether memory answers; `down` whether the database does not. `asked` counts its look-ups."""

    def __init__(self) -> None:
        self.records: dict[bytes, KeyRecord] = {}
        self.remembers = True
        self.down = False
        self.asked = 0
        self.epoch = 0

    def cached(self, digest: bytes) -> KeyRecord | Unknown | None:
        return self.records.get(digest) if self.remembers else UNKNOWN

    async def by_digest(self, digest: bytes) -> KeyRecord | None:
        self.asked += 1
        if self.down:
            raise StoreUnavailable("The database does not answer.")
        return self.records.get(digest)

    async def add(self, record: KeyRecord) -> None:
        self.records[record.digest] = record
        self.epoch += 1

    async def list(self) -> tuple[KeyRecord, ...]:
        return tuple(self.records.values())

    async def revoke(self, key_id: str, now: datetime) -> bool:
        for digest, record in self.records.items():
            if record.id == key_id:
                self.records[digest] = replace(record, revoked_at=record.revoked_at or now)
                self.epoch += 1
                return True
        return False
