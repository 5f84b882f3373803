"""Between the layer and the addons: what the layer asks of them, and an answer's body on its way."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from mitmproxy import connection, http

from addons.patience import Patience
from greyfox_core.config.schema import LimitsPart


class Pull:
    """An answer's body on its way to a client. The hook sets one of `chunk`, `done` and `cut`; the layer reads them."""

    def __init__(self, flow: http.HTTPFlow, source: AsyncIterator[bytes], stream_id: int, connection: Any) -> None:
        self.flow = flow
        self.source = source
        self._stream_id = stream_id
        self._connection = connection
        self.chunk: bytes | None = None
        self.done = False  # the source is at its end
        self.cut = False  # the source broke off: the client must see that too
        self.gone = False  # the client has left

    @property
    def window_closed(self) -> bool:
        """Whether an HTTP/2 client has not yet taken what was sent on this stream."""
        h2 = getattr(self._connection, "h2_conn", None)
        return h2 is not None and bool(h2.stream_buffers.get(self._stream_id))


class Door(Protocol):
    """What the layer asks of the addons. None of these waits."""

    @property
    def limits(self) -> LimitsPart:
        """As the configuration has them now."""

    def patience_with(self, client: connection.Client) -> Patience:
        """How long it may take, watched from now on."""

    def is_plain(self, client: connection.Connection) -> bool:
        """Whether what is written to its transport reaches it as it is."""

    def watched(self, hook: str) -> bool:
        """Whether anybody needs to be told by this hook."""

    def finished(self, flow: http.HTTPFlow) -> None:
        """The answer is whole and on its way: what the `response` hook would end, where nobody is told by it."""

    def body_source(self, flow: http.HTTPFlow) -> AsyncIterator[bytes] | None:
        """Where the pieces of the answer come from; None: the flow's response is whole."""

    def refuse_too_large(self, flow: http.HTTPFlow) -> None:
        """Set the flow's response: the body is longer than `limits.max_body`."""

    def refuse_unadmitted(self, flow: http.HTTPFlow) -> None:
        """Set the flow's response: no step answered, so nothing may go out."""

    def protocol_error(self, flow: http.HTTPFlow | None, status: int, message: str) -> http.Response:
        """An error of mitmproxy's own, in the caller's dialect."""

    def client_gone(self, flow: http.HTTPFlow, pull: Pull | None) -> None:
        """The client has left while a hook was waiting."""
