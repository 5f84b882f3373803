"""The known paths of each API: metered, free, or refused with a reason. docs/paths.md shows the same to users.

Paths are relative to an upstream's base_url: OpenAI's ends in `/v1` already, the others' have no path.
Source: the providers' API references and the paths that their official SDKs and coding agents ask for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from greyfox_core.values.endpoint import Access

READ = ("GET", "HEAD")
WRITE = ("POST",)
ACCESS = {"metered": Access.METERED, "free": Access.FREE}


@dataclass(frozen=True, slots=True)
class Row:
    """One path: which methods, whose wire format, what it does."""

    methods: tuple[str, ...]
    dialect: str
    operation: str
    access: Access


def _table(text: str) -> Mapping[str, Row]:
    rows = {}
    for line in text.strip().splitlines():
        method, path, access, dialect, operation = line.split()
        rows[path] = Row(READ if method == "GET" else WRITE, dialect, operation, ACCESS[access])
    return rows


OPENAI = _table("""
POST /chat/completions        metered  openai-chat         generate
POST /responses               metered  openai-responses    generate
POST /responses/compact       metered  openai-responses    compact
POST /decisions               metered  openai-responses    decide
POST /completions             metered  openai-completions  generate
POST /embeddings              metered  openai-embeddings   embed
POST /responses/input_tokens  free     openai-responses    count
POST /moderations             free     openai-chat         moderate
GET  /models                  free     openai-chat         models
GET  /models/{model}          free     openai-chat         model
""")

ANTHROPIC = _table("""
POST /v1/messages               metered  anthropic  generate
POST /v1/messages/count_tokens  free     anthropic  count
GET  /v1/models                 free     anthropic  models
GET  /v1/models/{model}         free     anthropic  model
""")

OLLAMA = _table("""
POST /api/chat      metered  ollama  chat
POST /api/generate  metered  ollama  generate
POST /api/embed     metered  ollama  embed
POST /api/show      free     ollama  show
GET  /api/tags      free     ollama  tags
GET  /api/ps        free     ollama  ps
GET  /api/version   free     ollama  version
""")

GEMINI_VERSIONS = ("v1", "v1beta", "v1alpha")
GEMINI_VERBS = {
    "generateContent": Row(WRITE, "gemini", "generate", Access.METERED),
    "streamGenerateContent": Row(WRITE, "gemini", "stream", Access.METERED),
    "embedContent": Row(WRITE, "gemini", "embed", Access.METERED),
    "batchEmbedContents": Row(WRITE, "gemini", "batch-embed", Access.METERED),
    "countTokens": Row(WRITE, "gemini", "count", Access.FREE),
}
GEMINI_REFUSED_VERBS = ("batchGenerateContent", "asyncBatchEmbedContent", "predict", "predictLongRunning")
GEMINI_MODELS = Row(READ, "gemini", "models", Access.FREE)
GEMINI_MODEL = Row(READ, "gemini", "model", Access.FREE)

AZURE = {
    name: OPENAI["/" + name] for name in ("chat/completions", "completions", "embeddings")
}  # below /deployments/{deployment}/

_LATER = "its tokens cannot be reserved beforehand"
_STORED = "what it reads or keeps is stored under a key that all callers share"
_SHARED = "it changes what is stored under a key that all callers share"

REFUSED: Mapping[str, Mapping[str, str]] = {
    "openai": {
        "audio": _LATER,
        "images": _LATER,
        "videos": _LATER,
        "batches": _LATER,
        "realtime": _LATER,
        "live": _LATER,
        "evals": _LATER,
        "fine_tuning": _LATER,
        "files": _STORED,
        "uploads": _STORED,
        "vector_stores": _STORED,
        "containers": _STORED,
        "conversations": _STORED,
        "assistants": _STORED,
        "threads": _STORED,
        "responses": _STORED,  # /responses/{id} and below
        "chat": _STORED,  # /chat/completions/{id}
        "skills": _SHARED,
        "organization": _SHARED,
    },
    "anthropic": {
        "complete": "it is the old text API",
        "files": _STORED,
        "skills": _SHARED,
        "agents": _LATER,
        "sessions": _LATER,
        "environments": _SHARED,
        "organizations": _SHARED,
        "messages": _LATER,  # /messages/batches
    },
    "gemini": {
        "batches": _LATER,
        "interactions": _LATER,
        "operations": _LATER,
        "tunedModels": _LATER,
        "models": _LATER,  # verbs not in the table
        "cachedContents": _STORED,
        "files": _STORED,
        "corpora": _STORED,
        "fileSearchStores": _STORED,
        "openai": "an upstream of dialect openai with the base_url …/v1beta/openai serves it",
    },
    "ollama": {
        "pull": "it administers the server",
        "push": "it administers the server",
        "create": "it administers the server",
        "copy": "it administers the server",
        "delete": "it administers the server",
        "blobs": "it administers the server",
        "embeddings": "it states no tokens: use /api/embed",
        "v1": "an upstream of dialect openai with this server's base_url and /v1 serves it",
    },
}
"""First segment of a known path that is not served (below `/v1`, `/v1beta`, `/api`), and why."""
