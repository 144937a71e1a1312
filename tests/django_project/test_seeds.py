"""Every operation that the seed schemas (seed.graphql) admit is valid here, and works."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    DangerousChangeType,
    GraphQLArgument,
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    Undefined,
    ast_from_value,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_non_null_type,
    is_object_type,
    is_required_argument,
    parse,
    print_ast,
    validate,
)

from accounts.models import User
from messaging.services import send_message, write_in_room
from messaging.topics import ANNOUNCEMENTS
from orders.models import Order
from realtime.broadcasts import broadcast
from realtime.database import in_database
from realtime.testing import GraphQLClient, OperationError
from tests.django_project.transports import TRANSPORTS, WITH_TOKEN, Then
from tests.people import PASSWORD, Person, person

SEED = build_schema((Path(__file__).parent / "seed.graphql").read_text())
NAMES = count(1)


@dataclass(frozen=True)
class Operation:
    """A root field of a seed."""

    kind: str
    name: str
    field: GraphQLField

    def document(self, form: "Form", values: dict[str, Any]) -> str:
        """Return an operation that selects all fields of the result, by fragments."""
        declared = " ".join(filter(None, (form.declare(*item) for item in self.field.args.items())))
        given = (form.give(name, arg, values) for name, arg in self.field.args.items())
        arguments = " ".join(filter(None, given))
        call = self.name + (f"({arguments})" if arguments else "")
        variables = f"({declared})" if declared else ""
        types = list(object_types(self.field.type))
        selection = f" {{ ...{types[0].name}Fields }}" if types else ""
        text = f"{self.kind} Seed{variables} {{ {call}{selection} }}"
        return " ".join([text, *map(fragment, types)])

    def variables(self, form: "Form", values: dict[str, Any]) -> dict[str, Any]:
        arguments = self.field.args.items()
        return {
            name: None if form.nulls and not is_required_argument(arg) else values[name]
            for name, arg in arguments
            if form.declare(name, arg)
            and (form.gives_optional or form.nulls or is_required_argument(arg))
        }


@dataclass(frozen=True, kw_only=True)
class Form:
    """How an operation gives its arguments."""

    literals: bool = False
    """As literals, optional ones by their default; else as variables, declared as in the seed."""
    names_optional: bool = True
    """Whether optional arguments stand in the document."""
    gives_optional: bool = True
    """Whether the variables of optional arguments have values."""
    defaults: bool = False
    """Whether variables are declared with the default values of the arguments."""
    nulls: bool = False

    def declare(self, name: str, argument: GraphQLArgument) -> str:
        if self.literals or not (self.names_optional or is_required_argument(argument)):
            return ""
        default = f" = {literal(argument)}" if self.defaults and has_default(argument) else ""
        return f"${name}: {argument.type}{default}"

    def give(self, name: str, argument: GraphQLArgument, values: dict[str, Any]) -> str:
        if not (self.names_optional or is_required_argument(argument)):
            return ""
        if not self.literals:
            return f"{name}: ${name}"
        return f"{name}: {literal(argument, values[name])}"


FORMS = {
    "all arguments": Form(),
    "optional arguments left out": Form(names_optional=False),
    "optional variables left out": Form(gives_optional=False),
    "variables with defaults left out": Form(gives_optional=False, defaults=True),
    "optional variables null": Form(nulls=True),
    "literals": Form(literals=True),
}


def has_default(argument: GraphQLArgument) -> bool:
    return argument.default_value is not Undefined


def literal(argument: GraphQLArgument, value: Any = None) -> str:
    node = ast_from_value(argument.default_value if has_default(argument) else value, argument.type)
    assert node is not None
    return print_ast(node)


def object_types(of: GraphQLOutputType) -> Iterator[GraphQLObjectType]:
    named = get_named_type(of)
    if is_object_type(named):
        yield named
        for field in named.fields.values():
            yield from object_types(field.type)


def fragment(of: GraphQLObjectType) -> str:
    fields = (
        f"{name} {{ ...{get_named_type(field.type).name}Fields }}"
        if is_object_type(get_named_type(field.type))
        else name
        for name, field in of.fields.items()
    )
    return f"fragment {of.name}Fields on {of.name} {{ {' '.join(fields)} }}"


def operations() -> list[Operation]:
    roots = [SEED.query_type, SEED.mutation_type, SEED.subscription_type]
    return [
        Operation(root.name.lower(), name, field)
        for root in roots
        if root is not None
        for name, field in root.fields.items()
    ]


SCALARS: dict[str, Callable[[Any], bool]] = {
    "String": lambda value: isinstance(value, str),
    "Int": lambda value: type(value) is int,
    "Boolean": lambda value: isinstance(value, bool),
    "Date": lambda value: bool(date.fromisoformat(value)) and len(value) == len("2026-11-28"),
}


def conforms(of: GraphQLOutputType, value: Any) -> bool:
    """Tell whether a value is what a client of the seed expects."""
    if value is None:
        return not is_non_null_type(of)
    nullable, named = get_nullable_type(of), get_named_type(of)
    if isinstance(nullable, GraphQLList):
        return isinstance(value, list) and all(conforms(nullable.of_type, each) for each in value)
    if is_object_type(named):
        return named.fields.keys() == value.keys() and all(
            conforms(field.type, value[name]) for name, field in named.fields.items()
        )
    if is_enum_type(named):
        return value in named.values
    return SCALARS[named.name](value)


@pytest.fixture
def viewer(transactional_db: None) -> Person:
    """Return a user with a message and an order, who has written in a room."""
    viewer = person("seed")
    send_message(sender_id=viewer.id, recipient_id=viewer.id, content="Hello")
    Order.objects.create(user=viewer.user)
    write_in_room(sender=viewer.user, room="kittens", text="Hi all!")
    return viewer


def values(viewer: Person) -> dict[str, Any]:
    """Return values by the names of arguments; no username is there already."""
    user = dict.fromkeys(("userId", "senderId", "recipientId"), viewer.id)
    texts = {"content": "Hello there", "chatroom": "kittens", "text": "Hi all!"}
    login = {"username": f"user_{next(NAMES)}", "password": PASSWORD}
    return {**user, **texts, **login, "target": 3}


def trigger(viewer: Person, name: str) -> Then:
    """Return what makes a subscription have a result."""
    send = partial(send_message, sender_id=viewer.id, recipient_id=viewer.id, content="Hello")
    write = partial(write_in_room, sender=viewer.user, room="kittens", text="Hi all!")
    triggers: dict[str, Callable[[], Awaitable[Any] | None]] = {
        "messages": in_database(send),
        "onNewChatMessage": in_database(write),
        "realTimeMessages": lambda: broadcast(ANNOUNCEMENTS, "Hello"),
    }
    return triggers.get(name, lambda: None)


class TestTheTypes:
    def test_nothing_that_a_client_may_rely_on_is_missing_or_another(self) -> None:
        from django_project.schema import schema

        assert find_breaking_changes(SEED, schema) == []

    def test_default_values_are_those_of_the_seed(self) -> None:
        from django_project.schema import schema

        changes = find_dangerous_changes(SEED, schema)
        kinds = {change.type for change in changes}
        assert DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE not in kinds

    @pytest.mark.parametrize("operation", operations(), ids=lambda op: f"{op.kind} {op.name}")
    @pytest.mark.parametrize("form", FORMS)
    def test_an_operation_is_valid_in_both_schemas(self, operation: Operation, form: str) -> None:
        from django_project.schema import schema

        known = dict.fromkeys(operation.field.args, "1") | {"target": 3}
        document = parse(operation.document(FORMS[form], known))
        assert validate(SEED, document) == []
        assert validate(schema, document) == []


@pytest.mark.parametrize("transport", [name for name in TRANSPORTS if name not in WITH_TOKEN])
@pytest.mark.parametrize("form", FORMS)
async def test_operations_work(form: str, transport: str, application: Any, viewer: Person) -> None:
    connect, kinds = TRANSPORTS[transport]
    for operation in operations():
        if operation.kind not in kinds:
            continue
        given = values(viewer)
        if operation.name in {"userId", "login"}:
            given["username"] = viewer.user.username
        document = operation.document(FORMS[form], given)
        variables = operation.variables(FORMS[form], given)
        # A login replaces the session that it comes with.
        asker = None if operation.name == "login" else viewer
        async with connect(application, asker) as ask:
            result = await ask(document, trigger(viewer, operation.name), variables)
        assert "errors" not in result, (document, result)
        value = result["data"][operation.name]
        assert value not in (None, []), document
        assert conforms(operation.field.type, value), (document, value)
        if operation.name == "createMessage":
            complete = form in {"all arguments", "literals"}
            assert (value["success"], value["errors"] is None) == (complete, complete)
        elif isinstance(value, dict):
            assert value.get("success", True), (document, value)
            assert value.get("ok", True), (document, value)


async def test_a_field_that_is_refused_leaves_the_others_their_data(
    viewer: Person, settings: Any
) -> None:
    settings.CLEW_DEMO = False
    async with viewer.client() as client:
        with pytest.raises(OperationError) as caught:
            await client.query('{ hello messages(userId: "0") { success } }')
    assert caught.value.codes == ["FORBIDDEN"]
    assert caught.value.data == {"hello": "Hello world!", "messages": None}


class TestLeftOutArguments:
    @pytest.mark.parametrize("missing", ["senderId", "recipientId", "content"])
    @pytest.mark.parametrize("null", [False, True], ids=["left out", "null"])
    async def test_a_message_without_an_argument_is_refused_with_its_name(
        self, missing: str, null: bool, graphql_client: GraphQLClient, users: tuple[User, User]
    ) -> None:
        one, two = (str(user.pk) for user in users)
        variables: dict[str, Any] = {"senderId": one, "recipientId": two, "content": "Hello"}
        del variables[missing]
        if null:
            variables[missing] = None
        query = """mutation ($senderId: String, $recipientId: String, $content: String) {
            createMessage(senderId: $senderId, recipientId: $recipientId, content: $content) {
                success errors message { content } } }"""
        assert await graphql_client.mutate(query, variables) == {
            "createMessage": {
                "success": False,
                "errors": [f"The argument {missing} is missing"],
                "message": None,
            }
        }

    async def test_all_that_is_missing_is_named(self, graphql_client: GraphQLClient) -> None:
        answer = await graphql_client.mutate("mutation { createMessage { success errors } }")
        assert answer["createMessage"]["errors"] == [
            "The argument senderId is missing",
            "The argument recipientId is missing",
            "The argument content is missing",
        ]

    async def test_a_sender_must_be_named_outside_demo_mode_too(
        self, viewer: Person, settings: Any
    ) -> None:
        settings.CLEW_DEMO = False
        async with viewer.client() as client:
            answer = await client.mutate(
                'mutation { createMessage(recipientId: "1", content: "Hello") { errors } }'
            )
        assert answer["createMessage"]["errors"] == ["The argument senderId is missing"]

    @pytest.mark.parametrize("demo", [False, True])
    async def test_messages_without_a_user_are_those_of_the_viewer(
        self, demo: bool, viewer: Person, settings: Any
    ) -> None:
        settings.CLEW_DEMO = demo
        other = await in_database(person)("other")
        query = "subscription { messages { content recipientId } }"
        async with viewer.client() as mine, other.client() as theirs:
            streams = [
                (me, await me_client.subscribe(query))
                for me, me_client in ((viewer, mine), (other, theirs))
            ]
            for me, _ in streams:
                await in_database(send_message)(
                    sender_id=viewer.id, recipient_id=me.id, content=f"For {me.id}"
                )
            for me, stream in streams:
                assert await stream.receive() == {
                    "messages": {"content": f"For {me.id}", "recipientId": me.id}
                }
                await stream.expect_nothing(0.01)

    @pytest.mark.parametrize("call", ["messages", "messages(userId: null)"])
    async def test_an_anonymous_caller_has_no_messages_to_follow(
        self, call: str, graphql_client: GraphQLClient
    ) -> None:
        with pytest.raises(OperationError, match="Log in to follow your own messages") as caught:
            await graphql_client.subscribe(f"subscription {{ {call} {{ content }} }}")
        assert caught.value.codes == ["UNAUTHENTICATED"]

    async def test_a_login_on_the_connection_gives_it_an_inbox(
        self, graphql_client: GraphQLClient, viewer: Person
    ) -> None:
        login = f'mutation {{ login(username: "seed", password: "{PASSWORD}") {{ ok }} }}'
        assert await graphql_client.mutate(login) == {"login": {"ok": True}}
        stream = await graphql_client.subscribe("subscription { messages { content } }")
        await in_database(send_message)(sender_id=viewer.id, recipient_id=viewer.id, content="Hi")
        assert await stream.receive() == {"messages": {"content": "Hi"}}

    async def test_another_login_on_the_connection_ends_the_subscription_to_the_old_inbox(
        self, graphql_client: GraphQLClient, viewer: Person
    ) -> None:
        other = await in_database(person)("other")
        login = 'mutation ($name: String!) { login(username: $name, password: "pass") { ok } }'
        await graphql_client.mutate(login, {"name": "seed"})
        stream = await graphql_client.subscribe("subscription { messages { content } }")
        await graphql_client.mutate(login, {"name": "other"})
        for recipient in (viewer, other):
            await in_database(send_message)(
                sender_id=viewer.id, recipient_id=recipient.id, content="Hi"
            )
        with pytest.raises(OperationError) as caught:
            await stream.receive()
        assert caught.value.codes == ["FORBIDDEN"]

    @pytest.mark.parametrize("call", ["count", "count(target: null)"])
    async def test_count_ends_at_five(
        self, call: str, graphql_client: GraphQLClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django_project.probes.PAUSE", 0)
        stream = await graphql_client.subscribe(f"subscription {{ {call} }}")
        assert [result["count"] async for result in stream] == [0, 1, 2, 3, 4]
