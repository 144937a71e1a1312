"""The composition: settings, schema, URLs, ASGI application; nothing of a domain."""
