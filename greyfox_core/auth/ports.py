"""What identity needs from a store.

Errors:  StoreUnavailable from everything that waits, never a driver's exception.
"""

from datetime import datetime
from enum import Enum
from typing import Final, Literal, Protocol

from greyfox_core.auth.keys import KeyRecord


class _Unknown(Enum):
    UNKNOWN = "unknown"


type Unknown = Literal[_Unknown.UNKNOWN]
"""Memory cannot tell: ask the store."""

UNKNOWN: Final = _Unknown.UNKNOWN


class KeyStore(Protocol):
    """The virtual keys. Records are values: a changed key is another record, never the same one changed."""

    @property
    def epoch(self) -> int:
        """Grows with every change of a key that this process has learnt of."""
        ...

    def cached(self, digest: bytes) -> KeyRecord | Unknown | None:
        """The key by memory alone, revoked and expired ones too; None where it is known that there is none.

        UNKNOWN where memory does not know, and for every digest once nobody has looked for changes by other processes
        during a second: a revocation holds within that time.
        """
        ...

    async def by_digest(self, digest: bytes) -> KeyRecord | None:
        """The key as the database has it; afterwards `cached` knows it too."""
        ...

    async def add(self, record: KeyRecord) -> None:
        """Durable on return."""
        ...

    async def list(self) -> tuple[KeyRecord, ...]:
        """Every key, revoked and expired ones too, oldest first."""
        ...

    async def revoke(self, key_id: str, now: datetime) -> bool:
        """Durable on return. A key that is revoked already keeps its first moment. False where there is no such key."""
        ...
