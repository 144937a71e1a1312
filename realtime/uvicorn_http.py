"""Uvicorn's HTTP, whose connections are heard in turn.

`manage.py serve` uses this; elsewhere `--http realtime.uvicorn_http:HTTP` does.
"""

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from realtime.arrivals import InTurn


class HTTP(InTurn, AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # the one that is installed
    """One connection."""
