"""Long texts in short pieces, so that no text can hold a tokenizer up. Pure.

The time to tokenise grows faster than a text without spaces does. Tokens do not reach over the start of white space,
so a cut before it costs at most one token more than the whole text has; only a text without any white space is cut in
mid-word, where a token or two may differ.

Units: characters.
"""

from collections.abc import Iterator

SLICE = 8_192


def slices(text: str, size: int = SLICE) -> Iterator[str]:
    """Pieces of at most `size` characters that make up `text`. The same beginning gives the same pieces."""
    start, end = 0, len(text)
    while end - start > size:
        cut = _border(text, start, start + size // 2, start + size)
        yield text[start:cut]
        start = cut
    if start < end:
        yield text[start:]


def _border(text: str, start: int, low: int, high: int) -> int:
    """Where the last white space that reaches between `low` and `high` begins, after `start`.

    `high` where there is none.
    """
    window = text[low:high]
    last = max(window.rfind(" "), window.rfind("\n"))
    if last < 0:
        return high
    cut = len(text[start : low + last + 1].rstrip())
    return start + cut if cut else high
