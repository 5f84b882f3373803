"""Who listens to flows: nobody, under plain mitmdump. Then hooks are left out, or no flow is made at all.

A hook costs a task and a walk over its listeners. mitmproxy's own listeners have nothing to do unless an option says
so; whoever else listens (mitmweb, the console, another script, `-w`) is told as always.
"""

from collections.abc import Iterator
from typing import Any

from mitmproxy import ctx
from mitmproxy.addonmanager import traverse

IDLE: dict[str, tuple[str, ...]] = {
    "mitmproxy.addons.anticache": ("anticache",),
    "mitmproxy.addons.anticomp": ("anticomp",),
    "mitmproxy.addons.blocklist": ("block_list",),
    "mitmproxy.addons.disable_h2c": (),
    "mitmproxy.addons.dumper": ("flow_detail",),
    "mitmproxy.addons.maplocal": ("map_local",),
    "mitmproxy.addons.mapremote": ("map_remote",),
    "mitmproxy.addons.modifybody": ("modify_body",),
    "mitmproxy.addons.modifyheaders": ("modify_headers",),
    "mitmproxy.addons.onboarding": ("onboarding",),
    "mitmproxy.addons.proxyauth": ("proxyauth",),
    "mitmproxy.addons.save": ("save_stream_file",),
    "mitmproxy.addons.savehar": ("hardump",),
    "mitmproxy.addons.server_side_events": (),
    "mitmproxy.addons.serverplayback": ("server_replay",),
    "mitmproxy.addons.stickyauth": ("stickyauth",),
    "mitmproxy.addons.stickycookie": ("stickycookie",),
    "mitmproxy.addons.tlsconfig": (),
    "mitmproxy.addons.update_alt_svc": (),
    "mitmproxy.addons.upstream_auth": ("upstream_auth",),
}
"""mitmproxy's own listeners by module, and the options that give each something to do with a request of ours."""

FLOW_HOOKS = ("requestheaders", "request", "responseheaders", "response", "error", "update")
REPLAYING = ("client_replay", "rfile")
OUR_OWN = "addons."


class Watchers:
    """Remembers, until `forget` is called."""

    def __init__(self) -> None:
        self._watched: dict[str, bool] = {}

    def forget(self) -> None:
        """mitmproxy's options have changed, and with them perhaps the scripts."""
        self._watched.clear()

    def nobody_needs_flows(self) -> bool:
        """Whether requests may be served without flows: nobody listens to them, or the operator wants it so."""
        none = self._watched.get("flows")
        if none is None:
            wanted = ctx.options.greyfox_door
            none = wanted == "fast" or (wanted == "auto" and not self._flows_are_wanted())
            self._watched["flows"] = none
        return none

    def _flows_are_wanted(self) -> bool:
        if any(name in ctx.options and getattr(ctx.options, name) for name in REPLAYING):
            return True
        listening = (module for hook in FLOW_HOOKS for module in _listeners(hook))
        return any(not module.startswith(OUR_OWN) and _busy(module) for module in listening)

    def of(self, hook: str, *, own: str = "") -> bool:
        """Whether anybody needs to be told by `hook`; `own` is the module of a listener that is told otherwise."""
        watched = self._watched.get(hook)
        if watched is None:
            watched = self._watched[hook] = any(module != own and _busy(module) for module in _listeners(hook))
        return watched


def _listeners(hook: str) -> Iterator[str]:
    return (type(addon).__module__ for addon in traverse(ctx.master.addons.chain) if _listens(addon, hook))


def _listens(addon: Any, hook: str) -> bool:
    return callable(getattr(addon, hook, None))


def _busy(module: str) -> bool:
    return module not in IDLE or any(getattr(ctx.options, option) for option in IDLE[module])
