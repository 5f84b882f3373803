"""Before the first request and after the last: open the house, keep it shut until it is ready, drain and close it.

A wrong configuration, an unreadable database or a taken port ends the start with one clear line and exit status 1:
mitmproxy does that for every error that is logged before `running` is over.
"""

import contextlib
import gc
import logging
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from mitmproxy import ctx, exceptions
from mitmproxy.addonmanager import Loader

from addons import hook_index, pinned
from addons._flow import House
from addons.last_gate import LastGate
from addons.logs import quiet, speak
from greyfox_core.admin.server import AdminServer
from greyfox_core.app import App
from greyfox_core.errors import ConfigError, StoreUnavailable
from greyfox_core.first_key import welcome
from greyfox_core.tokens.encodings import BrokenData

log = logging.getLogger("greyfox")

LOCAL = "127.0.0.1"
NEEDED: dict[str, Any] = {
    "connection_strategy": "lazy",
    "onboarding": False,
    "validate_inbound_headers": True,
    "flow_detail": 0,
}
"""Options that are set, where this face has them, whatever mitmproxy's own configuration says."""

CONTRADICTING: dict[str, Any] = {
    "mode": ["regular"],
    "server_replay": [],
    "stream_large_bodies": None,
    "body_size_limit": None,
    "proxyauth": None,
    "map_local": [],
    "map_remote": [],
}
"""Options with which requests would be answered or sent past the steps, and the only values that are allowed."""


class Start:
    name = "greyfox.start"

    def __init__(self, house: House) -> None:
        self.house = house
        self._app: App | None = None
        self._admin: AdminServer | None = None
        self._told_last = ""  # what the console's screen would cover

    def load(self, loader: Loader) -> None:
        loader.add_option("greyfox_index", bool, True, "Look hooks up in an index instead of asking every addon.")
        loader.add_option(
            "greyfox_door",
            str,
            "auto",
            "Serve HTTP/1 with flows, without (fast), or as somebody watches them or not.",
            choices=["auto", "flow", "fast"],
        )
        muted = "termlog_verbosity" in ctx.options and ctx.options.termlog_verbosity == "error"  # mitmdump -q
        speak(has_face=loader.master.addons.get("view") is not None, muted=muted)
        config_file = Path(os.environ.get("GREYFOX_CONFIG") or "config.yaml").resolve()
        if _stock_confdir():
            ctx.options.update(confdir=str(config_file.parent / "certs"))
        certs = Path(ctx.options.confdir).expanduser()
        loader.master.addons.add(LastGate(self.house))
        try:
            moved = pinned.check()
            if moved is not None:
                raise ConfigError(f"This version of mitmproxy cannot be used: {moved}.")
            certs.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._app = App.open(config_file, os.environ, certs)
        except (ConfigError, StoreUnavailable, OSError) as error:
            log.error("greyfox: %s", error)
        else:
            self.house.take_limits(self._app.rules.config.limits)
            self._app.on_limits = self.house.take_limits
            self._app.on_revoked = self.house.end_tunnels
            ctx.options.update(**{name: value for name, value in NEEDED.items() if name in ctx.options})

    def configure(self, updated: set[str]) -> None:
        self.house.watchers.forget()
        for name in updated & CONTRADICTING.keys():
            if getattr(ctx.options, name) != CONTRADICTING[name]:
                problem = f"greyfox: mitmproxy's option {name} goes past GreyFox: leave it unset."
                if self.house.app is not None:  # set from mitmweb or the console: mitmproxy puts it back
                    raise exceptions.OptionsError(problem)
                log.error(problem)

    async def running(self) -> None:
        if self._app is None:
            return
        _stop_watching_script()
        addons = ctx.master.addons
        self.house.proxyserver = addons.get("proxyserver")
        self.house.built_in_next_layer = addons.get("nextlayer").next_layer
        self.house.view = addons.get("view")
        try:
            await self._app.start()
            config = self._app.rules.config.admin
            self._admin = AdminServer(config.listen, self._app.why_not_ready, self._app.metrics, hosts=config.hosts)
            await self._admin.start()
        except (ConfigError, StoreUnavailable, BrokenData) as error:
            log.error("greyfox: %s", error)
            return
        if ctx.options.greyfox_index:
            hook_index.install(addons)
        quiet(has_face=self.house.view is not None)
        if not ctx.options.listen_host:
            await self._listen_locally()
        self.house.app = self._app
        self._app.ready()
        self._greet()
        gc.collect()
        gc.freeze()  # what is there now stays: the collector need not look at it for every few hundred requests

    async def done(self) -> None:
        """mitmproxy waits for this; streams go on meanwhile. Async also for another reason.

        It makes a reload of the script abort.
        """
        app = self._app
        if app is None:
            return
        if self._told_last:
            # The console's screen is closed by now. Its terminal may be gone too: what is under way is drained even so.
            with contextlib.suppress(OSError):
                sys.stdout.write(self._told_last)
                sys.stdout.flush()
        self.house.draining = True
        if self.house.proxyserver is not None and self.house.app is not None:
            await self.house.proxyserver.servers.update([])
            await app.drain()
        self.house.app = self._app = None
        await self.house.watchman.stop()
        await app.close()
        if self._admin is not None:
            await self._admin.stop()

    async def _listen_locally(self) -> None:
        """mitmproxy listens on all addresses unless told otherwise; a gateway with keys must be told to."""
        ctx.options.update(listen_host=LOCAL)
        server = self.house.proxyserver
        if server is not None:
            await server.servers.update([])
            await server.setup_servers()

    def _greet(self) -> None:
        assert self._app is not None and self.house.proxyserver is not None
        addresses = self.house.proxyserver.listen_addrs()
        host, port = (addresses[0][0], addresses[0][1]) if addresses else (LOCAL, 8080)
        shown = LOCAL if host in ("0.0.0.0", "::", "") else host
        address = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
        first, self._app.first_key = self._app.first_key, None
        if first is not None:
            text = welcome(first, address, typed_command())
            if ctx.master.addons.get("consoleaddon") is not None:
                self._told_last = text
                log.warning("Your first key is shown when you quit: this screen would cover it.")
            else:
                sys.stdout.write(text)
                sys.stdout.flush()
        log.info("listening on %s", address)


def typed_command() -> str:
    """How a reader types `greyfox`: its name where that is found, else its path, from here where it lies below."""
    beside = shutil.which("greyfox", path=str(Path(sys.executable).parent))
    if shutil.which("greyfox") is not None or beside is None:
        return "greyfox"
    path, here = Path(beside), Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _stop_watching_script() -> None:
    """mitmproxy reloads a script whose file changes, and runs on without it where that fails: an open proxy."""
    loader = ctx.master.addons.get("scriptloader")
    for script in loader.addons if loader is not None else ():
        if script.reloadtask is not None:
            script.reloadtask.cancel()


def _stock_confdir() -> bool:
    return Path(ctx.options.confdir).expanduser() == Path("~/.mitmproxy").expanduser()
