"""`greyfox env`: what a developer's machine needs to go through the gateway."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import typer

from greyfox_core.cli.ca import certificate_pem, system_bundle
from greyfox_core.cli.desk import ADDRESS, CA_CERTIFICATE, ConfigFile, Json, desk_of
from greyfox_core.cli.render import write, write_json

BUNDLE = "greyfox-bundle.pem"


class Shell(StrEnum):
    """Whose syntax the lines have."""

    SH = "sh"
    FISH = "fish"
    POWERSHELL = "powershell"


LINES = {
    Shell.SH: 'export {name}="{value}"',
    Shell.FISH: 'set -gx {name} "{value}"',
    Shell.POWERSHELL: '$env:{name} = "{value}"',
}
KEY_OF_SHELL = {Shell.SH: "$GREYFOX_KEY", Shell.FISH: "$GREYFOX_KEY", Shell.POWERSHELL: "$($env:GREYFOX_KEY)"}


def env(
    context: typer.Context,
    shell: Annotated[Shell, typer.Option("--shell", help="whose syntax")] = Shell.SH,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="where the gateway is")] = ADDRESS,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Print the lines for HTTPS_PROXY and the CA. They send this machine's LLM traffic through the gateway.

    The key is taken from GREYFOX_KEY when the lines run, so they hold no secret. Programs that take one file of trusted
    certificates get one beside the CA's, made anew by this command: the system's own and the gateway's.

    Example: export GREYFOX_KEY=gf_…; eval "$(greyfox env)"
    Exit status: 0 printed, 1 there is no CA yet, 2 wrong usage
    """
    desk = desk_of(context)
    address = urlsplit(url)
    if address.scheme != "http" or not address.netloc or address.path.strip("/") or "@" in address.netloc:
        raise typer.BadParameter("an address such as http://127.0.0.1:8080", param_hint="--url")
    certs = desk.certs(config)
    pem = certificate_pem(certs / CA_CERTIFICATE)
    bundle = certs / BUNDLE
    bundle.write_text(system_bundle() + pem, encoding="utf-8")
    proxy = f"http://greyfox:{{key}}@{address.netloc}"
    values = {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "no_proxy": "localhost,127.0.0.1,::1",
        "SSL_CERT_FILE": str(bundle),
        "REQUESTS_CA_BUNDLE": str(bundle),
        "NODE_EXTRA_CA_CERTS": str(certs / CA_CERTIFICATE),
        "NODE_USE_ENV_PROXY": "1",
    }
    if as_json:
        write_json({name: value.replace("{key}", KEY_OF_SHELL[Shell.SH]) for name, value in values.items()})
        return
    for name, value in values.items():
        if shell is Shell.POWERSHELL and name.islower():
            continue  # names of variables have no case there
        write(LINES[shell].format(name=name, value=value.replace("{key}", KEY_OF_SHELL[shell])))
