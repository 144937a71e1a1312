"""A pytest plugin: `pytest_plugins = ["realtime.testing.fixtures"]` in the topmost conftest.py.

It needs pytest-asyncio, in any mode, and pytest-django.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from realtime.testing.client import GraphQLClient
from realtime.testing.socket import Application


@pytest.fixture
def graphql_application() -> Application | None:
    """Name the application of `graphql_client`; None is that of the settings. To be overridden."""
    return None


@pytest_asyncio.fixture
async def graphql_client(
    transactional_db: None, graphql_application: Application | None
) -> AsyncIterator[GraphQLClient]:
    """Return a client that is connected. Events need commits, hence the kind of database."""
    async with GraphQLClient(graphql_application) as client:
        yield client
