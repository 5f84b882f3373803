"""200 at once, and room for 37: exactly 37 are admitted, whoever asks, by whatever protocol, in whatever dialect."""

import asyncio
import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence

import httpx
import pytest
import pytest_asyncio

from tests.faults.conftest import Starter
from tests.faults.scene import (
    DIALECTS,
    Question,
    attempts,
    bill,
    booked,
    books_are_right,
    client,
    code_of,
    counters,
    eventually,
    post,
    question,
    verified,
)
from tests.kit.gateway import Gateway
from tests.kit.provider import Behaviour, Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED, ROOM, EACH = 200, 37, 40  # requests; how many fit; output tokens of each
INPUT = 20  # what the provider bills for input where a test does not say otherwise
REFUSED = {"greyfox_quota_exhausted", "greyfox_quota_busy"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared_gateway: Starter) -> AsyncIterator[Gateway]:
    day = {"period": "day", "output_tokens": ROOM * EACH}
    yield await shared_gateway(
        quotas=[
            {"name": "users", "per": "user", "match": {"role": "single"}, **day},
            {"name": "pairs", "per": ["user", "model"], "match": {"role": "paired"}, **day},
            {"name": "input", "per": "user", "match": {"role": "reader"}, "period": "day", "input_tokens": 1_000_000},
        ],
        cache={"enabled": False},
    )


@pytest.fixture
def provider(shared_provider: Provider) -> Iterator[Provider]:
    shared_provider.reset()
    shared_provider.always(Behaviour(output_tokens=EACH, input_tokens=INPUT))
    yield shared_provider
    shared_provider.reset()


