"""A CONNECT that was let through."""

from dataclasses import dataclass

from greyfox_core.values.principal import Principal


@dataclass(frozen=True, slots=True)
class Tunnel:
    """`upstream` names the configured upstream whose host this is: its traffic is governed. None: bytes pass untouched.
    `principal` is who opened it; requests inside that bring no credential of their own are theirs.
    `address` is what `host` resolved to when it was judged: the only address that may be dialled. None: nothing may.
    """

    host: str
    port: int
    upstream: str | None
    principal: Principal
    address: str | None = None
