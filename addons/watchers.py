"""Who listens to an answer: nobody, under plain mitmdump, and then its hooks are left out.

A hook costs a task and a walk over its listeners. mitmproxy's own listeners to an answer's head and end have nothing
to do unless an option says so; whoever else listens (mitmweb, the console, another script, `-w`) is told as always.
"""

from collections.abc import Iterator
from typing import Any

from mitmproxy import ctx
from mitmproxy.addonmanager import traverse

IDLE: dict[str, str | None] = {
    "mitmproxy.addons.dumper": "flow_detail",
    "mitmproxy.addons.modifybody": "modify_body",
    "mitmproxy.addons.modifyheaders": "modify_headers",
    "mitmproxy.addons.save": "save_stream_file",
    "mitmproxy.addons.savehar": "hardump",
    "mitmproxy.addons.server_side_events": None,
    "mitmproxy.addons.stickycookie": "stickycookie",
    "mitmproxy.addons.update_alt_svc": None,
}
"""mitmproxy's own listeners by module, and the option that gives each something to do."""


class Watchers:
    """Remembers, until `forget` is called."""

    def __init__(self) -> None:
        self._watched: dict[str, bool] = {}

    def forget(self) -> None:
        """mitmproxy's options have changed, and with them perhaps the scripts."""
        self._watched.clear()

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
    if module not in IDLE:
        return True
    option = IDLE[module]
    return option is not None and bool(getattr(ctx.options, option))
