"""The dialects by name."""

from greyfox_core.dialects.anthropic import Anthropic
from greyfox_core.dialects.base import Dialect
from greyfox_core.dialects.gemini import Gemini
from greyfox_core.dialects.ollama import Ollama
from greyfox_core.dialects.openai_chat import OpenAiChat
from greyfox_core.dialects.openai_completions import OpenAiCompletions
from greyfox_core.dialects.openai_embeddings import OpenAiEmbeddings
from greyfox_core.dialects.openai_responses import OpenAiResponses
from greyfox_core.values.endpoint import Endpoint


class Dialects:
    """One object of each dialect; they hold no state."""

    def __init__(self) -> None:
        every: tuple[Dialect, ...] = (
            OpenAiChat(),
            OpenAiResponses(),
            OpenAiCompletions(),
            OpenAiEmbeddings(),
            Anthropic(),
            Gemini(),
            Ollama(),
        )
        self._by_name = {dialect.name: dialect for dialect in every}

    def of(self, endpoint: Endpoint) -> Dialect:
        """The dialect that an endpoint is spoken in."""
        return self.named(endpoint.dialect)

    def named(self, name: str) -> Dialect:
        """The dialect of that name. Raises KeyError for one that does not exist."""
        return self._by_name[name]
