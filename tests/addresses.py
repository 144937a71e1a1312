"""Where the connections of a test come from."""

from typing import Any


def from_address(application: Any, address: str | None) -> Any:
    """Give connections a client, as servers do."""

    async def run(scope: Any, receive: Any, send: Any) -> None:
        await application({**scope, "client": address and (address, 5000)}, receive, send)

    return run
