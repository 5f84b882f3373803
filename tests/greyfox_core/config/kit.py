"""Small configurations for tests of the loader."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from greyfox_core.config.load import Loaded, load
from greyfox_core.errors import ConfigError

UPSTREAMS = "upstreams: {openai: {dialect: openai, base_url: https://a.example/v1, api_key: k}}\n"


def written(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None, *, upstreams: str = UPSTREAMS) -> Loaded:
    return load(written(folder, upstreams + text), environ or {})


def refused(folder: Path, text: str, environ: Mapping[str, str] | None = None, *, upstreams: str = UPSTREAMS) -> str:
    """The whole text that a person sees, the folder's name left out."""
    with pytest.raises(ConfigError) as error:
        loaded(folder, text, environ, upstreams=upstreams)
    return str(error.value).replace(f"{folder}/", "")
