"""A model's own factor, learned from what its provider states, where the tokenizer is not public. Pure.

An asymmetric average of stated / estimated with a margin on top: half of the way up, a hundredth of the way down. So it
settles near the top of what a model's prompts really cost, comes down only slowly after a dear one, and an odd answer
cannot carry it away: it stays within a half and four times of where it began.

Units: factors multiply the start factor of models.py; 1.0 is «as it began».
"""

from cachetools import LRUCache

LEAST = 0.5
MOST = 4.0
UP = 0.5
DOWN = 0.01
MARGIN = 1.05  # an estimate that is a little high costs nothing once settled; one too low is overshoot
FROM_TOKENS = 64  # below, the framing of messages outweighs the text


class Learned:
    """At most `models` names are kept, the least recently used goes first."""

    def __init__(self, models: int = 512) -> None:
        self._factors: LRUCache[str, float] = LRUCache(models)

    def factor(self, model: str) -> float:
        """What to multiply an estimate with that the tables made."""
        found: float | None = self._factors.get(model)
        return 1.0 if found is None else found

    def learn(self, model: str, estimated: int, actual: int) -> None:
        """`estimated` was made with this model's factor; `actual` is the provider's figure. Both in tokens."""
        if estimated < FROM_TOKENS or actual <= 0:
            return
        factor = self.factor(model)
        seen = MARGIN * factor * actual / estimated
        factor += (seen - factor) * (UP if seen > factor else DOWN)
        self._factors[model] = min(max(factor, LEAST), MOST)
