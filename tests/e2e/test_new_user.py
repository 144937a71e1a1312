"""What a new user does, in the order in which GraphiQL shows it, against the real server."""

import asyncio
import json
import re
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.harness.http_client import GraphQLHTTP
from tests.harness.server import ROOT, ServerProcess, manage
from tests.harness.servers import Environment
from tests.harness.websocket_client import GraphQLSocket

CREATE_USER = """mutation Create($name: String!) {
    createUser(username: $name) { success errors user { userId username } } }"""
CREATE_MESSAGE = """mutation {
    createMessage(senderId: "1", recipientId: "2", content: "Hello there") {
        success errors message { content recipientId senderId } } }"""
READ_MESSAGES = """query {
    messages(userId: "2") { success errors messages { content senderId recipientId } } }"""
ORDERS = "subscription getLastOrder { getOrder { state date user { username email } } }"
LOGIN = 'mutation login { login(username: "user_one", password: "pass") { ok } }'
SEND = 'mutation send { sendChatMessage(chatroom: "kittens", text: "Hi all!") { ok } }'
ROOM = 'subscription s { onNewChatMessage(chatroom: "kittens") { text sender } }'
READ = 'query read { history(chatroom: "kittens") { chatroom text sender } }'


def shell(environment: Environment, code: str) -> None:
    """Do something in a second process, as `manage.py shell` does."""
    imports = "from accounts.models import User; from orders.models import Order; "
    manage("shell", "--verbosity", "0", "-c", imports + code, env=environment)


def fetch(url: str, *, method: str = "GET") -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, method=method, headers={"Accept": "text/html, */*;q=0.8"})
    with opener.open(request, timeout=10) as response:
        return response.read().decode()


async def test_the_whole_walk(server: ServerProcess, environment: Environment) -> None:
    http = GraphQLHTTP(server.graphql_url)
    async with GraphQLSocket(server.ws_url) as socket:
        await greet(socket)
        await meet(socket, http)
        await message(socket, http)
        await order(socket, http, environment)
        await chat(socket, http, environment)
        await announce(socket, server)


async def greet(socket: GraphQLSocket) -> None:
    assert await socket.execute("query { hello }") == {"data": {"hello": "Hello world!"}}
    counting = await socket.subscribe("subscription { count(target: 2) }")
    assert [await counting.next() for _ in range(2)] == [
        {"data": {"count": 0}},
        {"data": {"count": 1}},
    ]
    await counting.completed()


async def meet(socket: GraphQLSocket, http: GraphQLHTTP) -> None:
    for pk, name in (("1", "user_one"), ("2", "user_two")):
        created = await socket.execute(CREATE_USER, {"name": name})
        assert created["data"]["createUser"]["user"] == {"userId": pk, "username": name}
    again = await asyncio.to_thread(http.post, CREATE_USER, {"name": "user_one"})
    assert again["data"]["createUser"] == {
        "success": False,
        "errors": ["Username is taken"],
        "user": None,
    }
    known = await socket.execute('query { userId(username: "user_one") }')
    assert known == {"data": {"userId": "1"}}


async def message(socket: GraphQLSocket, http: GraphQLHTTP) -> None:
    inbox = await socket.live(
        'subscription { messages(userId: "2") { content senderId recipientId } }'
    )
    expected = {"content": "Hello there", "senderId": "1", "recipientId": "2"}
    sent = await asyncio.to_thread(http.post, CREATE_MESSAGE)
    assert sent["data"]["createMessage"] == {"success": True, "errors": None, "message": expected}
    assert await inbox.next() == {"data": {"messages": expected}}
    read = await socket.execute(READ_MESSAGES)
    assert read["data"]["messages"]["messages"] == [expected]
    await inbox.complete()


async def order(socket: GraphQLSocket, http: GraphQLHTTP, environment: Environment) -> None:
    create = "Order.objects.create(user=User.objects.get(username='user_one'))"
    await asyncio.to_thread(shell, environment, create)
    orders = await socket.live(ORDERS)
    assert (await orders.next())["data"]["getOrder"]["state"] == "UNPAID"
    await asyncio.to_thread(shell, environment, "Order.objects.update(state='PAID')")
    paid = (await orders.next())["data"]["getOrder"]
    assert (paid["state"], paid["user"]) == ("PAID", {"username": "user_one", "email": ""})
    read = await asyncio.to_thread(
        http.post, "query { getOrders { date state user { username email } } }"
    )
    assert read["data"]["getOrders"] == [paid]
    command = re.search(r'manage\.py shell -c "(.+)"', (ROOT / "README.md").read_text())
    assert command
    for _ in range(2):  # it can be run again
        await asyncio.to_thread(shell, environment, command[1])
        assert (await orders.next())["data"]["getOrder"]["state"] == "UNPAID"
    await orders.complete()


async def chat(socket: GraphQLSocket, http: GraphQLHTTP, environment: Environment) -> None:
    room = await socket.live(ROOM)
    assert await socket.execute(SEND) == {"data": {"sendChatMessage": {"ok": True}}}
    assert (await room.next())["data"]["onNewChatMessage"]["sender"] == "Anonymous"
    set_password = "user = User.objects.get(pk=1); user.set_password('pass'); user.save()"
    await asyncio.to_thread(shell, environment, set_password)
    for execute in (socket.execute, lambda query: asyncio.to_thread(http.post, query)):
        assert await execute(LOGIN) == {"data": {"login": {"ok": True}}}
        await execute(SEND)
        said = (await room.next())["data"]["onNewChatMessage"]
        assert said == {"text": "Hi all!", "sender": "user_one"}
    history = (await socket.execute(READ))["data"]["history"]
    assert [line["sender"] for line in history] == ["Anonymous", "user_one", "user_one"]


async def announce(socket: GraphQLSocket, server: ServerProcess) -> None:
    news = await socket.live("subscription { realTimeMessages }")
    url = f"{server.url}/publish-message?message=Hello"
    answer = json.loads(await asyncio.to_thread(fetch, url, method="POST"))
    assert answer == {"status": "ok", "message_sent": "Hello"}
    assert await news.next() == {"data": {"realTimeMessages": "Hello"}}


async def test_there_is_an_icon_for_pages_that_name_none(server: ServerProcess) -> None:
    assert (await asyncio.to_thread(fetch, f"{server.url}/favicon.ico")).startswith("<svg")


@pytest.mark.parametrize("path", ["/", "/docs/", "/admin/login/", "/graphql/", "/graphql"])
async def test_pages_and_what_they_load_are_there(path: str, server: ServerProcess) -> None:
    page = await asyncio.to_thread(fetch, server.url + path)
    assets = [part.split('"')[0] for part in page.split('="/static/')[1:]]
    assert assets
    for asset in assets:
        assert await asyncio.to_thread(fetch, f"{server.url}/static/{asset}")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/publish-message", "POST", 400),
        ("/publish-message?message=Hello", "GET", 405),
        ("/docs/none.md", "GET", 404),
        ("/nowhere", "GET", 404),
    ],
)
async def test_what_is_wrong_is_said(
    path: str, method: str, status: int, server: ServerProcess
) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        await asyncio.to_thread(fetch, server.url + path, method=method)
    assert caught.value.code == status
    caught.value.close()


async def test_the_start_says_that_demo_mode_is_on(server: ServerProcess) -> None:
    assert server.log().count("Demo mode is on") == 1
