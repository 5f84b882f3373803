"""Callers may only be told BadRequest, and a provider may send anything: nothing else is ever raised.

Each test replaces each node of real JSON, one at a time, by each of a few strange values.
"""

import contextlib
import json
from typing import Any

import pytest

from greyfox_core.errors import BadRequest
from tests.greyfox_core.dialects.asked import RICH, asked_raw, mutated, read_in, sample
from tests.greyfox_core.dialects.test_samples import GOOD, reader_for

JUNK: list[Any] = [None, True, 0, -1, 1.5, "x", "data:,", [], [[]], [{}], {}, {"type": []}]
junk_values = pytest.mark.parametrize("junk", JUNK, ids=json.dumps)


@pytest.mark.parametrize("path", sorted(RICH))
@junk_values
def test_a_strange_request_is_refused_or_understood(path: str, junk: Any) -> None:
    for body in mutated(RICH[path], junk):
        with contextlib.suppress(BadRequest):
            dialect, request = asked_raw(path, json.dumps(body).encode())
            dialect.prompt(request, "gpt-4o")
            dialect.last_user_text(request)
            dialect.system_text(request)
            dialect.all_text(request)
            dialect.uncacheable(request, stored_responses=True)
            dialect.fingerprint_fields(request)
            dialect.prepare(request, model="other", output_cap=5, cap_field="max_tokens", ask_usage=True)


@pytest.mark.parametrize("name", [name for name in GOOD if name.endswith(".json")])
@junk_values
def test_a_strange_plain_answer_passes(name: str, junk: Any) -> None:
    for answer in mutated(json.loads(sample(name)), junk):
        data = json.dumps(answer).encode()
        reader = reader_for(name)
        assert read_in(reader, [data]) == data
        reader.received_text()


@pytest.mark.parametrize("name", [name for name in GOOD if not name.endswith(".json")])
@junk_values
def test_a_strange_event_passes(name: str, junk: Any) -> None:
    for line in sample(name).splitlines():
        if b"{" in line:
            start = line.index(b"{")
            for event in mutated(json.loads(line[start:]), junk):
                data = line[:start] + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"
                reader = reader_for(name)
                assert read_in(reader, [data]) == data
                assert isinstance(reader.cacheable, bool)
                reader.received_text()
