"""The stand-in provider as a process: `python -m tests.kit.provider --port 9100`.

Prints its address when it listens, then serves until SIGTERM or SIGINT. Admin: /_bill, /_reset, /_behave, /_release.
"""

import argparse
import asyncio
import signal

from tests.kit.provider.server import Provider


async def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.kit.provider", description=__doc__)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options.add_argument("--keep", type=int, default=1000, help="bill entries kept; totals count all")
    chosen = options.parse_args()
    enough = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, enough.set)
    async with Provider(host=chosen.host, port=chosen.port, keep=chosen.keep) as provider:
        print(provider.url, flush=True)
        await enough.wait()


if __name__ == "__main__":
    asyncio.run(main())
