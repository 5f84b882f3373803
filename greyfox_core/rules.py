"""One version of the configuration, made ready for use. A request keeps the one it began with to its end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from greyfox_core.config.load import Loaded
from greyfox_core.config.schema import Config, Upstream
from greyfox_core.dialects.paths import Served
from greyfox_core.forwarding.addresses import TunnelPolicy
from greyfox_core.routing.router import Router

AUTH_FIELDS = {"openai": "bearer", "anthropic": "x-api-key", "gemini": "x-goog-api-key", "ollama": "bearer"}
OPENAI_HOST = "api.openai.com"


@dataclass(frozen=True)
class Rules:
    """`hosts` maps a lower-case host name to the upstream that HTTPS_PROXY clients reach under it; `served` is each
    upstream as its paths are read.
    """

    config: Config
    folder: Path
    router: Router
    hosts: Mapping[str, str]
    served: Mapping[str, Served]
    tunnels: TunnelPolicy

    @classmethod
    def of(cls, loaded: Loaded, draw: Callable[[], float]) -> "Rules":
        """Make a loaded configuration ready. `draw` gives numbers in [0, 1) for weighted routes."""
        config = loaded.config
        hosts = {host.lower(): name for name, upstream in config.upstreams.items() for host in upstream.hosts}
        return cls(
            config=config,
            folder=loaded.path.parent,
            router=Router(config, draw),
            hosts=hosts,
            served={
                name: Served.of(upstream.dialect, upstream.base_url, upstream.allow_paths)
                for name, upstream in config.upstreams.items()
            },
            tunnels=TunnelPolicy(config.proxy.allow),
        )

    def upstream(self, name: str) -> Upstream:
        """The upstream of that name in the configuration."""
        return self.config.upstreams[name]

    def auth_field(self, upstream: Upstream) -> str:
        """`bearer`, `none`, or the header field that carries the upstream's key."""
        return upstream.auth or AUTH_FIELDS[upstream.dialect]

    def cap_field(self, upstream: Upstream) -> str:
        """The field that an output cap of chat completions is written to."""
        if upstream.cap_field is not None:
            return upstream.cap_field
        modern = OPENAI_HOST in upstream.base_url or ".azure.com" in upstream.base_url
        return "max_completion_tokens" if modern else "max_tokens"
