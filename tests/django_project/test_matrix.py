"""Every field, as every role gets it, over every transport; generated from the schema."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product
from string import Template
from typing import Any

import pytest
from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_object_type
from graphql.type import GraphQLOutputType

from accounts.models import User
from messaging.models import Membership, Message, Room, RoomMessage
from orders.models import Order
from realtime.broadcasts import broadcast
from realtime.database import in_database
from realtime.testing import ConnectionClosedError
from tests.django_project import rules
from tests.django_project.rules import FIELDS, ROLES, ROOTS, Example, Seen
from tests.django_project.transports import TRANSPORTS, WITH_TOKEN, Ask, Result
from tests.people import Person, logged_in, person

NEW = count(1)


def schema() -> GraphQLSchema:
    from django_project.schema import schema

    return schema


def roots() -> dict[str, GraphQLObjectType]:
    """Return the root types by the keyword of their operations."""
    given = schema().query_type, schema().mutation_type, schema().subscription_type
    return {root.name.lower(): root for root in given if root is not None}


def fields_of_objects() -> Iterator[tuple[str, str]]:
    for each in schema().type_map.values():
        is_ours = not each.name.startswith("__") and each not in roots().values()
        if is_object_type(each) and is_ours:
            yield from ((each.name, name) for name in each.fields)


def selection(of: GraphQLOutputType, *above: str) -> str:
    """Return the selection of all fields of a type, and of their types."""
    named = get_named_type(of)
    if not is_object_type(named):
        return ""
    fields = (
        f"{name} {selection(field.type, *above, named.name)}"
        for name, field in named.fields.items()
        if get_named_type(field.type).name not in (*above, named.name)
    )
    return f"{{ {' '.join(fields)} }}"


@dataclass(frozen=True)
class Case:
    """An example of a root field, as an operation that asks for all there is in its result."""

    kind: str
    name: str
    example: Example

    @property
    def type(self) -> GraphQLOutputType:
        type: GraphQLOutputType = roots()[self.kind].fields[self.name].type
        return type

    def document(self, **ids: str) -> str:
        call = Template(self.example.call).substitute(ids, new=f"new_password_{next(NEW)}")
        return f"{self.kind} {{ {call} {selection(self.type)} }}"


def cases() -> list[Case]:
    return [
        Case(kind, name, example)
        for kind, root in roots().items()
        for name in root.fields
        for example in ROOTS.get(f"{root.name}.{name}", ())
    ]


def objects(of: GraphQLOutputType, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects in a value, each with the name of its type."""
    named = get_named_type(of)
    if not is_object_type(named) or value is None:
        return
    for each in value if isinstance(value, list) else [value]:
        yield named.name, each
        for name, field in named.fields.items():
            yield from objects(field.type, each.get(name))


@dataclass(frozen=True)
class World:
    """The people, and what there is to ask for."""

    application: Any
    people: dict[str, Person | None]
    order: str

    def id(self, role: str) -> str | None:
        asker = self.people[role]
        return None if asker is None else asker.id

    def faults(self, role: str, case: Case, result: Result) -> Iterator[str]:
        """Say what of a result is not as the table has it."""
        expected, data = case.example.gets[role], result.get("data")
        value = data and data[case.name]
        codes = [error.get("extensions", {}).get("code") for error in result.get("errors", [])]
        if codes != ([expected] if expected in rules.CODES else []):
            yield f"errors {result['errors']}" if codes else f"no error but {value}"
        if expected in {*rules.CODES, rules.NULL}:
            if value is not None:
                yield f"data {value}"
            return
        if value is None or value == []:
            yield "no data"
        found = [*objects(case.type, value)]
        names = {each["username"] for type, each in found if type == "User"}
        if (those := self._those(role, expected)) is not None and names != those:
            yield f"the objects of {names}"
        afterwards = role if case.example.becomes in {None, rules.SAME} else case.example.becomes
        for type, each in found:
            for name, got in each.items():
                seen = Seen(got, each, self.id(afterwards), afterwards)
                if not FIELDS[type][name](seen):
                    yield f"{type}.{name} is {got!r}"

    def _those(self, role: str, expected: str) -> set[str] | None:
        everybody = {*self.people} - {rules.ANONYMOUS}
        return {rules.OWN: {role}, rules.OWNERS: {rules.OWNER}, rules.ALL: everybody}.get(expected)


