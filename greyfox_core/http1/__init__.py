"""HTTP/1 as the gateway reads it from its callers: heads, bodies, answers. No sockets."""
