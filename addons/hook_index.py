"""An index from a hook's name to the callables that exist, in place of a walk over all addons for every event.

Stock mitmproxy asks some 35 addons for each of about nine events a request, and twice for those that carry a flow.
What is called, in which order, and what happens to errors stays exactly as in `mitmproxy.addonmanager.AddonManager`;
the index is built on first use and dropped whenever the chain changes. `--set greyfox_index=false` leaves the stock
manager in place.
"""

import inspect
import types
from collections.abc import Callable
from functools import partial
from typing import Any

from mitmproxy import exceptions, flow, hooks
from mitmproxy.addonmanager import AddonManager, safecall, traverse

Group = tuple[Callable[..., Any], ...]
"""The callables of one top-level addon: an error in one skips the rest of its group, never another group."""


class IndexedAddonManager(AddonManager):
    """Takes the place of a running `AddonManager`: see `install`."""

    _groups: dict[str, tuple[Group, ...]]

    def register(self, addon: Any) -> Any:
        self._groups.clear()
        registered = super().register(addon)
        self._groups.clear()
        return registered

    def add(self, *addons: Any) -> None:
        super().add(*addons)
        self._groups.clear()

    def remove(self, addon: Any) -> None:
        super().remove(addon)
        self._groups.clear()

    def clear(self) -> None:
        super().clear()
        self._groups.clear()

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        await self.trigger_event(event)
        message = event.args()[0]
        if isinstance(message, flow.Flow) and self._of("update"):
            await self.trigger_event(hooks.UpdateHook([message]))

    async def trigger_event(self, event: hooks.Hook) -> None:
        arguments = event.args()
        for group in self._of(event.name):
            try:
                for hook in group:
                    waiting = hook(*arguments)
                    if waiting is not None and inspect.isawaitable(waiting):
                        await waiting
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception:
                with safecall():  # the stock manager's own report
                    raise

    def _of(self, name: str) -> tuple[Group, ...]:
        groups = self._groups.get(name)
        if groups is None:
            found = (_hooks_of(addon, name) for addon in self.chain)
            groups = self._groups[name] = tuple(group for group in found if group)
        return groups


def install(manager: AddonManager) -> None:
    """Turn a running manager into an indexed one.

    The object stays the same, so that whoever holds it sees the change.
    """
    manager.__class__ = IndexedAddonManager
    manager._groups = {}  # type: ignore[attr-defined]


def _hooks_of(addon: Any, name: str) -> Group:
    found = []
    for part in traverse([addon]):
        hook = getattr(part, name, None)
        if not hook or isinstance(hook, types.ModuleType):
            continue
        found.append(hook if callable(hook) else partial(_not_callable, name, part))
    return tuple(found)


def _not_callable(name: str, part: Any, *arguments: Any) -> None:
    raise exceptions.AddonManagerError(f"Addon handler {name} ({part}) not callable")
