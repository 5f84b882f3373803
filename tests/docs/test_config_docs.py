"""docs/configuration.md and config.yaml say what the schema says: each key, with its default, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from greyfox_core.config import schema
from greyfox_core.config.load import load
from greyfox_core.config.schema import Config, Part
from greyfox_core.config.units import duration, size

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]*) \| ([^|]*) \| (.+) \|$", re.MULTILINE)
COMMENTED = re.compile(r" *# (groq|auth|quotas|rate_limits|routes|aliases|content):")


def documented() -> dict[str, tuple[str, str, str]]:
    """Key → type, default, meaning, of every table on the page."""
    return {key: (kind.strip(), default.strip(), meaning.strip()) for key, kind, default, meaning in ROW.findall(PAGE)}


def keys(model: type[Part] = Config, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key that the file may have: `quotas[].match.role`, `upstreams.NAME.dialect`."""
    for name, field in model.model_fields.items():
        part = next(parts(field.annotation), None)
        if part is None:
            yield prefix + name, field
            continue
        text = str(field.annotation)
        yield from keys(part, prefix + name + ("[]." if "tuple" in text else ".NAME." if "dict" in text else "."))


def parts(annotation: Any) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for argument in get_args(annotation):
        yield from parts(argument)


@pytest.mark.parametrize("key", [key for key, _ in keys()])
def test_every_key_is_documented(key: str) -> None:
    assert key in documented()


def test_no_other_key_is_documented() -> None:
    assert sorted(set(documented()) - {key for key, _ in keys()}) == []


@pytest.mark.parametrize(("key", "field"), [pytest.param(key, field, id=key) for key, field in keys()])
def test_the_documented_default_is_the_true_one(key: str, field: FieldInfo) -> None:
    said = documented()[key][1].strip("`")
    if field.is_required():
        assert said == "required"
        return
    default = field.get_default(call_default_factory=True)
    if default is None or default == () or default == {} or default == SecretStr(""):
        assert said == "–"
    elif isinstance(default, bool):
        assert said == str(default).lower()
    elif isinstance(default, tuple):
        assert said == ", ".join(default)
    elif isinstance(default, float):
        assert duration(said) == default
    elif isinstance(default, int):
        assert size(said) == default
    else:
        assert said == default


def test_every_choice_is_documented() -> None:
    missing = [
        f"{key}: {choice}"
        for key, field in keys()
        for choice in choices(field.annotation)
        if f"`{choice}`" not in " ".join(documented()[key])
    ]
    assert missing == []


def choices(annotation: Any) -> Iterator[str]:
    for argument in get_args(annotation):
        if isinstance(argument, str):
            yield argument
        else:
            yield from choices(argument)


def test_the_shipped_file_is_valid_with_no_environment_at_all() -> None:
    loaded = load(ROOT / "config.yaml", {})
    assert loaded.config.quotas == ()
    assert sorted(loaded.config.upstreams) == ["anthropic", "gemini", "ollama", "openai"]


def test_the_shipped_file_is_valid_with_all_its_comments_made_real(tmp_path: Path) -> None:
    lines = (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines()
    live, inside = [], False
    for line in lines:
        inside = line.lstrip().startswith("#") and (inside or COMMENTED.match(line) is not None)
        live.append(line.replace("# ", "", 1) if inside else line)
    file = tmp_path / "config.yaml"
    file.write_text("\n".join(live), encoding="utf-8")
    config = load(file, {}).config
    assert len(config.quotas) == 2
    assert len(config.routes) == 3
    assert config.auth.jwt
    assert config.aliases
    assert config.content
    assert config.rate_limits
    assert "groq" in config.upstreams


def test_the_examples_of_the_page_are_valid(tmp_path: Path) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        file = tmp_path / "config.yaml"
        upstreams = (
            "" if "upstreams:" in example else "upstreams: {openai: {dialect: openai, base_url: https://a.example}}\n"
        )
        file.write_text(upstreams + example, encoding="utf-8")
        load(file, {"OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"})


def test_the_json_schema_names_every_part() -> None:
    described = schema.json_schema()
    assert set(described["properties"]) == set(Config.model_fields)
    assert described["additionalProperties"] is False
