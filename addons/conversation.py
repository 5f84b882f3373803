"""One HTTP/1 client of the fast door: request after request, bytes in, actions out. Sans-IO.

receive   what the client has sent; gives what is to be done, in order
ahead     the same while a request is under way
gone      the client has left
"""

from collections.abc import Iterator

from mitmproxy import connection

from addons.actions import CLOSE, LEAVE, Action, HandOver, Piece
from addons.fast_door import Call, FastDoor
from addons.layers import DISCARD
from addons.patience import Awaited, Patience
from greyfox_core.http1.answers import CONTINUE, LAST_CHUNK, begun, chunk, unreadable
from greyfox_core.http1.requests import FOREIGN, BadBody, Foreign, Head, TooLong
from greyfox_core.steps.decoding import too_large
from greyfox_core.steps.ingress import new_id
from greyfox_core.steps.serve import UNDECIDED
from greyfox_core.values.tunnel import Tunnel

AHEAD = 65_536  # bytes of further requests that are taken while one is under way


class Conversation:
    """`plain`: what is written to the client's transport reaches it as it is, so that answers may be sent there."""

    def __init__(self, door: FastDoor, client: connection.Client, tunnel: Tunnel | None, *, plain: bool) -> None:
        self._door = door
        self._client = client
        self._tunnel = tunnel
        self._plain = plain
        self._reader = door.reader()
        self._call: Call | None = None
        self._discarded: int | None = None  # bytes of a body that nobody wants
        self._over = False
        self._ahead = 0
        self.patience: Patience = door.house.watchman.of(client)

    def receive(self, data: bytes) -> Iterator[Action]:
        """While no request waits."""
        if self._discarded is not None:
            yield from self._discard(data)
        elif not self._over:
            self._reader.feed(data)
            yield from self._requests()
            self._wait_for_more(len(data))

    def ahead(self, data: bytes) -> None:
        """While one does; it is read after that one."""
        self._reader.feed(data)
        self.count_ahead(len(data))

    def count_ahead(self, size: int) -> None:
        """So many bytes wait elsewhere for the request under way."""
        self._ahead += size
        if self._ahead > AHEAD:
            self._door.hold(self._client)

    def gone(self) -> None:
        """What is done for the client ends at once."""
        if self._call is not None:
            self._door.gone(self._call)

    def end(self) -> None:
        """The connection is closed, or somebody else's. A request under way ends by itself, once it is settled."""
        self.gone()
        call = self._call
        if call is not None and (call.task is None or call.task.done()):
            self._finish(call)
        self._over = True

    def crashed(self, error: Exception) -> bytes:
        """Whoever does the actions has failed, or this has: the last words, if there is nothing said yet."""
        call, self._call = self._call, None
        silent = not self._over and (call is None or call.exchange.answer is None)
        self._over = True
        self._door.crashed(error, call)
        return unreadable(503, UNDECIDED, new_id()) if silent else b""

    # --- requests

    def _requests(self) -> Iterator[Action]:
        """All that can be served of what has come."""
        while not self._over and self._discarded is None:
            call = self._call
            if call is None:
                app = self._door.house.app
                head = FOREIGN if app is None else self._reader.head()
                if head is None:
                    return
                if app is None or isinstance(head, Foreign):
                    self._over = True
                    yield HandOver(self._reader.rest())
                    return
                call = self._call = self._door.open(app, self._client, head, self._tunnel)
                if call is None:
                    yield from self._last_words(503, UNDECIDED)
                    return
                yield from self._head_came(call, head)
                continue
            try:
                body = self._reader.body()
            except TooLong:
                call.app.refuse(call.exchange, too_large(self._reader.max_body))
                yield from self._refuse_early(call)
                return
            except BadBody:
                yield from self._unreadable(call)
                return
            if body is None:
                return
            yield from self._serve(call, body)

    def _head_came(self, call: Call, head: Head) -> Iterator[Action]:
        if call.task is not None:
            if not call.task.done():
                yield call
            if self._door.failed(call):
                self._door.refuse(call)
        if self._reader.whole:
            return
        if call.exchange.answered:
            yield from self._refuse_early(call)
        elif head.expects:
            yield CONTINUE

    def _serve(self, call: Call, body: bytes) -> Iterator[Action]:
        exchange = call.exchange
        if call.is_open():
            writer = self._door.writer_of(self._client) if self._plain else None
            if not call.begin(self._door.serve(call, body, writer)):
                self.patience.nothing_awaited()
                yield call
            if self._door.failed(call) or call.is_open():
                self._door.refuse(call)
        answer = exchange.answer
        if answer is None:
            call.cut = True
        elif isinstance(answer.body, bytes):
            yield call.whole(answer)
        elif not call.sent:
            call.sent = True
            yield begun(answer.status, answer.headers, close=call.close)
            yield from self._pieces(call)
        self._finish(call)
        if call.close or call.cut:
            self._over = True
            yield CLOSE

    def _pieces(self, call: Call) -> Iterator[Action]:
        while True:
            call.piece = None
            yield Piece(call)
            if call.piece is None:
                break
            yield chunk(call.piece)
        if call.over:
            yield LAST_CHUNK
        elif not call.cut:  # whoever was to fetch it has failed
            call.cut = True
            call.app.abandon(call.exchange)

    def _finish(self, call: Call) -> None:
        self._call = None
        self.patience.nothing_awaited()  # the next wait is a new one, also where this request took none
        if self._ahead > AHEAD:
            self._door.go_on(self._client)
        self._ahead = 0
        self._door.closed(call)

    # --- bodies that nobody wants

    def _refuse_early(self, call: Call) -> Iterator[Action]:
        """Answer before the body has come; then its rest is thrown away for a while, so that the client can read it."""
        answer = call.exchange.answer
        assert answer is not None
        call.close = True
        yield call.whole(answer)
        self._finish(call)
        self._discarded = 0
        yield from self._discard(b"")

    def _discard(self, data: bytes) -> Iterator[Action]:
        assert self._discarded is not None
        self._discarded += len(data)
        self._reader.feed(data)
        try:
            ended = self._reader.skip()
        except BadBody:
            ended = True
        if ended or self._discarded > DISCARD:
            self._over = True
            yield CLOSE
        self._wait_for_more(len(data))

    def _unreadable(self, call: Call) -> Iterator[Action]:
        self._door.gone(call)
        self._finish(call)
        yield from self._last_words(400, "The request's body is not framed as HTTP says.")

    def _last_words(self, status: int, message: str) -> Iterator[Action]:
        """Of this connection: what comes behind them is thrown away, until the client has had time to read them."""
        self._over = True
        yield unreadable(status, message, new_id())
        yield LEAVE
        self.patience.wait_for(Awaited.LEAVE, self._door.house.limits)

    # --- time

    def _wait_for_more(self, came: int) -> None:
        if self._over:
            return
        if self._discarded is not None:
            awaited = Awaited.UNWANTED
        elif self._call is not None:
            awaited = Awaited.BODY
        else:
            awaited = Awaited.HEAD if self._reader.begun else Awaited.REQUEST
        self.patience.wait_for(awaited, self._door.house.limits, came)
