from pathlib import Path

from greyfox_core.clock import ManualClock
from greyfox_core.quota.ports import Counters, Journal
from greyfox_core.store.open import open_store


def test_the_store_fits_the_ports(tmp_path: Path) -> None:
    store = open_store(tmp_path / "greyfox.db", ManualClock())
    journal: Journal = store.journal  # the type checker holds them against each other
    counters: Counters = store.counters
    assert journal.next_id() < journal.next_id()
    assert counters is store.counters
    store.close()
