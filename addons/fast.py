"""The fast door's two hooks: what its layers wait for. The steps themselves are `FastDoor`'s."""

import asyncio
from dataclasses import dataclass

from mitmproxy.proxy import commands

from addons.fast_door import Call, FastDoor


@dataclass
class GfServeHook(commands.StartHook):
    """Wait for `data.task`. mitmproxy derives the hook's name: gf_serve."""

    data: Call


@dataclass
class GfPieceHook(commands.StartHook):
    """Fetch `data.piece`: gf_piece."""

    data: Call


class Fast:
    name = "greyfox.fast"

    def __init__(self, door: FastDoor) -> None:
        self.door = door

    async def gf_serve(self, call: Call) -> None:
        """Until the request's answer is there, or has gone out."""
        task = call.task
        if task is not None:
            try:
                await task
            except asyncio.CancelledError:
                if not task.cancelled():
                    raise
            except Exception:  # the layer asks what became of it
                return

    async def gf_piece(self, call: Call) -> None:
        """The next piece, once the client has taken what it has."""
        await self.door.pull(call)

    def done(self) -> None:
        """Where mitmproxy unloads the script: the layers of open connections outlive it, and have to know."""
        self.door.house.app = None
