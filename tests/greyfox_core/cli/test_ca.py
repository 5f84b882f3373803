import ssl
from pathlib import Path

import pytest

from greyfox_core.cli import ca
from tests.greyfox_core.cli.kit import Operator


@pytest.fixture
def with_ca(operator: Operator, certs: Path) -> Operator:
    (operator.folder / "certs").symlink_to(certs)
    return operator


def test_show_tells_the_fingerprint_and_until_when(with_ca: Operator, certs: Path) -> None:
    told = with_ca.ok("ca", "show", "--json").json()
    assert told["file"] == str(with_ca.folder / "certs" / "mitmproxy-ca-cert.pem")
    assert len(told["sha256"].split(":")) == 32
    assert told["sha256"] in with_ca.ok("ca", "show").out


def test_export_prints_the_certificate_and_never_a_key(with_ca: Operator, certs: Path) -> None:
    pem = with_ca.ok("ca", "export").out
    assert pem.strip() == (certs / "mitmproxy-ca-cert.pem").read_text().strip()
    assert with_ca.ok("ca", "export", "--json").json()["pem"].strip() == pem.strip()


def test_not_even_from_a_file_that_holds_one(operator: Operator, certs: Path) -> None:
    (operator.folder / "certs").mkdir()
    (operator.folder / "certs" / "mitmproxy-ca-cert.pem").write_bytes((certs / "mitmproxy-ca.pem").read_bytes())
    assert "PRIVATE KEY" in (certs / "mitmproxy-ca.pem").read_text()
    pem = operator.ok("ca", "export").out
    assert "PRIVATE KEY" not in pem and pem.count("BEGIN CERTIFICATE") == 1


def test_a_bundle_holds_what_the_system_trusts_too(
    with_ca: Operator, certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system.pem"
    system.write_text((certs / "mitmproxy-ca-cert.pem").read_text().strip())  # without a last line break
    monkeypatch.setattr(ca, "SYSTEM_BUNDLES", (str(tmp_path / "none"), str(system)))
    bundle = with_ca.ok("ca", "export", "--bundle").out
    assert bundle.count("-----BEGIN CERTIFICATE-----\n") == 2
    ssl.create_default_context(cadata=bundle)


def test_before_the_first_start_there_is_none(operator: Operator) -> None:
    for words in (["ca", "show"], ["ca", "export"], ["env"]):
        ended = operator(*words)
        assert ended.code == 1 and "first starts" in ended.err
    (operator.folder / "certs").mkdir()
    (operator.folder / "certs" / "mitmproxy-ca-cert.pem").write_text("nonsense")
    assert operator("ca", "show").code == 1
