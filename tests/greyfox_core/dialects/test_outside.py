import pytest

from greyfox_core.dialects.outside import Outside
from greyfox_core.dialects.registry import Dialects
from greyfox_core.values.endpoint import Access, Endpoint

HELLO = b'"messages":[{"role":"user","content":"hello"}]'


def test_the_first_reason_of_each_kind_is_kept() -> None:
    reasons = [("audio output", False), ("hosted tools", True), ("a stored file", True), ("stored audio", True)]
    assert Outside.of(reasons) == Outside(unbounded="hosted tools", stored="a stored file")


def test_a_request_that_depends_on_nothing_has_neither() -> None:
    assert Outside.of([]) == Outside()


@pytest.mark.parametrize(
    ("dialect", "body", "stored"),
    [
        ("openai-responses", b'{"model":"gpt-4o","input":"hi","previous_response_id":"resp_1"}', "a stored response"),
        ("openai-responses", b'{"model":"gpt-4o","input":"hi","conversation":"conv_1"}', "a stored conversation"),
        ("openai-responses", b'{"model":"gpt-4o","input":[{"type":"item_reference","id":"i"}]}', "a stored item"),
        (
            "openai-responses",
            b'{"model":"gpt-4o","input":"hi","tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}',
            "a vector store",
        ),
        ("openai-responses", b'{"model":"gpt-4o","input":"hi"}', None),
        (
            "openai-chat",
            b'{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}',
            "a stored file",
        ),
        ("openai-chat", b'{"model":"gpt-4o",%b}' % HELLO, None),
        (
            "anthropic",
            b'{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":'
            b'[{"type":"document","source":{"type":"file","file_id":"f"}}]}]}',
            "a stored file",
        ),
        ("anthropic", b'{"model":"claude-sonnet-4-5","max_tokens":9,%b}' % HELLO, None),
    ],
)
def test_handles_to_stored_things_are_named(dialect: str, body: bytes, stored: str | None) -> None:
    api = dialect.partition("-")[0]
    endpoint = Endpoint(api, dialect, "generate", Access.METERED, "/")
    assert Dialects().of(endpoint).parse(endpoint, body, max_depth=64).stored == stored
