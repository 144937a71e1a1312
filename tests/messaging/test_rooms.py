"""Who may read and write in a room, outside demo mode."""

from functools import partial
from typing import Any

import pytest

from messaging.models import Membership, Room, RoomMessage
from messaging.services import write_in_room
from realtime.database import in_database
from realtime.testing import GraphQLClient, OperationError
from tests.people import Person, person

pytestmark = pytest.mark.usefixtures("outside_demo")

HISTORY = "query ($room: String!) { history(chatroom: $room) { text } }"
SNAPSHOT = "query ($room: String!) { roomMessages(chatroom: $room) { messages { text } } }"
LISTEN = """subscription ($room: String!, $after: String) {
    onNewChatMessage(chatroom: $room, after: $after) { text } }"""
SEND = 'mutation ($room: String!) { sendChatMessage(chatroom: $room, text: "Hi!") { ok errors } }'

READING = [HISTORY, SNAPSHOT, LISTEN]


@pytest.fixture
def loft(ariadne: Person) -> Room:
    """A private room, of which Ariadne is a member."""
    room = Room.objects.create(name="loft", is_public=False)
    Membership.objects.create(room=room, user=ariadne.user)
    write_in_room(sender=ariadne.user, room="loft", text="Thread")
    return room


async def read(client: GraphQLClient, query: str, room: str) -> Any:
    """Return the texts that somebody reads."""
    if query == LISTEN:
        live = await client.subscribe(query, {"room": room, "after": "0"})
        return [(await live.receive())["onNewChatMessage"]["text"]]
    data = await client.query(query, {"room": room})
    messages = data["history"] if query == HISTORY else data["roomMessages"]["messages"]
    return [message["text"] for message in messages]


async def is_refused(asker: Person, query: str, room: str = "loft") -> bool:
    async with asker.client() as client:
        with pytest.raises(OperationError) as caught:
            await read(client, query, room)
    return caught.value.codes == ["FORBIDDEN"]


class TestPublic:
    async def test_any_user_may_write_and_read(self, ariadne: Person, theseus: Person) -> None:
        async with ariadne.client() as client:
            answer = await client.mutate(SEND, {"room": "kittens"})
        assert answer["sendChatMessage"] == {"ok": True, "errors": None}
        async with theseus.client() as client:
            for query in READING:
                assert await read(client, query, "kittens") == ["Hi!"]

    async def test_a_room_is_public_if_someone_makes_it_by_writing(self, ariadne: Person) -> None:
        await in_database(write_in_room)(sender=ariadne.user, room="kittens", text="Hi!")
        assert (await Room.objects.aget()).is_public

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            (HISTORY, 2),  # may one, messages
            (SNAPSHOT, 3),  # may one, head of the topic, messages
            (LISTEN, 2),  # may one, head of the topic
            (SEND, 6),  # changes of permissions, may one, room, message, offset, event
        ],
        ids=["history", "snapshot", "subscription", "writing"],
    )
    async def test_what_an_operation_costs(
        self, query: str, count: int, ariadne: Person, queries: list[str]
    ) -> None:
        await in_database(Room.objects.create)(name="kittens")
        async with ariadne.client() as client:
            queries.clear()
            if query == LISTEN:
                await client.subscribe(query, {"room": "kittens"})
            else:
                await client.query(query, {"room": "kittens"})
            assert len([sql for sql in queries if not sql.startswith("BEGIN")]) == count


@pytest.mark.usefixtures("loft")
class TestPrivate:
    @pytest.mark.parametrize("query", READING)
    async def test_members_read(self, query: str, ariadne: Person) -> None:
        async with ariadne.client() as client:
            assert await read(client, query, "loft") == ["Thread"]

    async def test_members_write(self, ariadne: Person) -> None:
        async with ariadne.client() as client:
            assert (await client.mutate(SEND, {"room": "loft"}))["sendChatMessage"]["ok"]

    @pytest.mark.parametrize("query", [*READING, SEND])
    @pytest.mark.parametrize("who", ["theseus", "clerk"])
    async def test_others_are_refused(
        self, query: str, who: str, people: dict[str, Person]
    ) -> None:
        assert await is_refused(people[who], query)
        assert await RoomMessage.objects.acount() == 1

    async def test_members_of_other_rooms_are_others(self, theseus: Person) -> None:
        attic = await in_database(Room.objects.create)(name="attic", is_public=False)
        await in_database(Membership.objects.create)(room=attic, user=theseus.user)
        assert await is_refused(theseus, HISTORY)

    @pytest.mark.parametrize("query", READING)
    async def test_staff_who_may_view_room_messages_read(self, query: str) -> None:
        porter = await in_database(person)("porter", "messaging.view_roommessage")
        async with porter.client() as client:
            assert await read(client, query, "loft") == ["Thread"]
        assert await is_refused(porter, SEND)

    async def test_staff_who_may_add_room_messages_write(self) -> None:
        porter = await in_database(person)("porter", "messaging.add_roommessage")
        async with porter.client() as client:
            assert (await client.mutate(SEND, {"room": "loft"}))["sendChatMessage"]["ok"]
        assert await is_refused(porter, HISTORY)

    async def test_what_was_moved_into_it_is_not_replayed_in_the_room_before(
        self, ariadne: Person, theseus: Person
    ) -> None:
        write = in_database(write_in_room)
        moved = await write(sender=ariadne.user, room="kittens", text="Secret")
        await in_database(RoomMessage.objects.filter(pk=moved.pk).update)(room="loft")
        await write(sender=ariadne.user, room="kittens", text="Open")
        async with theseus.client() as client:
            assert await read(client, LISTEN, "kittens") == ["Open"]


@pytest.mark.usefixtures("loft")
class TestRevocation:
    async def ends(self, client: GraphQLClient, room: str, change: Any) -> None:
        live = await client.subscribe(LISTEN, {"room": room})
        await in_database(change)()
        await in_database(RoomMessage.objects.create)(room_id=room, text="Too late")
        with pytest.raises(OperationError) as caught:
            await live.receive()
        assert caught.value.codes == ["FORBIDDEN"]

    async def test_who_is_no_longer_a_member_gets_nothing_more(self, ariadne: Person) -> None:
        async with ariadne.client() as client:
            await self.ends(client, "loft", Membership.objects.all().delete)

    async def test_others_get_nothing_more_of_a_room_that_is_made_private(
        self, theseus: Person
    ) -> None:
        kittens = await in_database(Room.objects.create)(name="kittens")
        kittens.is_public = False
        async with theseus.client() as client:
            await self.ends(client, "kittens", kittens.save)

    async def test_nor_of_one_that_is_made_and_is_private(self, theseus: Person) -> None:
        make = partial(Room.objects.create, name="kittens", is_public=False)
        async with theseus.client() as client:
            await self.ends(client, "kittens", make)


async def test_in_demo_mode_anyone_may_everything(
    loft: Room, graphql_client: GraphQLClient, settings: Any
) -> None:
    settings.CLEW_DEMO = True
    assert (await graphql_client.mutate(SEND, {"room": "loft"}))["sendChatMessage"]["ok"]
    assert await read(graphql_client, HISTORY, "loft") == ["Thread", "Hi!"]
