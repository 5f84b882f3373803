"""Step 8: the answer's pieces on their way, and the end of the exchange.

Needs:   exchange.answer.
Leaves:  a closed exchange: settled, counted in the metrics, told to whoever watches flows.
"""

import asyncio

from mitmproxy import http

from addons._flow import House, report
from addons.door import Pull
from greyfox_core.steps.finish import summary
from greyfox_core.steps.leaving import ClientLeft, Leaving
from greyfox_core.steps.relay import BrokenOff

HIT, REFUSED = ":zap:", ":no_entry:"  # mitmweb and the console show these before the path
LONGEST_PAUSE = 0.05  # seconds


class Stream:
    name = "greyfox.stream"

    def __init__(self, house: House) -> None:
        self.house = house

    async def gf_chunk(self, pull: Pull) -> None:
        """Fetch the next piece, once the client has taken what it has. A client that leaves ends the waiting."""
        exchange = self.house.exchange_of(pull.flow)
        if exchange is None:
            return
        try:
            with Leaving(exchange, at_once=True):
                async with asyncio.timeout(exchange.rules.config.limits.send_timeout):
                    await self._taken(pull)
                pull.chunk = await anext(pull.source)
        except StopAsyncIteration:
            pull.done = True
        except (BrokenOff, TimeoutError):  # the upstream broke off, or the client does not read
            pull.cut = True
        except ClientLeft:
            pull.cut = not pull.gone  # else the client is still there: it may have no more, and must see that
        except Exception as error:
            report(self.house, error, "Stream.gf_chunk")
            pull.cut = True  # the head has gone out: all that is left is to let the client see it
        finally:
            if pull.gone or pull.cut:
                await exchange.close_source()

    async def _taken(self, pull: Pull) -> None:
        """Until the client has room: a slow reader must not fill our memory."""
        handler = self.house.connection_of(pull.flow.client_conn)
        if handler is not None:
            await handler.drain_writers()
        pause = 0.001
        while pull.window_closed:  # mitmproxy has no event for a window that opens
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def response(self, flow: http.HTTPFlow) -> None:
        await self._end(flow)

    async def error(self, flow: http.HTTPFlow) -> None:
        await self._end(flow)

    async def _end(self, flow: http.HTTPFlow) -> None:
        exchange, app = self.house.exchange_of(flow), self.house.app
        if exchange is None or app is None:
            return
        await exchange.close_source()
        app.closed(exchange)
        flow.comment = summary(exchange)
        flow.marked = REFUSED if exchange.refusal is not None else HIT if exchange.cache_state == "hit" else ""
        self.house.bound_view(flow)
