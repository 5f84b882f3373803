"""docs/paths.md shows what the tables hold, no more and no less."""

from pathlib import Path

import pytest

from greyfox_core.dialects.path_tables import (
    ANTHROPIC,
    AZURE,
    GEMINI_MODEL,
    GEMINI_MODELS,
    GEMINI_VERBS,
    OLLAMA,
    OPENAI,
    REFUSED,
    Row,
)
from greyfox_core.values.endpoint import Access

DOCUMENT = (Path(__file__).parents[3] / "docs" / "paths.md").read_text(encoding="utf-8")


def shown(path: str, api: str, row: Row) -> str:
    return f"| `{row.methods[0]} {path}` | {api} | {row.operation} | {row.access} |"


ROWS = [
    *(shown("/v1" + path, "OpenAI", row) for path, row in OPENAI.items()),
    *(shown("/openai/deployments/{model}/" + path, "Azure", row) for path, row in AZURE.items()),
    *(shown(path, "Anthropic", row) for path, row in ANTHROPIC.items()),
    *(shown(f"/v1beta/models/{{model}}:{verb}", "Gemini", row) for verb, row in GEMINI_VERBS.items()),
    shown("/v1beta/models", "Gemini", GEMINI_MODELS),
    shown("/v1beta/models/{model}", "Gemini", GEMINI_MODEL),
    *(shown(path, "Ollama", row) for path, row in OLLAMA.items()),
]


def test_the_document_lists_every_path_and_no_other() -> None:
    listed = [line for line in DOCUMENT.splitlines() if line.endswith(("| metered |", "| free |"))]
    assert sorted(listed) == sorted(ROWS)


@pytest.mark.parametrize("api", sorted(REFUSED))
def test_no_refused_path_is_served(api: str) -> None:
    tables = {"openai": OPENAI, "anthropic": ANTHROPIC, "ollama": OLLAMA, "gemini": {}}
    served = {path.split("/")[-1] for path in tables[api]}
    assert not served & (REFUSED[api].keys() - {"responses", "messages"})


def test_only_posts_are_metered() -> None:
    for row in (*OPENAI.values(), *ANTHROPIC.values(), *OLLAMA.values(), *GEMINI_VERBS.values()):
        assert row.access in (Access.METERED, Access.FREE)
        assert row.methods == ("POST",) or row.access == Access.FREE
