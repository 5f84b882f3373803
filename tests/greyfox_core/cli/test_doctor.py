import shutil
import socket
import sqlite3
from pathlib import Path

from tests.greyfox_core.cli.kit import Operator


def states(operator: Operator, code: int = 0) -> dict[str, str]:
    ended = operator("doctor", "--json")
    assert ended.code == code, ended.out
    return {row["check"]: row["state"] for row in ended.json()}


def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(operator: Operator) -> None:
    before = sorted(operator.folder.iterdir())
    told = states(operator)
    assert told["Python"] == "ok"
    assert told["database"] == told["CA"] == told["upstream keys"] == "note"
    assert sorted(operator.folder.iterdir()) == before


def test_a_house_in_order(operator: Operator, certs: Path) -> None:
    operator.environ["OPENAI_API_KEY"] = "k"
    operator.ok("key", "create", "--user", "alice")
    shutil.copytree(certs, operator.folder / "certs")
    told = states(operator)
    for check in ("configuration", "upstream keys", "database", "database's mode", "virtual keys", "CA", "CA's key"):
        assert told[check] == "ok", check
    assert "virtual keys" in operator.ok("doctor").out


def test_a_broken_configuration(operator: Operator) -> None:
    operator.config.write_text("upstreams: 5\n")
    assert states(operator, 1)["configuration"] == "failed"


def test_what_others_may_read(operator: Operator, certs: Path) -> None:
    operator.ok("key", "create", "--user", "alice")
    shutil.copytree(certs, operator.folder / "certs")
    for file in ("greyfox.db.pepper", "greyfox.db", "certs/mitmproxy-ca.pem"):
        (operator.folder / file).chmod(0o644)
    told = states(operator, 1)
    assert told["virtual keys"] == told["database's mode"] == told["CA's key"] == "failed"
    ended = operator("doctor")
    assert ended.code == 1 and "chmod 600" in ended.out


def test_a_lost_pepper(operator: Operator) -> None:
    operator.ok("key", "create", "--user", "alice")
    (operator.folder / "greyfox.db.pepper").unlink()
    assert states(operator, 1)["virtual keys"] == "failed"


def test_a_damaged_database_and_one_whose_sums_are_wrong(operator: Operator) -> None:
    operator.asks("alice", [])
    with sqlite3.connect(operator.database) as database:
        database.execute("UPDATE counters SET reserved_output = 99")
    database.close()
    assert states(operator, 1)["database"] == "failed"
    operator.database.write_bytes(b"nonsense")
    assert states(operator, 1)["database"] == "failed"


def test_an_expired_ca(operator: Operator, certs: Path) -> None:
    shutil.copytree(certs, operator.folder / "certs")
    operator.clock.advance(20 * 365 * 86_400)
    assert states(operator, 1)["CA"] == "failed"
    (operator.folder / "certs" / "mitmproxy-ca-cert.pem").write_text("nonsense")
    assert states(operator, 1)["CA"] == "failed"


def test_a_port_in_use_is_noted(operator: Operator) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        operator.config.write_text(operator.config.read_text() + f"admin: {{listen: 127.0.0.1:{port}}}\n")
        assert states(operator)["admin port"] == "note"
