"""The metrics page: who may read it."""

from typing import Any

import pytest
from django.test import AsyncClient

TOKEN = "a-token"
METRIC = "realtime_websocket_connections"


@pytest.fixture
def client(settings: Any) -> AsyncClient:
    settings.METRICS_TOKEN = TOKEN
    return AsyncClient(headers={"host": "127.0.0.1"})


async def test_who_bears_the_token_reads_it(client: AsyncClient) -> None:
    response = await client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    assert f"\n{METRIC} " in response.content.decode()
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_prometheus_gets_the_format_that_it_prefers(client: AsyncClient) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    headers = {"authorization": f"Bearer {TOKEN}", "accept": accept}
    response = await client.get("/metrics", headers=headers)
    assert response.headers["content-type"].startswith("application/openmetrics-text")


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer a-tokem", f"Basic {TOKEN}", "é"])
async def test_anyone_else_does_not(authorization: str, client: AsyncClient) -> None:
    response = await client.get("/metrics", headers={"authorization": authorization})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.content == b""


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer "])
async def test_without_a_token_there_is_no_page(
    authorization: str, client: AsyncClient, settings: Any
) -> None:
    settings.METRICS_TOKEN = ""
    response = await client.get("/metrics", headers={"authorization": authorization})
    assert response.status_code == 404
