"""The two tokenizers whose data ships with the package. Nothing is ever downloaded.

Built, the two take some 70 MiB of memory: each is built when it is first needed, and where nothing needs an exact
count, never. Whether their data is whole is found at the start all the same.

Errors:  BrokenData where a shipped file is missing or is not what it was when it was packed.
Source:  vocabularies and split patterns of OpenAI's tiktoken (MIT, see data/LICENSE); the hashes are those
         that tiktoken itself expects of its downloads.
"""

import binascii
import hashlib
import threading
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import tiktoken

EncodingName = Literal["o200k_base", "cl100k_base"]


class BrokenData(Exception):
    """A tokenizer file is missing or altered: the installation is broken."""


@dataclass(frozen=True, slots=True)
class _Shipped:
    """What identifies one tokenizer: the hash of its ranks, and how it splits text before it merges bytes."""

    sha256: str
    pattern: str


_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_SHIPPED: dict[EncodingName, _Shipped] = {
    "o200k_base": _Shipped(
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        "|".join(
            (
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _CONTRACTIONS,
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _CONTRACTIONS,
                r"\p{N}{1,3}",
                r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
                r"\s*[\r\n]+",
                r"\s+(?!\S)",
                r"\s+",
            )
        ),
    ),
    "cl100k_base": _Shipped(
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        "|".join(
            (
                r"'(?i:[sdmt]|ll|ve|re)",
                r"[^\r\n\p{L}\p{N}]?+\p{L}++",
                r"\p{N}{1,3}+",
                r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
                r"\s++$",
                r"\s*[\r\n]",
                r"\s+(?!\S)",
                r"\s",
            )
        ),
    ),
}


class Encodings:
    """Builds each tokenizer once, when it is first asked for or by `warm`. Usable from several threads."""

    def __init__(self, folder: Traversable | None = None) -> None:
        """`folder` holds `<name>.tiktoken`; by default the package's own."""
        self._folder = folder if folder is not None else files("greyfox_core.tokens") / "data"
        self._built: dict[EncodingName, tiktoken.Encoding] = {}
        self._building = threading.Lock()

    def ready(self, name: EncodingName) -> bool:
        """Whether `get` would answer at once."""
        return name in self._built

    def get(self, name: EncodingName) -> "tiktoken.Encoding":
        """The tokenizer; the first call takes some tenths of a second. Raises BrokenData."""
        built = self._built.get(name)
        if built is None:
            with self._building:
                built = self._built.get(name)
                if built is None:
                    built = self._built[name] = self._build(name)
        return built

    def check(self) -> None:
        """Whether all data is there and whole; builds nothing. Call it in a thread. Raises BrokenData."""
        for name in _SHIPPED:
            self._read(name)

    def warm(self) -> None:
        """Build all of them: call it in a thread, where requests must not wait for it. Raises BrokenData."""
        for name in _SHIPPED:
            self.get(name)

    def _read(self, name: EncodingName) -> bytes:
        try:
            data = (self._folder / f"{name}.tiktoken").read_bytes()
        except OSError:
            raise BrokenData(f"The tokenizer data {name} is missing: install greyfox again.") from None
        if hashlib.sha256(data).hexdigest() != _SHIPPED[name].sha256:
            raise BrokenData(f"The tokenizer data {name} is not what was shipped: install greyfox again.")
        return data

    def _build(self, name: EncodingName) -> "tiktoken.Encoding":
        import tiktoken

        lines = self._read(name).splitlines()
        ranks = {binascii.a2b_base64(token): int(rank) for token, rank in map(bytes.split, lines)}
        # No special tokens: what a prompt holds is text, even where it spells `<|endoftext|>`.
        built = tiktoken.Encoding(name, pat_str=_SHIPPED[name].pattern, mergeable_ranks=ranks, special_tokens={})
        built._mergeable_ranks = {}  # a second copy of what its core has, kept to be pickled: a quarter of the memory
        return built
