"""Every endpoint that is metered has its dialect."""

import pytest

from greyfox_core.dialects import path_tables
from greyfox_core.dialects.registry import Dialects

NAMES = {"openai-chat", "openai-responses", "openai-completions", "openai-embeddings", "anthropic", "gemini", "ollama"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_dialect_is_found_by_its_name(name: str) -> None:
    dialect = Dialects().named(name)
    assert dialect.name == name
    assert name.startswith(dialect.api)


def test_every_path_in_the_tables_has_a_dialect() -> None:
    tables = (path_tables.OPENAI, path_tables.ANTHROPIC, path_tables.OLLAMA, path_tables.GEMINI_VERBS)
    assert {row.dialect for table in tables for row in table.values()} == NAMES


def test_there_is_no_other() -> None:
    with pytest.raises(KeyError):
        Dialects().named("telegraph")
