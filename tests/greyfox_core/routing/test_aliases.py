"""What an alias stands for."""

import pytest

from greyfox_core.routing.aliases import follow, target_of
from greyfox_core.values.target import Target

ALIASES = {"best": "sonnet", "sonnet": "claude-sonnet-4-5", "fast": "groq/openai/gpt-oss-20b", "quick": "fast"}


@pytest.mark.parametrize(
    ("asked", "model", "upstream"),
    [
        ("gpt-4o", "gpt-4o", None),
        ("sonnet", "claude-sonnet-4-5", None),
        ("best", "claude-sonnet-4-5", None),
        ("fast", "openai/gpt-oss-20b", "groq"),
        ("quick", "openai/gpt-oss-20b", "groq"),
    ],
)
def test_aliases_are_followed_to_their_end(asked: str, model: str, upstream: str | None) -> None:
    assert follow(ALIASES, asked) == (model, upstream)


def test_only_the_first_slash_parts_upstream_from_model() -> None:
    assert target_of("groq/openai/gpt-oss-20b") == Target("groq", "openai/gpt-oss-20b")
