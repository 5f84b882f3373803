"""All steps of a request in their order, for a door that has nothing of its own between them.

Needs:  the exchange as `ingress` opened it.
Leaves: exchange.answer, whatever happens: what a step refuses, or fails at, becomes the answer. None is left only
where the client has gone.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable

import orjson

from greyfox_core.errors import HeadTooLarge, Refused, Unavailable
from greyfox_core.http1.strict_head import MAX_FIELDS
from greyfox_core.metrics import Metrics
from greyfox_core.steps.admit import Admit
from greyfox_core.steps.decoding import too_large
from greyfox_core.steps.finish import Finish
from greyfox_core.steps.forward import Forward
from greyfox_core.steps.identify import Identify
from greyfox_core.steps.leaving import ClientLeft
from greyfox_core.steps.pages import Pages
from greyfox_core.steps.recall import Recall
from greyfox_core.steps.resolve import Resolve
from greyfox_core.values.endpoint import Access
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Answer
from greyfox_core.values.principal import Principal

log = logging.getLogger("greyfox")

STARTING = "GreyFox is starting or stopping. Try again in a moment."
UNDECIDED = "GreyFox could not decide on this request, so it is not forwarded."

Refuse = Callable[[Exchange, Refused], None]


class Serve:
    """One object serves all requests. `refuse` leaves a refusal as the answer."""

    def __init__(
        self,
        identify: Identify,
        resolve: Resolve,
        admit: Admit,
        recall: Recall,
        forward: Forward,
        finish: Finish,
        pages: Pages,
        metrics: Metrics,
        refuse: Refuse,
    ) -> None:
        self._identify = identify
        self._resolve = resolve
        self._admit = admit
        self._recall = recall
        self._forward = forward
        self._finish = finish
        self._pages = pages
        self._metrics = metrics
        self._refuse = refuse

    def head(self, exchange: Exchange, bound: Principal | None, length: int | None, *, draining: bool) -> bool:
        """What can be decided on the head, before the body has come, without waiting.

        `bound` is who opened the tunnel that the request came through, `length` the body's stated length in bytes.
        False: who calls cannot be told from memory; `caller` is to be awaited.
        """
        try:
            judge_head(exchange, length, draining=draining)
            if not self._anybody(exchange) and not self._identify.at_once(exchange, bound):
                return False
        except BaseException as error:
            self._stop_or_fail(exchange, error, "Serve.head")
        self._identify.hide(exchange)
        return True

    async def caller(self, exchange: Exchange, bound: Principal | None) -> None:
        """Who calls, where the store or an issuer must be asked."""
        try:
            await self._identify(exchange, bound)
        except BaseException as error:
            self._stop_or_fail(exchange, error, "Serve.caller")
        finally:
            self._identify.hide(exchange)

    async def __call__(self, exchange: Exchange, body: bytes) -> None:
        """Everything else, once the body is there."""
        try:
            await self._steps(exchange, body)
        except ClientLeft:
            if exchange.ended is not None:  # the client is still there, it is we who leave
                self._refuse(exchange, exchange.ended)
        except BaseException as error:
            self._stop_or_fail(exchange, error, "Serve")

    async def _steps(self, exchange: Exchange, body: bytes) -> None:
        if exchange.own_page is not None:
            exchange.answer = await self._pages(exchange)
        elif self._anybody(exchange):
            exchange.answer = local_answer()
        else:
            await self._resolve(exchange, body)
            await self._admit(exchange)
            await self._recall(exchange)
            if exchange.answer is None:
                await self._forward(exchange)
        if exchange.answer is not None:
            if exchange.head.method == "HEAD":
                await collected(exchange.answer)
            self._finish.head(exchange)

    def _anybody(self, exchange: Exchange) -> bool:
        return exchange.endpoint is not None and exchange.endpoint.access is Access.LOCAL

    def _stop_or_fail(self, exchange: Exchange, error: BaseException, where: str) -> None:
        """Cancellation of this very task goes on; everything else is answered."""
        if not isinstance(error, Exception):
            task = asyncio.current_task()
            if not isinstance(error, asyncio.CancelledError) or task is None or task.cancelling():
                raise error
        self.failed(exchange, error, where)

    def failed(self, exchange: Exchange, error: BaseException, where: str) -> None:
        """Answer for a step that raised: by its refusal, or with 503 for what nobody foresaw."""
        if not isinstance(error, Refused):
            report(self._metrics, error, where)
            error = Unavailable(UNDECIDED, retry_after=1)
        try:
            self._refuse(exchange, error)
        except Exception as another:
            report(self._metrics, another, where)
            exchange.refusal, exchange.answer = error, plainest(error, exchange.id)


def judge_head(exchange: Exchange, length: int | None, *, draining: bool) -> None:
    """What every door refuses before it knows who calls. Raises Unavailable, HeadTooLarge, TooLarge."""
    if draining:
        raise Unavailable(STARTING, retry_after=1)
    if len(exchange.head.headers) > MAX_FIELDS:  # over HTTP/2; over HTTP/1 it does not get here
        raise HeadTooLarge(f"The request has more than {MAX_FIELDS} header fields.")
    most = exchange.rules.config.limits.max_body
    if length is not None and length > most:
        raise too_large(most)


def local_answer() -> Answer:
    """For a liveness probe, which anybody may send."""
    return Answer(200, [("content-type", "application/json")], b"{}")


def plainest(refusal: Refused, request_id: str) -> Answer:
    """A refusal for whom none could be made in its own dialect."""
    error = {"message": refusal.message, "type": "server_error", "param": None, "code": refusal.code}
    fields = [("content-type", "application/json"), ("x-greyfox-request-id", request_id)]
    return Answer(refusal.status, fields, orjson.dumps({"error": error}))


async def collected(answer: Answer) -> None:
    """Make a body of pieces whole: for clients that cannot take pieces (HTTP/1.0, HEAD)."""
    if not isinstance(answer.body, bytes):
        source = answer.body
        try:
            answer.body = b"".join([piece async for piece in source])
        finally:
            await source.aclose()


def report(metrics: Metrics | None, error: BaseException, where: str) -> None:
    """Tell the operator of a step that raised.

    Type and frames only: the text of an exception can quote what it choked on, a prompt or a key.
    """
    log.error("%s failed: %s\n%s", where, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    if metrics is not None:
        metrics.fail_closed(where)
