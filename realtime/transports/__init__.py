"""Where ASGI and Starlette meet the engine: one module a transport."""
