"""What GreyFox asks of a dialect, one API's wire format. The dialects themselves are found in `registry.py`.

A dialect holds no state: one object serves every request. A `StreamReader` belongs to one answer.

Units:   caps and usage are tokens; `input_total` contains what was cached, `output_total` contains reasoning.
Errors:  `parse` raises BadRequest with a sentence for the caller; nothing else here raises for what a caller or a
         provider sent. What a provider sends and nobody can read gives no usage, and the answer is then estimated.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from greyfox_core.errors import Refused
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.request import ParsedRequest, Prompt
from greyfox_core.values.usage import Usage


class StreamReader(Protocol):
    """Watches one answer pass, without a socket: bytes in, the bytes for the client out."""

    @property
    def usage(self) -> Usage | None:
        """The latest figures that state input and output. Before `complete` they are running totals: a lower bound."""
        ...

    @property
    def complete(self) -> bool:
        """The dialect's last event was seen, and no error before it."""
        ...

    @property
    def failed(self) -> bool:
        """The upstream reported an error inside the stream."""
        ...

    @property
    def cacheable(self) -> bool:
        """Complete, every choice finished of its own accord, and usage stated."""
        ...

    @property
    def input_known(self) -> int | None:
        """Input tokens that the provider stated, even where it never stated the output (Anthropic says them first)."""
        ...

    def feed(self, data: bytes) -> bytes:
        """What to pass on now: the same bytes at once, split anywhere.

        Only where an event may have to be withheld (the usage chunk of an OpenAI stream whose caller did not ask for
        it) bytes wait until their event is whole.
        """
        ...

    def finish(self) -> bytes:
        """The upstream has ended: what was still held back."""
        ...

    def cut(self, error: Refused, request_id: str) -> bytes:
        """The upstream broke off: the in-stream error to send, in place of what was held back.

        No SDK takes it for a rate limit: what can be refused is refused before the first byte.
        Empty where the framing has none, or where the client has half an event: then only breaking off tells it.
        """
        ...

    def received_text(self) -> str:
        """The text so far (visible, tool arguments, thinking), for an estimate; at most its first 256 Ki characters."""
        ...

    def received_chars(self) -> int:
        """How many characters came in all; beyond what `received_text` keeps, by the ratio of text to bytes so far."""
        ...


class Dialect(Protocol):
    """One API's wire format. `name` is the dialect's, `api` the family that upstreams are configured by."""

    @property
    def name(self) -> str: ...

    @property
    def api(self) -> str: ...

    def parse(self, endpoint: Endpoint, body: bytes, *, max_depth: int) -> ParsedRequest:
        """Understand a metered request's body (compression undone). Raises BadRequest."""
        ...

    def prompt(self, request: ParsedRequest, model: str) -> Prompt:
        """What of the request costs input at `model`; pictures, audio and documents by that model's formula."""
        ...

    def last_user_text(self, request: ParsedRequest) -> str:
        """The last user message's text; empty where there is none."""
        ...

    def system_text(self, request: ParsedRequest) -> str:
        """All instructions outside the conversation, joined by newlines."""
        ...

    def all_text(self, request: ParsedRequest) -> str:
        """Every text of the conversation and its instructions, joined by newlines."""
        ...

    def can_cap(self, request: ParsedRequest) -> bool:
        """Whether this path has a field for an output cap. Without one the answer is bounded by the model alone."""
        ...

    def prepare(
        self, request: ParsedRequest, *, model: str, output_cap: int | None, cap_field: str, ask_usage: bool
    ) -> bytes:
        """The body to send upstream; `request.raw` itself where nothing has to change.

        `output_cap` is the cap per choice that GreyFox sets (None: what the caller said stands). `cap_field` is the
        field for it in chat completions (`max_tokens` or `max_completion_tokens`). `ask_usage` adds
        `stream_options.include_usage` to an OpenAI stream. The caller's other fields and its spelling are kept.
        """
        ...

    def usage(self, answer: Mapping[str, Any]) -> Usage | None:
        """A plain answer's figures; None where input or output is missing, negative or no whole number."""
        ...

    def stream(self, request: ParsedRequest, content_type: str, *, usage_asked: bool = True) -> StreamReader:
        """A reader for a 2xx answer that comes in pieces, also for a plain JSON body.

        `usage_asked` is whether `prepare` was told to ask for usage: only then is a usage chunk withheld.
        """
        ...

    def output_text(self, answer: Mapping[str, Any]) -> str:
        """A plain answer's text, tool arguments and thinking: for an estimate where usage is missing."""
        ...

    def plain_complete(self, answer: Mapping[str, Any]) -> bool:
        """Whether a plain answer may be stored: every choice finished of its own accord, usage stated."""
        ...

    def error_body(self, error: Refused, request_id: str) -> bytes:
        """JSON from which the official SDKs raise their typed errors."""
        ...

    def fingerprint_fields(self, request: ParsedRequest) -> Mapping[str, Any]:
        """Every field of the body that can change the answer, spelling normalised.

        Left out is only what cannot: attribution, delivery, price. The caller adds scope, upstream, model, endpoint.
        """
        ...

    def uncacheable(self, request: ParsedRequest, *, stored_responses: bool) -> str | None:
        """Why the answer depends on more than the request (server state, the outside world), else None.

        `stored_responses` permits answers that the provider stores: their ids may be dead on a hit.
        """
        ...
