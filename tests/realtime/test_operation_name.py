"""An empty `operationName` names no operation, over each transport."""

from collections.abc import Callable

import pytest
from graphql import GraphQLError

from realtime.asgi import graphql_app
from realtime.conf import Settings
from realtime.documents import DocumentCache
from realtime.models import TrustedDocument
from realtime.trusted import hash_of
from tests.realtime.every_transport import STREAMING, TRANSPORTS
from tests.realtime.stranger import Stranger

DONE = {"data": {"quick": "done"}}

every_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@every_transport
@pytest.mark.parametrize("query", ["{ quick }", "query Named { quick }"])
async def test_empty_name_executes_the_only_operation(
    query: str, transport: str, stranger: Stranger
) -> None:
    payload = {"query": query, "operationName": ""}
    assert await TRANSPORTS[transport](graphql_app(stranger.schema), payload) == DONE


@every_transport
async def test_empty_name_of_several_operations_asks_for_a_name(
    transport: str, stranger: Stranger
) -> None:
    payload = {"query": "query A { quick } query B { quick }", "operationName": ""}
    result = await TRANSPORTS[transport](graphql_app(stranger.schema), payload)
    [error] = result["errors"]
    assert error["message"].endswith("multiple operations.")


@pytest.mark.parametrize("transport", STREAMING)
async def test_empty_name_follows_the_only_subscription(transport: str, stranger: Stranger) -> None:
    payload = {"query": "subscription Named { three }", "operationName": ""}
    result = await TRANSPORTS[transport](graphql_app(stranger.schema), payload)
    assert result == {"data": {"three": 1}}


@every_transport
@pytest.mark.django_db(transaction=True)
async def test_empty_name_executes_a_trusted_document(
    transport: str, stranger: Stranger, realtime_settings: Callable[..., None]
) -> None:
    text = "query Named { quick }"
    await TrustedDocument.objects.acreate(hash=hash_of(text), text=text)
    realtime_settings(TRUSTED_ONLY=True)
    payload = {"documentId": hash_of(text), "operationName": ""}
    assert await TRANSPORTS[transport](graphql_app(stranger.schema), payload) == DONE


def test_empty_name_does_not_evade_the_limit_of_pages(stranger: Stranger) -> None:
    documents = DocumentCache(stranger.schema, Settings(max_page_size=10))
    data = {
        "query": "query Named($n: Int) { slow(first: $n) }",
        "variables": {"n": 11},
        "operationName": "",
    }
    with pytest.raises(GraphQLError, match="items on a page"):
        documents(None, data)
