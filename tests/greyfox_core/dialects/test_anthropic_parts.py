"""What lies outside a message's request, and what does not belong to its fingerprint."""

from typing import Any

import pytest

from tests.greyfox_core.dialects.asked import MESSAGES, asked


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


FILE = {"type": "document", "source": {"type": "file", "file_id": "f"}}


@pytest.mark.parametrize(
    ("changes", "unbounded", "uncacheable"),
    [
        ({}, None, None),
        ({"thread": {"type": "continue"}}, "a stored conversation", "a stored conversation"),
        ({"container": "c"}, "a stored container", "a stored container"),
        ({"mcp_servers": [{"url": "x"}]}, "MCP servers", "MCP servers"),
        ({"compaction": {"enabled": True}}, "compaction", "compaction"),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, None, "managed context"),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "managed context", "managed context"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "server tools", "server tools"),
        ({"tools": [{"type": "code_execution_20250825"}]}, "server tools", "server tools"),
        ({"tools": [{"type": "invented_tomorrow"}]}, "server tools", "server tools"),
        (
            {"tools": [{"name": "f"}, {"type": "custom"}, {"type": "bash_20250124"}, {"type": "computer_20250124"}]},
            None,
            None,
        ),
        (user(FILE), "a stored file", "a stored file"),
        (
            user({"type": "document", "source": {"type": "url", "url": "x"}}),
            "a file behind a URL",
            "a file behind a URL",
        ),
        (user({"type": "image", "source": {"type": "url", "url": "x"}}), None, "a file behind a URL"),
        (user({"type": "image", "source": {"type": "file", "file_id": "x"}}), None, "a stored file"),
        (user({"type": "tool_result", "tool_use_id": "t", "content": [FILE]}), "a stored file", "a stored file"),
        (user({"type": "container_upload", "file_id": "x"}), "a stored file", "a stored file"),
    ],
)
def test_what_lies_outside_the_request(changes: dict[str, Any], unbounded: str | None, uncacheable: str | None) -> None:
    dialect, request = asked(MESSAGES, **changes)
    assert request.unbounded == unbounded
    assert dialect.uncacheable(request, stored_responses=True) == uncacheable


def fields(**changes: Any) -> Any:
    dialect, request = asked(MESSAGES, **changes)
    return dialect.fingerprint_fields(request)


def test_bookkeeping_changes_no_answer() -> None:
    assert fields() == fields(
        stream=True,
        metadata={"user_id": "u"},
        service_tier="auto",
        inference_geo="eu",
        speed="fast",
        diagnostics={},
        cache_control={},
    )


@pytest.mark.parametrize(
    "changes", [{"max_tokens": 5}, {"temperature": 1}, {"thinking": {}}, {"tool_choice": {}}, {"new": 1}]
)
def test_everything_else_does(changes: dict[str, Any]) -> None:
    assert fields() != fields(**changes)


def test_claude_codes_billing_block_is_left_out() -> None:
    def system(number: int, text: str = "be kind") -> Any:
        billing = {"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.1; cch={number};"}
        return fields(system=[billing, {"type": "text", "text": text}])

    assert system(1) == system(2) == fields(system=[{"type": "text", "text": "be kind"}])
    assert system(1) != system(1, "be rude")


def test_cache_marks_are_left_out_at_every_depth_but_not_out_of_a_tools_own_json() -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}

    def marked(with_mark: dict[str, Any], tool_input: dict[str, Any]) -> Any:
        inner = {"type": "text", "text": "42", **with_mark}
        return fields(
            system=[{"type": "text", "text": "s", **with_mark}],
            tools=[{"name": "f", "input_schema": {"properties": {}}, **with_mark}],
            messages=[
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t", "name": "f", "input": tool_input, **with_mark}],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": [inner], **with_mark}],
                },
            ],
        )

    assert marked(mark, {}) == marked({}, {})
    assert marked({}, mark) != marked({}, {})
