"""Regular expressions that cannot hold up a request: each search has a limit of time.

Python's own `re` can take minutes for an innocent pattern over a hostile text, and cannot be stopped. The `regex`
package reads the same syntax and can.

Units:   limits are seconds.
Errors:  ValueError for a text that is no regular expression; TimeoutError from `search`.
"""

from typing import Any

import regex  # type: ignore[import-untyped]


class Pattern:
    """One compiled pattern."""

    def __init__(self, text: str) -> None:
        try:
            self._compiled: Any = regex.compile(text)
        except regex.error as error:
            raise ValueError(f"no regular expression: {error.msg}") from None

    def search(self, text: str, limit: float) -> bool:
        """Whether the pattern is somewhere in `text`. Raises TimeoutError after `limit` seconds."""
        return self._compiled.search(text, timeout=limit) is not None
