"""A metered request, understood."""

from collections.abc import Mapping
from typing import Any

from greyfox_core.record import record
from greyfox_core.values.endpoint import Endpoint


@record
class ParsedRequest:
    """What matters of a metered request's body. `body` is shared and must never be changed.

    `raw` is the body as decoded bytes (compression undone), the very bytes that `body` was parsed from.
    `model` is the model asked for. `choices` is how many answers of up to `output_cap` tokens are asked for
    (n, best_of, candidateCount, times the prompts of a list). `output_cap` is tokens a choice, None: names none.
    `output_floor` is the least cap with which the request still makes sense to its provider (tokens a choice).
    `produces_output` is False for embeddings. `stream` is whether the answer is asked for as a stream.
    `wants_usage` is whether the caller itself asked for a usage chunk in an OpenAI stream.
    `stored` names what the request refers to that is stored upstream under the key of the call; None: nothing.
    `unbounded` names the reason why the input cannot be known beforehand (hosted tools, stored conversations); else
    None.
    """

    endpoint: Endpoint
    raw: bytes
    body: Mapping[str, Any]
    model: str
    stream: bool
    choices: int = 1
    output_cap: int | None = None
    output_floor: int = 1
    produces_output: bool = True
    wants_usage: bool = False
    unbounded: str | None = None
    stored: str | None = None


@record
class Prompt:
    """What of a request costs input tokens, for an estimate before it is sent.

    `texts` are to be tokenised; `overhead` is tokens of framing (roles, names, preambles); `media` is tokens of
    images, audio and documents by formula; `tokens` is tokens given as numbers already (a token array).
    """

    texts: tuple[str, ...]
    overhead: int = 0
    media: int = 0
    tokens: int = 0
