"""How fast GreyFox is beside stock mitmproxy, on this machine: `python -m bench`."""
