"""Virtual keys: how they look, how they are made, and how they are kept.

A key is `gf_` and 43 characters, the base64url form of 32 random bytes. GreyFox keeps its digest alone: HMAC-SHA-256
under the pepper, 32 random bytes in a file beside the database, so that a stolen database verifies nothing.
(A slow hash guards secrets of low entropy; 256 random bits need none, and it would cost milliseconds a request.)

Units:   instants are aware datetimes in UTC.
Errors:  ConfigError where the pepper's file is missing, damaged, or readable by others.
Source:  RFC 4648 section 5 for the alphabet, RFC 2104 for HMAC.
"""

import base64
import contextlib
import hmac
import os
import re
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from greyfox_core.errors import ConfigError

PREFIX = "gf_"
PEPPER_VERSION = 1
PEPPER_BYTES = 32
_KEY = re.compile(r"gf_[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 256 bits leave the last character 4 of its 6


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of one virtual key.

    `models` are globs, empty: any model. `expires_at` is the first moment at which the key no longer holds.
    """

    id: str
    digest: bytes = field(repr=False)
    pepper_version: int
    name: str | None
    user: str
    team: str | None
    roles: frozenset[str]
    models: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def usable(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_key(random: Callable[[int], bytes] = os.urandom) -> str:
    """A fresh secret. `random` gives that many random bytes."""
    return PREFIX + base64.urlsafe_b64encode(random(32)).decode().rstrip("=")


def new_id(random: Callable[[int], bytes] = os.urandom) -> str:
    """A fresh public id: `key_` and 12 characters of base32 (60 random bits)."""
    return "key_" + base64.b32encode(random(8)).decode()[:12].lower()


def well_formed(key: str) -> bool:
    """Whether `key` can be a virtual key at all; what is cut short or changed in case and padding needs no look-up."""
    return _KEY.fullmatch(key) is not None


def digest_of(key: str, pepper: bytes) -> bytes:
    """What the store knows `key` by: 32 bytes."""
    return hmac.digest(pepper, key.encode("utf-8", "surrogatepass"), "sha256")


def pepper_file(database: Path) -> Path:
    """Where the pepper of that database lies: beside it, never in it."""
    return database.with_name(database.name + ".pepper")


def load_pepper(path: Path, *, create: bool) -> bytes:
    """The pepper. `create` makes one where there is none: allowed only while the database holds no key.

    Two processes that create at once end with the same one.
    """
    if create and not path.exists():
        _create(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _unusable(path, "missing: put it back, for without it no key can be verified") from None
    except OSError as error:
        raise _unusable(path, f"not readable ({error.strerror})") from None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        pepper = file.read(PEPPER_BYTES + 1)
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unusable(path, f"readable by others: chmod 600 {path}")
    if len(pepper) != PEPPER_BYTES:
        raise _unusable(path, f"damaged: it must hold exactly {PEPPER_BYTES} bytes; put the right one back")
    return pepper


def _unusable(path: Path, state: str) -> ConfigError:
    return ConfigError(f"{path}: the pepper of the virtual keys is {state}")


def _create(path: Path) -> None:
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.urandom(PEPPER_BYTES))
                file.flush()
                os.fsync(file.fileno())
            # A link fails where the name is taken: the first of two processes wins, and nobody reads half a pepper.
            with contextlib.suppress(FileExistsError):
                os.link(name, path)
            _sync_folder(path.parent)
        finally:
            Path(name).unlink()
    except OSError as error:
        raise ConfigError(f"{path}: cannot make the pepper of the virtual keys: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere folders cannot be opened
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
