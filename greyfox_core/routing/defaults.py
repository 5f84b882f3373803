"""Which upstream serves a model where no rule decides. Pure.

First an upstream's own `models`, then the model's family: the first upstream of the request's API that has no list of
its own. A list is exhaustive: an upstream with `models` serves those, and others by a rule or by name alone.

Source:  the providers' lists of models; a family is recognised by how its models' names begin.
"""

from collections.abc import Mapping

from greyfox_core.config.schema import Upstream
from greyfox_core.routing.match import glob_any

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "openai": (
        *(
            "gpt-",
            "chatgpt-",
            "o1",
            "o3",
            "o4",
            "codex-",
            "computer-use-",
            "ft:gpt-",
            "ft:o",
            "ft:davinci",
            "ft:babbage",
        ),
        *("text-embedding-", "text-moderation-", "omni-moderation-", "davinci-", "babbage-"),
    ),
    "anthropic": ("claude-",),
    "gemini": ("gemini-", "gemma-", "learnlm-", "embedding-", "text-embedding-"),
    "ollama": ("",),  # an Ollama server has whatever was pulled
}


class Defaults:
    """The upstreams of one configuration, in the file's order."""

    def __init__(self, upstreams: Mapping[str, Upstream]) -> None:
        self._upstreams = upstreams

    def for_model(self, api: str, model: str) -> str | None:
        """The upstream of this API that serves the model; None where nothing says so."""
        for name, upstream in self._upstreams.items():
            if upstream.dialect == api and glob_any(upstream.models, model):
                return name
        return self.first(api) if model.startswith(FAMILIES[api]) else None

    def first(self, api: str) -> str | None:
        """The first upstream of this API that serves anything."""
        names = (name for name, upstream in self._upstreams.items() if upstream.dialect == api and not upstream.models)
        return next(names, None)

    def any(self, api: str) -> str | None:
        """An upstream of this API, for paths that name no model."""
        names = (name for name, upstream in self._upstreams.items() if upstream.dialect == api)
        return self.first(api) or next(names, None)


def family(model: str) -> str | None:
    """The API that models with such names belong to; None for a name that tells nothing."""
    return next((api for api, prefixes in FAMILIES.items() if "" not in prefixes and model.startswith(prefixes)), None)