class Watcher:
    """Reads the counters again and again, in a thread, and remembers the worst that it saw."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._enough = threading.Event()
        self.most: dict[str, tuple[int, int]] = {}  # by quota: settled + reserved, input and output
        self.looks = 0

    def run(self) -> None:
        uri = f"file:{self._gateway.database}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10)) as database:
            while not self._enough.wait(0.002):
                self.looks += 1
                for name, sent, received in database.execute(
                    "SELECT quota, settled_input + reserved_input, settled_output + reserved_output FROM counters"
                ):
                    worst = self.most.get(name, (0, 0))
                    self.most[name] = (max(worst[0], sent), max(worst[1], received))

    def stop(self) -> None:
        self._enough.set()


async def ask_all_at_once(
    gateway: Gateway, by: httpx.AsyncClient, questions: Sequence[Question]
) -> tuple[list[httpx.Response], Watcher]:
    watcher = Watcher(gateway)
    watching = asyncio.create_task(asyncio.to_thread(watcher.run))
    try:
        answers = await asyncio.gather(*(post(by, asked) for asked in questions))
    finally:
        watcher.stop()
        await watching
    assert watcher.looks > 3, "the counters were not watched while the requests ran"
    return list(answers), watcher


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("http2", [False, True], ids=["http1", "one-http2-connection"])
async def test_of_200_at_once_exactly_37_are_admitted(
    gateway: Gateway, provider: Provider, http2: bool, stream: bool
) -> None:
    user = f"alice-{http2}-{stream}"  # nobody has ever heard of: the counter itself is made in the rush
    key = await gateway.create_key(user, roles=["single"])
    questions = [question(prompt=f"Question {n}?", cap=EACH, stream=stream) for n in range(ASKED)]
    async with client(gateway, key, http2=http2) as by:
        answers, watcher = await ask_all_at_once(gateway, by, questions)

    assert Counter(answer.status_code for answer in answers) == {200: ROOM, 429: ASKED - ROOM}
    assert {code_of("openai", answer.content) for answer in answers if answer.status_code == 429} <= REFUSED
    await books_are_right(gateway)
    assert watcher.most["users"][1] <= ROOM * EACH
    mine = attempts(gateway, user=user)
    assert len(provider.requests) == ROOM == len(mine)
    assert {row["state"] for row in mine} == {"settled"}
    assert booked(mine) == bill(provider) == (ROOM * INPUT, ROOM * EACH)


async def test_it_is_37_over_all_dialects_and_each_is_refused_in_its_own(gateway: Gateway, provider: Provider) -> None:
    key = await gateway.create_key("polyglot", roles=["single"])
    spoken = [DIALECTS[n % len(DIALECTS)] for n in range(ASKED)]
    questions = [question(dialect, f"Question {n}?", cap=EACH) for n, dialect in enumerate(spoken)]
    async with client(gateway, key) as by:
        answers, watcher = await ask_all_at_once(gateway, by, questions)

    assert Counter(answer.status_code for answer in answers) == {200: ROOM, 429: ASKED - ROOM}
    refused = [(dialect, code_of(dialect, answer.content)) for dialect, answer in zip(spoken, answers, strict=True)]
    assert {code for (_, code), answer in zip(refused, answers, strict=True) if answer.status_code == 429} <= REFUSED
    await books_are_right(gateway)
    assert watcher.most["users"][1] <= ROOM * EACH
    await verified(gateway)
    assert booked(attempts(gateway, user="polyglot")) == bill(provider) == (ROOM * INPUT, ROOM * EACH)


async def test_a_quota_per_user_and_model_admits_37_of_each_pair(gateway: Gateway, provider: Provider) -> None:
    pairs = [(user, model) for user in ("ann", "ben") for model in ("gpt-4o", "gpt-4o-mini")]
    keys = {user: await gateway.create_key(user, roles=["paired"]) for user in ("ann", "ben")}
    async with contextlib.AsyncExitStack() as stack:
        by = {user: await stack.enter_async_context(client(gateway, key)) for user, key in keys.items()}
        watcher = Watcher(gateway)
        watching = asyncio.create_task(asyncio.to_thread(watcher.run))
        answers = await asyncio.gather(
            *(
                post(by[user], question(prompt=f"Question {n}?", model=model, cap=EACH))
                for n in range(ASKED // len(pairs))
                for user, model in pairs
            )
        )
        watcher.stop()
        await watching

    assert Counter(answer.status_code for answer in answers) == {200: 4 * ROOM, 429: ASKED - 4 * ROOM}
    await books_are_right(gateway)
    assert watcher.most["pairs"][1] <= ROOM * EACH
    for user, model in pairs:
        assert booked(attempts(gateway, user=user, model=model)) == (ROOM * INPUT, ROOM * EACH)
    assert bill(provider) == (4 * ROOM * INPUT, 4 * ROOM * EACH)


async def test_an_input_quota_admits_37_as_well(gateway: Gateway, provider: Provider) -> None:
    # Near a limit one request reserves what its text counts, so the limit is set once that is known.
    stranger = await gateway.create_key("probe", roles=["reader"])
    tight = await gateway.cli("quota", "set", "input", "--user", "probe", "--input-tokens", "1000")
    assert tight.code == 0, tight.stderr
    async with client(gateway, stranger) as by:
        await _limit_is(by, 1000)
        assert (await post(by, question(cap=EACH))).status_code == 200
    await books_are_right(gateway)
    counted = attempts(gateway, user="probe")[0]["reserved_input"]
    provider.reset()
    provider.always(Behaviour(output_tokens=EACH, input_tokens=counted))
    key = await gateway.create_key("reader", roles=["reader"])
    limited = await gateway.cli("quota", "set", "input", "--user", "reader", "--input-tokens", str(ROOM * counted))
    assert limited.code == 0, limited.stderr
    async with client(gateway, key) as by:
        await _limit_is(by, ROOM * counted)
        answers, watcher = await ask_all_at_once(gateway, by, [question(cap=EACH)] * ASKED)

    assert Counter(answer.status_code for answer in answers) == {200: ROOM, 429: ASKED - ROOM}
    await books_are_right(gateway)
    assert watcher.most["input"][0] <= ROOM * counted
    assert booked(attempts(gateway, user="reader")) == bill(provider) == (ROOM * counted, ROOM * EACH)


async def _limit_is(by: httpx.AsyncClient, limit: int) -> None:
    """Until the gateway has taken a limit over; asks for nothing that costs."""

    async def told() -> bool:
        quotas = (await by.get("/greyfox/me")).json()["quotas"]
        return [one["input_tokens"]["limit"] for one in quotas] == [limit]

    await eventually(told, what="the limit that was set never came into force")


async def test_who_is_refused_finds_room_again_when_requests_under_way_cost_less_than_they_set_aside(
    gateway: Gateway, provider: Provider
) -> None:
    key = await gateway.create_key("thrifty", roles=["single"])
    provider.reset()
    provider.always(Behaviour(output_tokens=1, input_tokens=INPUT))
    questions = [question(prompt=f"Question {n}?", cap=ROOM * EACH) for n in range(20)]  # each asks for all there is
    async with client(gateway, key) as by:
        answers, watcher = await ask_all_at_once(gateway, by, questions)
        busy = [answer for answer in answers if answer.status_code == 429]
        assert {code_of("openai", answer.content) for answer in busy} <= {"greyfox_quota_busy"}
        assert all(answer.headers["retry-after"] == "1" for answer in busy)
        await books_are_right(gateway)
        assert (await post(by, question(prompt="And now?", cap=ROOM * EACH))).status_code == 200
    await books_are_right(gateway)
    assert watcher.most["users"][1] <= ROOM * EACH
    assert booked(attempts(gateway, user="thrifty")) == bill(provider)
    assert all(counter["reserved_output"] == 0 for counter in counters(gateway))
