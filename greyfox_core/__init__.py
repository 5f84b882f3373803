"""The core of GreyFox: everything that can be said without mitmproxy."""
