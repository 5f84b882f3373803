import subprocess
from pathlib import Path

import pytest

from tests.greyfox_core.cli.kit import Operator


@pytest.fixture
def with_ca(operator: Operator, certs: Path) -> Operator:
    folder = operator.folder / "certs"
    folder.mkdir()
    (folder / "mitmproxy-ca-cert.pem").write_bytes((certs / "mitmproxy-ca-cert.pem").read_bytes())
    return operator


def test_a_shell_understands_the_lines(with_ca: Operator) -> None:
    lines = with_ca.ok("env", "--url", "http://gateway:9000").out
    script = f'{lines}\nprintf \'%s %s\' "$HTTPS_PROXY" "$NODE_EXTRA_CA_CERTS"'
    told = subprocess.run(["sh", "-c", script], env={"GREYFOX_KEY": "gf_x"}, capture_output=True, text=True, check=True)
    ca = with_ca.folder / "certs" / "mitmproxy-ca-cert.pem"
    assert told.stdout == f"http://greyfox:gf_x@gateway:9000 {ca}"


def test_other_shells_have_their_own_syntax(with_ca: Operator) -> None:
    assert (
        'set -gx HTTPS_PROXY "http://greyfox:$GREYFOX_KEY@127.0.0.1:8080"' in with_ca.ok("env", "--shell", "fish").out
    )
    power = with_ca.ok("env", "--shell", "powershell").out
    assert '$env:HTTPS_PROXY = "http://greyfox:$($env:GREYFOX_KEY)@127.0.0.1:8080"' in power
    assert "https_proxy" not in power
    assert with_ca("env", "--shell", "tcsh").code == 2


def test_the_bundle_that_the_lines_name_is_there(with_ca: Operator) -> None:
    told = with_ca.ok("env", "--json").json()
    bundle = Path(told["SSL_CERT_FILE"]).read_text()
    assert (with_ca.folder / "certs" / "mitmproxy-ca-cert.pem").read_text().strip() in bundle
    assert bundle.count("BEGIN CERTIFICATE") > 1


def test_no_secret_is_in_the_lines(with_ca: Operator) -> None:
    with_ca.environ["GREYFOX_KEY"] = "gf_secret"
    assert "gf_secret" not in with_ca.ok("env").out


@pytest.mark.parametrize(
    "url", ["gateway", "https://gateway", "http://", "http://a:b@gateway", "http://gateway/x", "file:///x"]
)
def test_wrong_addresses(with_ca: Operator, url: str) -> None:
    assert with_ca("env", "--url", url).code == 2
