"""A real Uvicorn on the event loop of the test, set as `manage.py serve` sets it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

PATIENCE = 10.0


@asynccontextmanager
async def served(application: Any, **options: Any) -> AsyncIterator[uvicorn.Server]:
    """Serve an application on a port of its own; the server is up when this is entered."""
    config = uvicorn.Config(
        application,
        port=0,
        lifespan="off",
        log_config=None,
        http="realtime.uvicorn_http:HTTP",
        ws="realtime.uvicorn_websocket:WebSocket",
        ws_per_message_deflate=False,
        **options,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    try:
        while not server.started:
            await asyncio.sleep(0.001)
        yield server
    finally:
        server.should_exit = True
        await serving


def url(server: uvicorn.Server) -> str:
    """Return where its WebSockets are."""
    host, port = server.servers[0].sockets[0].getsockname()
    return f"ws://{host}:{port}"
