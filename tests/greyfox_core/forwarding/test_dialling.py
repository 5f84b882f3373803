"""Whichever address answers first is used, and no socket is left behind."""

import asyncio
import contextlib
import socket

import pytest

from greyfox_core.forwarding.dialling import Address, by_turns, dial, first_of
from tests.kit.gateway import free_port
from tests.kit.scripted import serving

SIX, FOUR = socket.AF_INET6, socket.AF_INET


def here(port: int) -> Address:
    return FOUR, ("127.0.0.1", port)


def test_families_take_turns() -> None:
    assert by_turns([(SIX, ("a", 1)), (SIX, ("b", 1)), (FOUR, ("c", 1)), (SIX, ("d", 1))]) == [
        (SIX, ("a", 1)),
        (FOUR, ("c", 1)),
        (SIX, ("b", 1)),
        (SIX, ("d", 1)),
    ]
    assert by_turns([]) == []


@pytest.mark.parametrize("eager", [False, True])
async def test_an_address_where_nobody_listens_gives_way_to_the_next(eager: bool) -> None:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory if eager else None)
    try:
        async with serving() as server:
            with await first_of([here(free_port()), here(server.port), here(free_port())]) as connected:
                assert connected.getpeername() == ("127.0.0.1", server.port)
    finally:
        loop.set_task_factory(None)


async def test_an_address_that_does_not_answer_does_not_hold_up_the_next() -> None:
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = deaf.getsockname()[1]
        for _ in range(3):  # its queue is full: a further connection hangs
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        async with serving() as server:
            with await first_of([here(port), here(server.port)]) as connected:
                assert connected.getpeername()[1] == server.port


async def test_where_nobody_listens_there_is_no_connection() -> None:
    with pytest.raises(OSError):
        await first_of([here(free_port()), here(free_port())])
    with pytest.raises(OSError):
        await first_of([])
    with pytest.raises(OSError):
        await dial("127.0.0.1", free_port())


async def test_a_name_is_looked_up() -> None:
    async with serving() as server:
        with await dial("localhost", server.port) as connected:
            assert connected.getpeername()[1] == server.port
