"""What a path of a provider's API is to GreyFox."""

from enum import StrEnum

from greyfox_core.record import record


class Access(StrEnum):
    METERED = "metered"  # tokens are counted: body parsed, quota reserved
    FREE = "free"  # forwarded for an authenticated caller, costs no tokens
    LOCAL = "local"  # answered here without an upstream, for anybody (a liveness probe)


@record
class Endpoint:
    """One known path.

    `api` is the family that upstreams are configured by: openai, anthropic, gemini or ollama.
    `dialect` is the wire format: openai-chat, openai-responses, openai-completions, openai-embeddings, anthropic,
    gemini, ollama; free paths carry the dialect whose errors the caller understands.
    `path` is what to append to the upstream's base_url (`/chat/completions`, `/v1/messages`,
    `/v1beta/models/{model}:generateContent`), with the placeholder `{model}` where the model stands in the path.
    `model` is the model named by the path, decoded; None where the body names it.
    `operation` tells apart what one dialect serves (generate, stream, embed, count, models …).
    """

    api: str
    dialect: str
    operation: str
    access: Access
    path: str
    model: str | None = None
