"""A TCP connection to whichever address of a server answers first.

Addresses are tried in turn, another family each time; the next one starts where the last has failed or has not
answered for DELAY seconds. (asyncio's own way of doing so fails under eager tasks before CPython 3.13.1.)
Errors: OSError where no address can be reached, or the name has none.
Source: RFC 8305 sections 4 and 5.
"""

import asyncio
import socket
from collections.abc import Iterable
from itertools import chain, zip_longest

DELAY = 0.25  # seconds; RFC 8305 section 5

type Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


async def dial(host: str, port: int) -> socket.socket:
    """A connected socket that does not block. A name is looked up off the loop."""
    return await first_of(await _addresses(host, port))


async def first_of(addresses: Iterable[Address]) -> socket.socket:
    """The first that connects; the others are closed."""
    waiting = by_turns(addresses)
    running: set[asyncio.Task[socket.socket]] = set()
    failure: BaseException = OSError("no address")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_connect(waiting.pop(0))))
            patience = DELAY if waiting else None
            done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.discard(task)
                error = task.exception()
                if error is None:
                    running.update(done - {task})  # those that came second
                    return task.result()
                failure = error
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_close)
    raise failure


def by_turns(addresses: Iterable[Address]) -> list[Address]:
    """In the resolver's order, but one family after the other."""
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    return [address for address in chain(*zip_longest(*families.values())) if address is not None]


async def _addresses(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:  # a name, then: only that needs a look-up
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


async def _connect(address: Address) -> socket.socket:
    family, where = address
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, where)
    except BaseException:
        made.close()
        raise
    return made


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
