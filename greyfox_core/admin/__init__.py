"""The operator's own listener, apart from the proxy port: health, readiness, metrics."""
