from pathlib import Path

from greyfox_core.auth.ports import UNKNOWN, KeyStore
from greyfox_core.clock import ManualClock
from greyfox_core.store.open import open_store


def test_the_store_offers_what_identity_needs(tmp_path: Path) -> None:
    store = open_store(tmp_path / "greyfox.db", ManualClock(), exclusive=False)
    try:
        keys: KeyStore = store.keys
        assert keys.cached(bytes(32)) in (UNKNOWN, None)
    finally:
        store.close()
