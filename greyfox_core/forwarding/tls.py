"""What an upstream's certificate is verified by: made once for each CA file, and off the loop.

Making a context reads and parses every trusted certificate, which takes some 20 ms.
Errors: OSError (ssl.SSLError is one) for a file that cannot be read or holds no certificates.
"""

import asyncio
import ssl
from pathlib import Path

HTTP_1 = ("http/1.1",)


class Contexts:
    """The contexts of one client. They verify the chain and the name."""

    def __init__(self) -> None:
        self._made: dict[Path | None, ssl.SSLContext] = {}

    async def of(self, ca_file: Path | None) -> ssl.SSLContext:
        """For one upstream; `ca_file` None: by the machine's trusted CAs."""
        context = self._made.get(ca_file)
        if context is None:
            made = await asyncio.to_thread(_context, ca_file)
            # A connection belongs to its context: whoever was first decides.
            context = self._made.setdefault(ca_file, made)
        return context


def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.set_alpn_protocols(HTTP_1)
    return context
