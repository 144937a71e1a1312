"""Whose messages one may read, and in whose name one may send, outside demo mode."""

import pytest

from messaging.models import Message
from realtime.database import in_database
from realtime.testing import OperationError
from tests.people import Person, person

pytestmark = pytest.mark.usefixtures("outside_demo")

READ = "query ($id: String!) { messages(userId: $id) { success errors messages { content } } }"
LISTEN = """subscription ($id: String!, $after: String) {
    messages(userId: $id, after: $after) { content } }"""
SEND = """mutation ($from: String!, $to: String!) {
    createMessage(senderId: $from, recipientId: $to, content: "Hello") { success errors } }"""


async def refusal(reader: Person, query: str, **variables: str) -> str:
    """Return what the server says to somebody who may not."""
    async with reader.client() as client:
        with pytest.raises(OperationError) as caught:
            if query.startswith("subscription"):
                await client.subscribe(query, variables)
            else:
                await client.query(query, variables)
    assert caught.value.codes == ["FORBIDDEN"]
    message: str = caught.value.errors[0]["message"]
    return message


@pytest.fixture
def message(ariadne: Person, theseus: Person) -> Message:
    return Message.objects.create(sender=ariadne.user, recipient=theseus.user, content="Hello")


class TestReading:
    async def test_the_own_messages_cost_what_they_cost_in_demo_mode(
        self, message: Message, theseus: Person, queries: list[str]
    ) -> None:
        async with theseus.client() as client:
            queries.clear()
            answer = await client.query(READ, {"id": theseus.id})
        assert answer["messages"]["messages"] == [{"content": "Hello"}]
        assert len(queries) == 2  # head of the topic, messages

    async def test_the_own_inbox_can_be_followed(self, ariadne: Person, theseus: Person) -> None:
        async with theseus.client() as client:
            inbox = await client.subscribe(LISTEN, {"id": theseus.id})
            create = in_database(Message.objects.create)
            await create(sender=ariadne.user, recipient=theseus.user, content="Hello")
            assert await inbox.receive() == {"messages": {"content": "Hello"}}

    @pytest.mark.parametrize("query", [READ, LISTEN])
    @pytest.mark.parametrize("reader", ["ariadne", "clerk"])
    async def test_those_of_others_are_refused_as_those_of_nobody(
        self, query: str, reader: str, people: dict[str, Person]
    ) -> None:
        ids = (people["theseus"].id, "999", "abc")
        said = {await refusal(people[reader], query, id=id) for id in ids}
        assert len(said) == 1

    async def test_a_permission_without_being_staff_is_none(self, theseus: Person) -> None:
        former = await in_database(person)("former", "messaging.view_message", is_staff=False)
        await refusal(former, READ, id=theseus.id)

    async def test_staff_who_may_view_messages_read_those_of_anyone(
        self, message: Message, theseus: Person
    ) -> None:
        postmaster = await in_database(person)("postmaster", "messaging.view_message")
        async with postmaster.client() as client:
            answer = await client.query(READ, {"id": theseus.id})
            assert answer["messages"]["messages"] == [{"content": "Hello"}]
            inbox = await client.subscribe(LISTEN, {"id": theseus.id, "after": "0"})
            assert await inbox.receive() == {"messages": {"content": "Hello"}}
            nobody = await client.query(READ, {"id": "999"})
            assert nobody["messages"]["errors"] == ["There is no user 999"]

    async def test_what_was_readdressed_is_not_replayed_to_the_first_recipient(
        self, message: Message, ariadne: Person, theseus: Person
    ) -> None:
        message.recipient = ariadne.user
        await in_database(message.save)()
        create = in_database(Message.objects.create)
        await create(sender=ariadne.user, recipient=theseus.user, content="Yours")
        async with theseus.client() as client:
            inbox = await client.subscribe(LISTEN, {"id": theseus.id, "after": "0"})
            assert await inbox.receive() == {"messages": {"content": "Yours"}}


class TestSending:
    async def test_in_the_own_name(self, ariadne: Person, theseus: Person) -> None:
        async with ariadne.client() as client:
            answer = await client.mutate(SEND, {"from": ariadne.id, "to": theseus.id})
        assert answer["createMessage"] == {"success": True, "errors": None}

    @pytest.mark.parametrize("sender", ["ariadne", "clerk"])
    async def test_in_that_of_another_is_refused(
        self, sender: str, people: dict[str, Person]
    ) -> None:
        asker = people[sender]
        for id in (people["theseus"].id, "999", "abc"):
            await refusal(asker, SEND, **{"from": id, "to": asker.id})
        assert not await Message.objects.aexists()

    async def test_staff_who_may_add_messages_send_in_any(
        self, ariadne: Person, theseus: Person
    ) -> None:
        postmaster = await in_database(person)("postmaster", "messaging.add_message")
        async with postmaster.client() as client:
            answer = await client.mutate(SEND, {"from": ariadne.id, "to": theseus.id})
            assert answer["createMessage"]["success"]
            unknown = await client.mutate(SEND, {"from": "999", "to": theseus.id})
        assert unknown["createMessage"]["errors"] == ["There is no sender 999"]
