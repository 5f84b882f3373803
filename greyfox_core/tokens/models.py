"""What is known about models by their names: tokenizer, how far off it is, and the longest answer. Pure.

Units:   factors are tokens of the model per token of the encoding; maxima are output tokens of one answer.
Source:  tiktoken's table of models; factors for Claude measured over o200k_base with an unofficial counter, rounded up;
         factors for other models are judgements; maxima from the providers' model pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase
from functools import lru_cache

from greyfox_core.tokens.encodings import EncodingName


class Script(IntEnum):
    """How a text is written, as far as it moves the factor of a tokenizer that is not public."""

    PLAIN = 0  # ASCII, or nearly
    ACCENTED = 1  # Latin with accents
    OTHER = 2  # mostly outside Latin


@dataclass(frozen=True, slots=True)
class Family:
    """Models that count alike. `factors` are by Script; `public` is whether the tokenizer itself is known."""

    encoding: EncodingName
    factors: tuple[float, float, float]
    public: bool = False


_OPENAI = Family("o200k_base", (1.0, 1.0, 1.0), public=True)
_OPENAI_OLD = Family("cl100k_base", (1.0, 1.0, 1.0), public=True)
_OPENAI_NEXT = Family("o200k_base", (1.0, 1.0, 1.0))  # no tokenizer is published: begins like the last one, then learns
_CLAUDE_OLD = Family("o200k_base", (1.5, 1.6, 2.6))
_CLAUDE = Family("o200k_base", (1.8, 2.1, 2.6))
_GEMINI = Family("o200k_base", (1.2, 1.2, 1.2))
_OPEN = Family("o200k_base", (1.4, 1.4, 1.4))

# First match decides. Names are compared in lower case and without what stands before the last slash.
_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("gpt-6*", _OPENAI_NEXT),
    ("gpt-oss*", _OPENAI),
    ("gpt-5*", _OPENAI),
    ("gpt-4o*", _OPENAI),
    ("gpt-4.*", _OPENAI),
    ("chatgpt-4o*", _OPENAI),
    ("o1*", _OPENAI),
    ("o3*", _OPENAI),
    ("o4-*", _OPENAI),
    ("codex-*", _OPENAI),
    ("gpt-4*", _OPENAI_OLD),
    ("gpt-3.5*", _OPENAI_OLD),
    ("gpt-35*", _OPENAI_OLD),  # Azure's spelling
    ("text-embedding-*", _OPENAI_OLD),
    ("davinci-002*", _OPENAI_OLD),
    ("babbage-002*", _OPENAI_OLD),
    ("claude-2*", _CLAUDE_OLD),
    ("claude-instant*", _CLAUDE_OLD),
    ("claude-3*", _CLAUDE_OLD),
    *((f"claude-*-4{minor}", _CLAUDE_OLD) for minor in ("", "-[0-6]", "-[0-6]-*", "-20*", ".[0-6]*")),
    ("claude*", _CLAUDE),
    ("gemini*", _GEMINI),
    ("gemma*", _GEMINI),
)

# First match decides; dated versions are caught by the star.
_MAXIMA: tuple[tuple[str, int], ...] = (
    ("gpt-6*", 128_000),
    ("gpt-5-chat*", 16_384),
    ("gpt-5*", 128_000),
    ("gpt-oss*", 131_072),
    ("gpt-4o-2024-05-13", 4_096),
    ("gpt-4o*", 16_384),
    ("chatgpt-4o*", 16_384),
    ("gpt-4.1*", 32_768),
    ("gpt-4.5*", 16_384),
    ("gpt-4-turbo*", 4_096),
    ("gpt-4-1106*", 4_096),
    ("gpt-4-0125*", 4_096),
    ("gpt-4*", 8_192),
    ("gpt-3.5*", 4_096),
    ("gpt-35*", 4_096),
    ("o1-preview*", 32_768),
    ("o1-mini*", 65_536),
    ("o1*", 100_000),
    ("o3*", 100_000),
    ("o4-mini*", 100_000),
    ("codex-mini*", 100_000),
    ("claude-3-haiku*", 4_096),
    ("claude-3-opus*", 4_096),
    ("claude-3-sonnet*", 4_096),
    ("claude-3-5-*", 8_192),
    ("claude-3-7-*", 64_000),
    ("claude-opus-4-1*", 32_000),
    ("claude-opus-4-5*", 64_000),
    ("claude-opus-4-6*", 128_000),
    ("claude-opus-4-[7-9]*", 128_000),
    ("claude-opus-4*", 32_000),
    ("claude-sonnet-4*", 64_000),
    ("claude-haiku-4*", 64_000),
    ("claude-opus-5*", 128_000),
    ("claude-sonnet-5*", 128_000),
    ("gemini-1.5*", 8_192),
    ("gemini-2.0*", 8_192),
    ("gemini-2.5*", 65_535),
    ("gemini-3*", 65_536),
    ("gemini-4-argon*", 1_048_576),
    ("gemini-4*", 65_536),
    ("deepseek-chat*", 8_192),
    ("deepseek-reasoner*", 65_536),
)


@lru_cache(1024)  # asked for every request, of the same few names
def family_of(model: str) -> Family:
    """How `model` counts. A name that no table knows counts like an open model."""
    name = _bare(model)
    return next((family for pattern, family in _FAMILIES if fnmatchcase(name, pattern)), _OPEN)


def max_output(model: str, overrides: Mapping[str, int], default: int) -> int:
    """The most output tokens that one answer of `model` can have. The first glob of `overrides` that fits decides."""
    for pattern, maximum in overrides.items():
        if fnmatchcase(model, pattern):
            return maximum
    return _known_maximum(model) or default


@lru_cache(1024)
def _known_maximum(model: str) -> int | None:
    name = _bare(model)
    return next((maximum for pattern, maximum in _MAXIMA if fnmatchcase(name, pattern)), None)


def _bare(model: str) -> str:
    """`openai/gpt-4o`, `models/gemini-2.5-flash`, `ft:gpt-4o-mini:acme::id`: the name that decides."""
    name = model.rpartition("/")[2].lower()
    return name.split(":")[1] if name.startswith("ft:") else name
