"""`greyfox ca`: the certificate that clients of HTTPS_PROXY have to trust. Its key never leaves the folder."""

import ssl
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from greyfox_core.cli.desk import CA_CERTIFICATE, ConfigFile, Failed, Json, desk_of
from greyfox_core.cli.help import group
from greyfox_core.cli.render import write, write_json, write_table
from greyfox_core.cli.when import rfc3339

# Where systems keep the certificates that they trust, in one file.
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, OpenBSD, Alpine
)


def commands() -> typer.Typer:
    """The noun."""
    return group("The certificate authority.", {"show": show, "export": export})


def show(context: typer.Context, as_json: Json = False, config: ConfigFile = None) -> None:
    """Show the CA's certificate: whose it is, until when it holds, its fingerprint.

    Example: greyfox ca show
    Exit status: 0 shown, 1 there is none yet, 2 wrong usage
    """
    file = desk_of(context).certs(config) / CA_CERTIFICATE
    certificate = read_certificate(file)
    facts = {
        "file": str(file),
        "subject": certificate.subject.rfc4514_string(),
        "valid_from": rfc3339(certificate.not_valid_before_utc),
        "valid_until": rfc3339(certificate.not_valid_after_utc),
        "sha256": certificate.fingerprint(SHA256()).hex(":").upper(),
    }
    if as_json:
        write_json(facts)
    else:
        write_table(("CA", ""), list(facts.items()))


def export(
    context: typer.Context,
    bundle: Annotated[bool, typer.Option("--bundle", help="with the certificates that this system trusts")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Print the CA's certificate as PEM. Only the certificate: its key is never printed.

    With --bundle it stands beside the system's own, for programs that take one file instead of the system's.

    Example: greyfox ca export > greyfox-ca.pem
    Exit status: 0 printed, 1 there is none yet, 2 wrong usage
    """
    pem = certificate_pem(desk_of(context).certs(config) / CA_CERTIFICATE)
    if bundle:
        pem = system_bundle() + pem
    if as_json:
        write_json({"pem": pem})
    else:
        write(pem.rstrip("\n"))


def read_certificate(file: Path) -> x509.Certificate:
    """The first certificate in the file. Raises Failed."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except FileNotFoundError:
        raise Failed(f"{file}: there is no CA yet; the gateway makes it when it first starts (greyfox run)") from None
    except ValueError:
        raise Failed(f"{file}: no certificate in PEM form") from None


def certificate_pem(file: Path) -> str:
    """The certificate written anew: nothing else that the file may hold gets out."""
    return read_certificate(file).public_bytes(Encoding.PEM).decode()


def system_bundle() -> str:
    """What this system trusts, as PEM. Raises Failed where it cannot be found."""
    named = ssl.get_default_verify_paths().cafile
    for place in (*SYSTEM_BUNDLES, *([named] if named else [])):
        file = Path(place)
        if file.is_file():
            return file.read_text(encoding="utf-8", errors="replace").rstrip("\n") + "\n"
    raise Failed("the file of certificates that this system trusts was not found")
