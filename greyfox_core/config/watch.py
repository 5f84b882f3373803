"""Notices that the file has changed, and loads it. What is broken is told once, and what was in force stays.

An editor writes a file in pieces, and half a file can be a valid one: without its quotas, say. So a change counts
once two looks in a row have found the same content.

Errors:  ConfigError from the first load and from `changed`, with the reason; `current` is then as before.
"""

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from greyfox_core.config.findings import Place, report
from greyfox_core.config.load import Loaded, load_bytes, read_bytes
from greyfox_core.errors import ConfigError

UNCHANGED = "The configuration in force is unchanged."
FIXED: tuple[tuple[Place, str], ...] = (
    (("store",), "store cannot change while the gateway runs: restart it, or take the change back"),
    (("admin", "listen"), "admin.listen cannot change while the gateway runs: restart it, or take the change back"),
)


class ConfigSource:
    """One file, watched. Making it loads the file: not for the event loop."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        data = read_bytes(path)
        self._path = path
        self._environ = dict(environ)
        self._settled = self._seen = sha256(data).digest()
        self.current: Loaded = load_bytes(data, path, environ)

    async def changed(self) -> Loaded | None:
        """The new configuration, which is `current` from now on; None where there is none. Call it every second or
        so.
        """
        return await asyncio.to_thread(self.poll)

    def poll(self) -> Loaded | None:
        """`changed`, blocking."""
        data, reason = self._look()
        digest = sha256(reason.encode() if data is None else data).digest()
        steady, self._seen = digest == self._seen, digest
        if not steady or digest == self._settled:
            return None
        self._settled = digest  # whatever comes of it, this content is not told twice
        if data is None:
            raise ConfigError(f"{reason}. {UNCHANGED}")
        try:
            fresh = load_bytes(data, self._path, self._environ)
        except ConfigError as error:
            raise ConfigError(f"{error} {UNCHANGED}") from None
        self._refuse_fixed(fresh)
        if fresh.config == self.current.config:  # a comment has changed, or a broken change was taken back
            return None
        self.current = fresh
        return fresh

    def _look(self) -> tuple[bytes | None, str]:
        try:
            return read_bytes(self._path), ""
        except ConfigError as error:
            return None, str(error)

    def _refuse_fixed(self, fresh: Loaded) -> None:
        problems = [
            fresh.problem(place, message)
            for place, message in FIXED
            if _value(fresh, place) != _value(self.current, place)
        ]
        if problems:
            raise ConfigError(f"{report(problems)} {UNCHANGED}")


def _value(loaded: Loaded, place: Place) -> object:
    value: object = loaded.config
    for step in place:
        value = getattr(value, str(step))
    return value
