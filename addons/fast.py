"""The fast door's two hooks: what its layers wait for. The steps themselves are `FastDoor`'s."""

import asyncio

from addons.fast_door import Call, FastDoor


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

    async def gf_piece(self, call: Call) -> None:
        """The next piece, once the client has taken what it has."""
        await self.door.pull(call)

    async def done(self) -> None:
        await self.door.watchman.stop()
