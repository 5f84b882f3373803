"""The first virtual key: made once, on the very first start, and shown once."""

import getpass
from dataclasses import dataclass
from typing import Protocol

from greyfox_core.auth.keys import PEPPER_VERSION, KeyRecord, digest_of, new_id, new_key
from greyfox_core.clock import Clock
from greyfox_core.connect_lines import connect_lines


class FirstKeys(Protocol):
    """What this needs of the store of keys."""

    def add_now(self, record: KeyRecord) -> None:
        """Durable on return; before the loop runs."""
        ...


@dataclass(frozen=True, slots=True)
class FirstKey:
    """`key` is the secret itself: to be printed once and forgotten."""

    user: str
    key: str


def issue_first_key(keys: FirstKeys, pepper: bytes, clock: Clock) -> FirstKey:
    """Make a key for the person who starts the gateway, with the role `admin`."""
    key = new_key()
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "first"
    keys.add_now(
        KeyRecord(
            id=new_id(),
            digest=digest_of(key, pepper),
            pepper_version=PEPPER_VERSION,
            name="first key",
            user=user,
            team=None,
            roles=frozenset(("admin",)),
            models=(),
            created_at=clock.now(),
        )
    )
    return FirstKey(user, key)


def welcome(first: FirstKey, address: str, command: str) -> str:
    """What to do with it, ready to paste.

    `address` is the gateway's own, `http://127.0.0.1:8080`; `command` is `greyfox` as its reader can type it.
    """
    tools = "\n\n".join(
        "\n".join(f"    {line}" for line in (f"# {tool}", *lines))
        for tool, lines in connect_lines(address, first.key).items()
    )
    return f"""
  Welcome to GreyFox. This is your first key; it is shown this once:

    {first.key}

  Try it:

    curl {address}/v1/chat/completions -H 'Authorization: Bearer {first.key}' \\
      -H 'Content-Type: application/json' \\
      -d '{{"model": "gpt-4o-mini", "messages": [{{"role": "user", "content": "Hello"}}]}}'

  Point your tools at it:

{tools}

  More keys: {command} key create --user NAME. What is left: {address}/greyfox/me
"""
