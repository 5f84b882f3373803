"""GreyFox's own pages on the proxy's port, with the caller's own key: what is left, and how to connect.

    /greyfox/me                 quotas and own usage of the last 30 days; JSON, or a page for a browser
    /greyfox/connect            the lines that each tool needs; JSON, or a page for a browser
    /greyfox/connect/ca.pem     the CA's certificate

Errors: NoRoute for another path, StoreUnavailable.
"""

import asyncio
import html
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from greyfox_core.clock import Clock
from greyfox_core.connect_lines import connect_lines
from greyfox_core.errors import MethodNotAllowed, NoRoute, Unavailable
from greyfox_core.quota.admission import Admission
from greyfox_core.store.reports import Reports
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Answer
from greyfox_core.values.principal import Principal

USAGE_DAYS = 30
CA_FILE = "mitmproxy-ca-cert.pem"
PLACEHOLDER = "YOUR_GREYFOX_KEY"

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}"
    "pre{background:#f4f4f4;padding:1rem;overflow:auto}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}pre{background:#222}}"
)
SAFE = [
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
]


class Pages:
    """Answers them. `certs` is the folder of the CA."""

    def __init__(self, admission: Admission, reports: Reports, certs: Path, clock: Clock) -> None:
        self._admission = admission
        self._reports = reports
        self._certs = certs
        self._clock = clock

    async def __call__(self, exchange: Exchange) -> Answer:
        """The page that `exchange.own_page` names."""
        who = exchange.principal
        assert who is not None
        if exchange.head.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("GreyFox's own pages take GET only.")
        browser = "text/html" in (exchange.head.get("accept") or "")
        match exchange.own_page:
            case "me":
                facts = await self._me(who)
                return _page("GreyFox · " + who.user, _me_html(facts)) if browser else _json(facts)
            case "connect":
                lines = connect_lines(f"http://{exchange.head.get('host') or '127.0.0.1:8080'}", PLACEHOLDER)
                return _page("GreyFox · connect", _connect_html(lines)) if browser else _json(lines)
            case "connect/ca.pem":
                return await self._ca()
        raise NoRoute("GreyFox's own pages are /greyfox/me, /greyfox/connect and /greyfox/connect/ca.pem.")

    async def _me(self, who: Principal) -> dict[str, Any]:
        now = self._clock.now()
        since = now - timedelta(days=USAGE_DAYS)
        usage = await asyncio.to_thread(self._reports.usage, "model", since, now, user=who.user)
        return {
            "user": who.user,
            "team": who.team,
            "roles": sorted(who.roles),
            "key": who.key_id,
            "models": list(who.models),
            "quotas": await self._admission.show(who),
            "usage": usage,
            "usage_since": since.isoformat(timespec="seconds"),
        }

    async def _ca(self) -> Answer:
        try:
            pem = await asyncio.to_thread((self._certs / CA_FILE).read_bytes)
        except OSError:
            raise Unavailable("The CA's certificate cannot be read.") from None
        return Answer(200, [("content-type", "application/x-pem-file"), *SAFE], pem)


def _json(facts: Any) -> Answer:
    return Answer(200, [("content-type", "application/json"), *SAFE], orjson.dumps(facts, option=orjson.OPT_INDENT_2))


def _page(title: str, body: str) -> Answer:
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>{body}</html>'
    )
    return Answer(200, [("content-type", "text/html; charset=utf-8"), *SAFE], text.encode())


def _me_html(facts: dict[str, Any]) -> str:
    left = _table(
        ("Quota", "Input left", "Output left", "Resets"),
        [
            [
                f"{html.escape(quota['quota'])}<br><small>{html.escape(_subject(quota['subject']))}</small>",
                _left(quota["input_tokens"]),
                _left(quota["output_tokens"]),
                html.escape(quota["resets_at"]),
            ]
            for quota in facts["quotas"]
        ],
        "No quota limits you.",
    )
    columns = ("requests", "input_tokens", "output_tokens", "cache_hits")
    used = _table(
        ("Model", "Requests", "Input", "Output", "From cache"),
        [[html.escape(str(row["model"])), *(f"{row[name]:,}" for name in columns)] for row in facts["usage"]],
        "Nothing yet.",
    )
    team = f", team {html.escape(facts['team'])}" if facts["team"] else ""
    return (
        f"<h1>{html.escape(facts['user'])}{team}</h1><h2>What is left</h2>{left}"
        f"<h2>Used in the last {USAGE_DAYS} days</h2>{used}<p><a href=connect>How to connect</a></p>"
    )


def _table(names: tuple[str, ...], rows: list[list[str]], empty: str) -> str:
    """Cells are HTML already."""
    if not rows:
        return f"<p>{empty}</p>"
    head = "".join(f"<th>{name}" for name in names)
    return f"<table><tr>{head}</tr>" + "".join(f"<tr><td>{'<td>'.join(row)}</tr>" for row in rows) + "</table>"


def _subject(subject: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in subject.items())


def _left(side: dict[str, int] | None) -> str:
    return "unlimited" if side is None else f"{side['remaining']:,}<br><small>of {side['limit']:,}</small>"


def _connect_html(lines: dict[str, list[str]]) -> str:
    blocks = "".join(
        f"<h2>{html.escape(tool)}</h2><pre>{html.escape(chr(10).join(text))}</pre>" for tool, text in lines.items()
    )
    return f"<h1>Connect</h1>{blocks}<p><a href=connect/ca.pem>The CA's certificate</a></p>"
