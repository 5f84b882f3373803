"""`greyfox me`: a caller's own view, asked of the running gateway with the caller's key."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from greyfox_core.cli.desk import ADDRESS, KEY, ConfigFile, Failed, Json, desk_of
from greyfox_core.cli.quota import write_quotas
from greyfox_core.cli.render import shown, write, write_json
from greyfox_core.cli.usage import write_usage

TIMEOUT = 10.0  # seconds
LARGEST = 10_000_000  # bytes


def me(
    context: typer.Context,
    key: Annotated[str | None, typer.Option("--key", metavar="KEY", help=f"the key; better in {KEY}")] = None,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="where the gateway is")] = ADDRESS,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Ask the gateway what is left of your own quotas. And when they reset, and what you used.

    Example: GREYFOX_KEY=gf_… greyfox me
    Exit status: 0 shown, 1 gateway not reachable or key not valid, 2 wrong usage
    """
    desk = desk_of(context)
    key = key or desk.environ.get(KEY)
    if not key:
        raise typer.BadParameter(f"give a key by --key or in {KEY}", param_hint="--key")
    if not key.isascii() or not key.isprintable():
        raise typer.BadParameter("that is no key", param_hint="--key")
    if urlsplit(url).scheme not in ("http", "https"):
        raise typer.BadParameter("an address such as http://127.0.0.1:8080", param_hint="--url")
    facts = _ask(url.rstrip("/") + "/greyfox/me", key)
    if as_json:
        write_json(facts)
        return
    team = f", team {facts['team']}" if facts["team"] else ""
    write(shown(f"{facts['user']}{team}, key {facts['key']}"))
    write("")
    write_quotas(facts["quotas"], desk.now())
    write("")
    write_usage(facts["usage"], "model")


def _ask(url: str, key: str) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}", "accept": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # straight to the gateway
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            facts = json.loads(answer.read(LARGEST))
    except urllib.error.HTTPError as error:
        with error:
            raise Failed(_refusal(error)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Failed(f"{url}: no answer from a gateway ({reason}); is it running?") from None
    if not isinstance(facts, dict):
        raise Failed(f"{url}: that is no gateway")
    return facts


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(LARGEST))["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered with status {error.code}"
