"""Long lists of messages come in pages."""

from typing import Any

import pytest

from messaging.models import Message, Room, RoomMessage
from realtime.database import in_database
from realtime.testing import GraphQLClient, OperationError
from tests.people import Person

INBOX = """query ($id: String!, $last: Int, $before: ID) {
    messages(userId: $id, last: $last, before: $before) { success errors messages { id } } }"""
HISTORY = """query ($id: String!, $last: Int, $before: ID) {
    history(chatroom: $id, last: $last, before: $before) { id } }"""
SNAPSHOT = """query ($id: String!, $last: Int, $before: ID) {
    roomMessages(chatroom: $id, last: $last, before: $before) { messages { id } } }"""


@pytest.fixture(autouse=True)
def _written(ariadne: Person, theseus: Person, settings: Any) -> None:
    """Five messages between the two, and five in the room "kittens"; the ids are 1 to 5."""
    settings.REALTIME = {**settings.REALTIME, "MAX_PAGE_SIZE": 3}
    Room.objects.create(name="kittens")
    for pk in range(1, 6):
        sender, recipient = (ariadne, theseus) if pk % 2 else (theseus, ariadne)
        Message.objects.create(pk=pk, sender=sender.user, recipient=recipient.user, content="Hi")
        RoomMessage.objects.create(pk=pk, room_id="kittens", sender=sender.user, text="Hi")


async def page(client: GraphQLClient, query: str, of: Person, **arguments: Any) -> list[int]:
    data = await client.query(query, {"id": of.id if query == INBOX else "kittens", **arguments})
    field = data.get("messages") or data.get("roomMessages") or data["history"]
    messages = field if isinstance(field, list) else field["messages"]
    return [int(message["id"]) for message in messages]


@pytest.mark.parametrize("query", [INBOX, HISTORY, SNAPSHOT], ids=["inbox", "history", "snapshot"])
@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ({}, [3, 4, 5]),
        ({"last": None, "before": None}, [3, 4, 5]),
        ({"last": 2}, [4, 5]),
        ({"before": "3"}, [1, 2]),
        ({"last": 1, "before": "3"}, [2]),
        ({"last": 0}, []),
        ({"before": "1"}, []),
        ({"before": "999"}, [3, 4, 5]),
    ],
)
async def test_a_page(
    query: str,
    arguments: dict[str, Any],
    ids: list[int],
    graphql_client: GraphQLClient,
    theseus: Person,
) -> None:
    assert await page(graphql_client, query, theseus, **arguments) == ids


NONSENSE = [
    ({"last": 4}, "A page has 0 to 3 objects"),
    ({"before": "abc"}, "No page begins at abc"),
    ({"before": "0"}, "No page begins at 0"),
]


@pytest.mark.parametrize("query", [HISTORY, SNAPSHOT], ids=["history", "snapshot"])
@pytest.mark.parametrize(("arguments", "error"), NONSENSE)
async def test_a_page_that_cannot_be(
    query: str,
    arguments: dict[str, Any],
    error: str,
    graphql_client: GraphQLClient,
    theseus: Person,
) -> None:
    with pytest.raises(OperationError, match=error) as caught:
        await page(graphql_client, query, theseus, **arguments)
    assert caught.value.codes == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(("arguments", "error"), NONSENSE)
async def test_a_page_of_an_inbox_that_cannot_be(
    arguments: dict[str, Any], error: str, graphql_client: GraphQLClient, theseus: Person
) -> None:
    answer = await graphql_client.query(INBOX, {"id": theseus.id, **arguments})
    assert answer["messages"] == {"success": False, "errors": [error], "messages": None}


async def test_a_message_to_oneself_is_one(graphql_client: GraphQLClient, theseus: Person) -> None:
    own = {"sender": theseus.user, "recipient": theseus.user, "content": "Do not forget"}
    await in_database(Message.objects.create)(pk=6, **own)
    assert await page(graphql_client, INBOX, theseus) == [4, 5, 6]
