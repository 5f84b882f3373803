"""Step 4 of a request: may this principal ask now? Rates, and quotas that are used up. Nothing is written.

Needs:  exchange.principal, exchange.resolution.
Leaves: nothing; or raises QuotaExhausted, RateLimited.

Room for this very request is a later question: it is set aside, durably, before each attempt (`forward`). A cache hit
lies between.
"""

from greyfox_core.errors import QuotaExhausted
from greyfox_core.quota.admission import Admission
from greyfox_core.values.exchange import Exchange


class Admit:
    """Asks the quotas of the model that would answer."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def __call__(self, exchange: Exchange) -> None:
        """Raise where the caller has nothing left or comes too fast."""
        who, resolution = exchange.principal, exchange.resolution
        assert who is not None and resolution is not None
        if exchange.parsed is None:
            return
        model = resolution.targets[0].model
        if not self._admission.ready(who, model):
            await self._admission.prepare(who, model)
        try:
            self._admission.check(who, model, produces_output=exchange.parsed.produces_output)
        except QuotaExhausted as exhausted:
            if not exchange.rules.config.accounting.serve_hits_when_exhausted:
                raise
            exchange.exhausted = exhausted.at_rest()  # told unless the cache knows the answer
