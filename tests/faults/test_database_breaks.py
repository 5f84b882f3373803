"""The database breaks while it runs: nobody is admitted, nothing is lost, and it recovers by itself."""

import asyncio
import resource
import sqlite3
from contextlib import closing

import httpx
import pytest

from tests.conftest import GatewayFactory
from tests.faults.scene import DIALECTS, attempts, books_are_right, client, code_of, eventually, post, question
from tests.kit.configuration import config_for
from tests.kit.provider import Behaviour, Gate, Provider


async def test_a_database_that_is_removed_ends_admission(gateway: GatewayFactory, provider: Provider) -> None:
    one = await gateway(config_for(provider, cache={"enabled": False}))
    key = await one.create_key("alice")
    async with client(one, key) as by:
        assert (await post(by, question())).status_code == 200
        for suffix in ("", "-wal", "-shm"):
            one.database.with_name(one.database.name + suffix).unlink(missing_ok=True)
        provider.reset()
        for dialect in DIALECTS:
            answer = await post(by, question(dialect))
            assert (answer.status_code, code_of(dialect, answer.content)) == (503, "greyfox_unavailable")
            assert answer.headers["retry-after"]
    assert provider.requests == []
    assert not one.database.exists()  # never made anew behind the operator's back

    async def unready() -> bool:
        async with httpx.AsyncClient(trust_env=False) as admin:
            return (await admin.get(f"{one.admin_url}/readyz")).status_code == 503

    await eventually(unready, what="/readyz never noticed")
    await one.stop()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit (Linux) to fill the disk of one process")
async def test_on_a_full_disk_nobody_is_admitted_until_there_is_room(
    gateway: GatewayFactory, provider: Provider
) -> None:
    one = await gateway(config_for(provider, cache={"enabled": False}))
    key = await one.create_key("alice")
    async with client(one, key) as by:
        assert (await post(by, question())).status_code == 200
        await books_are_right(one)
        limits = resource.prlimit(one.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))  # less than one page of the log
        provider.reset()
        for dialect in DIALECTS:
            answer = await post(by, question(dialect))
            assert (answer.status_code, code_of(dialect, answer.content)) == (503, "greyfox_unavailable")
        assert provider.requests == []
        resource.prlimit(one.pid, resource.RLIMIT_FSIZE, limits)

        async def served() -> bool:
            return (await post(by, question())).status_code == 200

        await eventually(served, what="it never recovered")
    await books_are_right(one)
    with closing(sqlite3.connect(one.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_settlement_that_meets_a_full_disk_is_written_later(
    gateway: GatewayFactory, provider: Provider
) -> None:
    gate = Gate()
    provider.once(Behaviour(output_tokens=17, gate=gate))
    one = await gateway(config_for(provider, cache={"enabled": False}))
    key = await one.create_key("alice")
    async with client(one, key) as by:
        waiting = asyncio.create_task(post(by, question()))
        await provider.until(lambda: len(provider.requests) == 1)
        limits = resource.prlimit(one.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
        gate.release()
        assert (await waiting).status_code == 200
        assert attempts(one)[0]["state"] == "reserved"
        resource.prlimit(one.pid, resource.RLIMIT_FSIZE, limits)
    await books_are_right(one)
    [row] = attempts(one)
    assert (row["state"], row["output_tokens"]) == ("settled", 17)