@pytest.fixture
def world(application: Any, settings: Any) -> World:
    settings.CLEW_DEMO = False
    people: dict[str, Person | None] = {
        rules.ANONYMOUS: None,
        rules.INACTIVE: person(rules.INACTIVE),
        rules.OTHER: person(rules.OTHER),
        rules.CLERK: person(rules.CLERK, is_staff=True),
        rules.OFFICER: person(rules.OFFICER, *rules.PERMISSIONS),
        rules.SUPERUSER: person(rules.SUPERUSER, is_staff=True, is_superuser=True),
        rules.OWNER: person(rules.OWNER),
    }
    buyers = [each for each in people.values() if each is not None]
    orders = [Order.objects.create(user=each.user, description="Thread") for each in buyers]
    owner = buyers[-1]
    User.objects.filter(username=rules.INACTIVE).update(is_active=False)
    for name, is_public in (("kittens", True), ("loft", False)):
        room = Room.objects.create(name=name, is_public=is_public)
        RoomMessage.objects.create(room=room, sender=owner.user, text="Hello")
    Membership.objects.create(room=room, user=owner.user)
    for buyer in buyers:
        Message.objects.create(sender=owner.user, recipient=buyer.user, content="Hello")
    return World(application, people, str(orders[-1].pk))


class TestTheTable:
    def test_every_root_field_has_an_example(self) -> None:
        fields = {f"{root.name}.{name}" for root in roots().values() for name in root.fields}
        assert fields - ROOTS.keys() == set()

    def test_every_field_of_an_object_has_a_rule(self) -> None:
        ruled = {(type, name) for type in FIELDS for name in FIELDS[type]}
        assert {*fields_of_objects()} - ruled == set()

    def test_every_example_says_what_each_role_gets(self) -> None:
        for examples in ROOTS.values():
            assert examples
            for example in examples:
                assert example.gets.keys() == set(ROLES)


@in_database
def in_a_new_session(who: Person | None) -> Person | None:
    return who and logged_in(User.objects.get(pk=who.user.pk))


@pytest.mark.parametrize(
    ("role", "transport"),
    [
        (role, transport)
        for role, transport in product(ROLES, TRANSPORTS)
        if role != rules.INACTIVE or transport not in WITH_TOKEN
    ],
)
async def test_what_a_role_gets(role: str, transport: str, world: World) -> None:
    connect, kinds = TRANSPORTS[transport]
    faults: list[str] = []

    async def check(case: Case, ask: Ask) -> None:
        def tell() -> None:
            if case.example.broadcast is not None:
                broadcast(*case.example.broadcast)

        document = case.document(owner=world.id(rules.OWNER) or "", order=world.order)
        result = await ask(document, tell)
        faults.extend(f"{case.example.call}: {each}" for each in world.faults(role, case, result))

    carried = [case for case in cases() if case.kind in kinds]
    async with connect(world.application, world.people[role]) as ask:
        for case in carried:
            if case.example.becomes is None:
                await check(case, ask)
    for case in carried:
        if case.example.becomes is not None:
            somebody = await in_a_new_session(world.people[role])
            async with connect(world.application, somebody) as ask:
                await check(case, ask)
    assert faults == []


class TestATokenThatIsNobodysAnyMore:
    """Unlike a cookie, which browsers send unasked, it is refused itself."""

    async def test_over_http(self, world: World) -> None:
        connect, kinds = TRANSPORTS["POST with a token"]
        async with connect(world.application, world.people[rules.INACTIVE]) as ask:
            for case in cases():
                if case.kind in kinds:
                    result = await ask(case.document(owner="1", order="1"), lambda: None)
                    (error,) = result["errors"]
                    assert error["extensions"]["code"] == rules.UNAUTHENTICATED
                    assert "data" not in result

    async def test_over_a_websocket(self, world: World) -> None:
        connect, _ = TRANSPORTS["graphql-transport-ws with a token"]
        with pytest.raises(ConnectionClosedError) as caught:
            async with connect(world.application, world.people[rules.INACTIVE]):
                pass
        assert caught.value.code == 4403
