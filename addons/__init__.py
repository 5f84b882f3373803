"""GreyFox as a mitmproxy script: `mitmdump -s addons/__init__.py`. The order of the list is the story of a request."""

import sys
from pathlib import Path

# mitmproxy loads this file as a script, outside its package, and only while it loads is its folder on the path.
_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

if __name__ != "addons":  # as the package that the script itself imports, this file is only a folder's name
    from addons._flow import House
    from addons.auth import Auth
    from addons.cache import Cache
    from addons.fast import Fast
    from addons.fast_door import FastDoor
    from addons.headers import Headers
    from addons.ingress import Ingress
    from addons.quota import Quota
    from addons.resolve import Resolve
    from addons.router import Router
    from addons.start import Start
    from addons.stream import Stream

    house = House()
    fast = FastDoor(house)
    addons = [
        Start(house),  # opens and closes the house
        Ingress(house, fast),  # which way in, which upstream; tunnels
        Auth(house),  # who calls
        Resolve(house),  # which model will answer
        Quota(house),  # may the caller ask now
        Cache(house),  # is the answer known
        Router(house),  # ask the upstream, with room set aside for each attempt
        Headers(house),  # x-greyfox-* on the answer's head
        Stream(house),  # the answer's pieces, and the end of the exchange
        Fast(fast),  # all of them in one go, where nobody watches flows
    ]
