"""Estimates of a prompt's input tokens.

    count_now    on the loop, for what is short or was counted before
    count        the rest, in one thread beside the loop
    bound        what no byte-level tokenizer exceeds, without tokenising

An estimate is for admission: it should seldom be below what the provider will state, and is replaced by that figure.
Where a model's tokenizer is not public, a factor by family and by script is applied, then what was learned.

Units:   tokens; sizes in characters unless said.
Errors:  Unavailable where too many long prompts wait to be counted; BrokenData of a broken installation.
"""

import asyncio
import hashlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import ceil

from cachetools import LRUCache

from greyfox_core.errors import Unavailable
from greyfox_core.tokens.encodings import EncodingName, Encodings
from greyfox_core.tokens.learning import Learned
from greyfox_core.tokens.models import Family, Script, family_of
from greyfox_core.tokens.slices import slices
from greyfox_core.values.request import Prompt

LOOK_UP = 262_144  # characters of a prompt whose digests may be made on the loop: a few tenths of a millisecond
TOKENISE = 16_384  # characters that may be tokenised on the loop: some two milliseconds
EACH = 48  # a text costs as much as so many characters, however short it is
RECALL = 64  # to look a text up is so many times cheaper than to tokenise it
SHORT = 64  # characters: shorter texts are sooner tokenised than looked up
BATCH = 262_144  # characters in one go of the thread; between two, others have their turn
REMEMBERED = 16_384  # slices
WAITING = 256  # long prompts at once

Counted = tuple[int, Script]


class TokenCounter:
    """Remembers what it counted, by digest: no prompt is kept."""

    def __init__(self, encodings: Encodings) -> None:
        self._encodings = encodings
        self._learned = Learned()
        self._remembered: LRUCache[bytes, Counted] = LRUCache(REMEMBERED)
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="greyfox-count")
        self._waiting = 0

    def count_now(self, prompt: Prompt, model: str) -> int | None:
        """The estimate, or None where it would hold the loop up: then `count`."""
        family = family_of(model)
        if not self._encodings.ready(family.encoding) or sum(map(len, prompt.texts)) > LOOK_UP:
            return None
        text_tokens = 0.0
        left = TOKENISE
        for piece in _pieces(prompt.texts):
            counted = self._recall(family.encoding, piece)
            left -= EACH + (len(piece) if counted is None else len(piece) // RECALL)
            if left < 0:
                return None
            text_tokens += _weighed(counted or self._tokenise(family.encoding, piece), family)
        return self._total(prompt, model, family, text_tokens)

    async def count(self, prompt: Prompt, model: str) -> int:
        """The estimate, made off the loop where it takes long. Stops early when it is cancelled. Raises Unavailable."""
        if (quick := self.count_now(prompt, model)) is not None:
            return quick
        if self._waiting >= WAITING:
            raise Unavailable("GreyFox has too many long prompts to count at this moment.", retry_after=1)
        family = family_of(model)
        loop = asyncio.get_running_loop()
        text_tokens = 0.0
        self._waiting += 1
        try:
            for some in _batches(_pieces(prompt.texts)):
                text_tokens += await loop.run_in_executor(self._thread, self._weigh, some, family)
        finally:
            self._waiting -= 1
        return self._total(prompt, model, family, text_tokens)

    def bound(self, prompt: Prompt) -> int:
        """One token a UTF-8 byte, and the framing: what no byte-level tokenizer exceeds."""
        return sum(map(_bytes, prompt.texts)) + prompt.overhead + prompt.media + prompt.tokens

    def learn(self, model: str, estimated: int, actual: int) -> None:
        """What the provider stated for a prompt that was estimated here. Public tokenizers stay as they are."""
        if not family_of(model).public:
            self._learned.learn(model, estimated, actual)

    def close(self) -> None:
        """No more counting; what waits is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _total(self, prompt: Prompt, model: str, family: Family, text_tokens: float) -> int:
        if not family.public:
            text_tokens *= self._learned.factor(model)
        return ceil(text_tokens) + prompt.overhead + prompt.media + prompt.tokens

    def _weigh(self, some: Iterable[str], family: Family) -> float:
        """In the thread: the tokens of some slices, their factors applied."""
        return sum(
            _weighed(self._recall(family.encoding, piece) or self._tokenise(family.encoding, piece), family)
            for piece in some
        )

    def _recall(self, encoding: EncodingName, piece: str) -> Counted | None:
        if len(piece) <= SHORT:
            return None
        with self._lock:
            return self._remembered.get(_digest(encoding, piece))

    def _tokenise(self, encoding: EncodingName, piece: str) -> Counted:
        counted = len(self._encodings.get(encoding).encode_ordinary(piece)), _script(piece)
        if len(piece) > SHORT:
            with self._lock:
                self._remembered[_digest(encoding, piece)] = counted
        return counted


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from slices(text)


def _batches(pieces: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece) + EACH
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _weighed(counted: Counted, family: Family) -> float:
    tokens, script = counted
    return tokens * family.factors[script]


def _script(text: str) -> Script:
    """By the bytes that UTF-8 needs beyond one a character."""
    if text.isascii():
        return Script.PLAIN
    beyond = _bytes(text) - len(text)
    if beyond * 200 < len(text):
        return Script.PLAIN
    return Script.ACCENTED if beyond * 10 < len(text) * 3 else Script.OTHER


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _digest(encoding: EncodingName, text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=encoding.encode()).digest()
