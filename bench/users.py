"""People in a closed loop: each asks one question at a time: `python -m bench.users < plan.json`.

A share of the questions is repeated: it was asked, and answered, before. The plan's `rate` is that share, its
`connections` the people, each with a key; its body has the `{nonce}` that makes a question another one.
Prints one JSON object for each answer (see Asked).
"""

import asyncio
import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from random import Random

from bench.connection import Connection
from bench.load import PATIENCE, requests_of
from bench.plan import Plan, plan_from_bytes
from bench.replies import holding

HIT = b"\r\nx-greyfox-cache: hit\r\n"


@dataclass(frozen=True)
class Asked:
    """One answer. Microseconds: `took` in all, `held` of them the upstream held it back, 0 for a hit."""

    person: int
    repeated: bool
    hit: bool
    status: int
    took: int
    held: int


class Users:
    """All of them, until the time is over; then each ends with the answer that is under way."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._make = requests_of(dataclasses.replace(plan, cycle=0))
        self._random = Random(2)  # the same questions in every run
        self._number = 0
        self._answered: list[int] = []  # numbers of the questions that have an answer
        self._asking: dict[Connection, tuple[int, int, bool]] = {}  # who asks what; whether it is repeated
        self._deadline = 0.0
        self._done = asyncio.Event()
        self.asked: list[Asked] = []

    async def run(self) -> list[Asked]:
        """All answers, in the order in which they came."""
        loop = asyncio.get_running_loop()
        people = []
        for _ in range(self._plan.connections):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._plan.port)
            people.append(connection)
        self._deadline = time.perf_counter() + self._plan.seconds
        for person, connection in enumerate(people):
            self._ask(connection, person)
        async with asyncio.timeout(self._plan.seconds + PATIENCE):
            await self._done.wait()
        return self.asked

    def answered(self, connection: Connection, first: float, last: float) -> None:
        person, question, repeated = self._asking.pop(connection)
        hit = HIT in connection.head
        held = 0 if hit else holding(connection.body)
        took = int((last - connection.due) * 1e6)
        self.asked.append(Asked(person, repeated, hit, int(connection.status), took, held))
        if not repeated:
            self._answered.append(question)
        if last < self._deadline:
            self._ask(connection, person)
        else:
            connection.close()

    def lost(self, connection: Connection) -> None:
        if (left := self._asking.pop(connection, None)) is not None:
            self.asked.append(Asked(left[0], left[2], hit=False, status=0, took=0, held=0))
        if not self._asking:
            self._done.set()

    def _ask(self, connection: Connection, person: int) -> None:
        repeated = bool(self._answered) and self._random.random() < self._plan.rate
        if repeated:
            question = self._random.choice(self._answered)
        else:
            self._number += 1
            question = self._number
        self._asking[connection] = person, question, repeated
        connection.ask(self._make(question), time.perf_counter())


if __name__ == "__main__":
    answers = asyncio.run(Users(plan_from_bytes(sys.stdin.buffer.read())).run())
    print(json.dumps([dataclasses.asdict(answer) for answer in answers]))
