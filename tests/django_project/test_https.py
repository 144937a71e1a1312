"""Plain HTTP is sent to HTTPS."""

from typing import Any

import pytest
from channels.testing import HttpCommunicator

from django_project.https import RequireHTTPS


@pytest.mark.parametrize(
    ("host", "location"),
    [
        ("example.org", b"https://example.org/graphql/"),
        ("example.org:80", b"https://example.org/graphql/"),
        ("example.org:8000", b"https://example.org:8000/graphql/"),
    ],
)
async def test_the_default_port_of_http_is_not_kept(host: str, location: bytes) -> None:
    async def app(*_: Any) -> None: ...

    communicator = HttpCommunicator(
        RequireHTTPS(app), "POST", "/graphql/", headers=[(b"host", host.encode())]
    )
    response = await communicator.get_response(timeout=10)
    assert response["status"] == 307
    assert dict(response["headers"])[b"location"] == location
