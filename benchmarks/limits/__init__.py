"""What no ASGI application can be cheaper than."""
