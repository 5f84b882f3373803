"""Where a request goes that costs no tokens: lists of models, exact counts, what the operator lets pass. Pure.

No rule is asked: rules are about what a request holds, and this one is not read. An alias in the path is followed, so
that tokens are counted for the model that would answer.

Errors: NoRoute, Forbidden.
"""

from greyfox_core.config.schema import Config
from greyfox_core.errors import Forbidden, NoRoute
from greyfox_core.routing.aliases import follow
from greyfox_core.routing.defaults import Defaults
from greyfox_core.values.endpoint import Endpoint
from greyfox_core.values.principal import Principal
from greyfox_core.values.target import Resolution, Target


def resolve_free(config: Config, who: Principal, endpoint: Endpoint, *, addressed: str | None) -> Resolution:
    """The addressed upstream, else the model's, else one that speaks the API. A model in the path must be allowed."""
    defaults = Defaults(config.upstreams)
    model, name = "", addressed
    if endpoint.model is not None:
        model, pinned = follow(config.aliases, endpoint.model)
        for wanted in (endpoint.model, model):
            if not who.may_use(wanted):
                raise Forbidden(f"This key may not use model {wanted}.", param="model")
        speaks = pinned is not None and config.upstreams[pinned].dialect == endpoint.api
        name = (pinned if speaks else None) or addressed or defaults.for_model(endpoint.api, model)
    name = name or defaults.any(endpoint.api)
    if name is None:
        raise NoRoute(f"No upstream speaks this API ({endpoint.api}).")
    return Resolution("default", (Target(name, model),))
