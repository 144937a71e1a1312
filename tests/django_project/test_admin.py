"""The admin: what is changed there reaches subscribers, and the log cannot be changed there."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from messaging.models import Message, Room, RoomMessage
from messaging.services import write_in_room
from orders.models import Order
from realtime.database import in_database
from realtime.models import Event, Topic
from realtime.testing import GraphQLClient


@pytest.fixture
def admin(transactional_db: None) -> Client:
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.create_superuser("admin", "admin@example.org", "pass"))
    return client


@pytest.fixture
def orders(users: tuple[User, User]) -> list[Order]:
    return [Order.objects.create(user=user) for user in users]


def edit(admin: Client, order: Order) -> None:
    form = {
        "user": order.user_id,
        "date": order.date.isoformat(),
        "state": "PAID",
        "description": "",
    }
    response = admin.post(reverse("admin:orders_order_change", args=[order.pk]), form)
    assert response.status_code == 302, response.content


def act(action: str) -> Callable[[Client, Order], None]:
    def run(admin: Client, order: Order) -> None:
        form = {"action": action, "_selected_action": [order.pk], "post": "yes"}
        response = admin.post(reverse("admin:orders_order_changelist"), form)
        assert response.status_code == 302, response.content

    return run


mark_as_paid, mark_as_unpaid = act("mark_as_paid"), act("mark_as_unpaid")


def delete(admin: Client, order: Order) -> None:
    path = reverse("admin:orders_order_delete", args=[order.pk])
    assert admin.post(path, {"post": "yes"}).status_code == 302


def delete_user(admin: Client, order: Order) -> None:
    path = reverse("admin:accounts_user_delete", args=[order.user_id])
    assert admin.post(path, {"post": "yes"}).status_code == 302


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (edit, {"state": "PAID", "deleted": False}),
        (mark_as_paid, {"state": "PAID", "deleted": False}),
        (mark_as_unpaid, {"state": "UNPAID", "deleted": False}),
        (act("delete_selected"), {"state": "UNPAID", "deleted": True}),
        (delete, {"state": "UNPAID", "deleted": True}),
        (delete_user, {"state": "UNPAID", "deleted": True}),
    ],
    ids=["edit", "mark as paid", "mark as unpaid", "delete selected", "delete", "cascade"],
)
async def test_a_change_reaches_subscribers(
    change: Callable[[Client, Order], None],
    told: dict[str, Any],
    admin: Client,
    orders: list[Order],
    graphql_client: GraphQLClient,
) -> None:
    if change is mark_as_unpaid:
        await in_database(mark_as_paid)(admin, orders[0])
    query = "subscription { getOrder { id state deleted } }"
    subscription = await graphql_client.subscribe(query)
    await subscription.receive()
    await in_database(change)(admin, orders[0])
    assert await subscription.receive() == {"getOrder": {"id": str(orders[0].pk), **told}}


@pytest.mark.parametrize("model", list(site._registry))
def test_every_list_opens_and_can_be_searched(
    model: Any, admin: Client, users: tuple[User, User], orders: list[Order]
) -> None:
    Message.objects.create(sender=users[0], recipient=users[1], content="Hello")
    write_in_room(sender=None, room="kittens", text="Hi all!")
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    for query in ("", "?q=kittens"):
        assert admin.get(path + query).status_code == 200


@pytest.mark.parametrize("model", [Topic, Event])
def test_the_log_is_only_to_look_at(model: Any, admin: Client, orders: list[Order]) -> None:
    name = f"admin:realtime_{model._meta.model_name}"
    row = model.objects.first()
    assert admin.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
    assert admin.post(reverse(f"{name}_change", args=[row.pk]), {"offset": 9}).status_code == 403
    assert admin.post(reverse(f"{name}_add")).status_code == 403
    assert admin.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_a_room_message_without_a_sender_can_be_edited(admin: Client) -> None:
    message = write_in_room(sender=None, room="kittens", text="Hi all!")
    path = reverse("admin:messaging_roommessage_change", args=[message.pk])
    form = {"room": message.room_id, "sender": "", "text": "Hi!"}
    assert admin.post(path, form).status_code == 302
    assert RoomMessage.objects.get().text == "Hi!"


class Form(HTMLParser):
    """What a browser would send of a page's form, as it stands."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.data: dict[str, list[str]] = {}
        self._select = self._textarea = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        match tag:
            case "input" if name and given.get("type") not in {"submit", "button", "file"}:
                is_box = given.get("type") in {"checkbox", "radio"}
                if not is_box or "checked" in given:
                    self._add(name, given.get("value", "on" if is_box else ""))
            case "select":
                self._select = name
            case "option" if self._select and "selected" in given:
                self._add(self._select, given.get("value", ""))
            case "textarea":
                self._textarea = name
                self._add(name, "")

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.data[self._textarea][-1] += data.removeprefix("\r\n").removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        if tag == "textarea":
            self._textarea = ""

    def _add(self, name: str, value: str) -> None:
        self.data.setdefault(name, []).append(value)


@pytest.mark.parametrize(
    "model", [User, Order, Message, Room, RoomMessage], ids=lambda model: model.__name__
)
def test_saving_a_page_as_it_is_changes_no_column(
    model: Any, admin: Client, users: tuple[User, User], orders: list[Order]
) -> None:
    Message.objects.create(sender=users[0], recipient=users[1], content="Hello")
    write_in_room(sender=users[0], room="kittens", text="Hi all!")
    if model is User:
        User.objects.filter(pk=users[0].pk).update(last_login=timezone.now())
    row = users[0] if model is User else model.objects.first()
    rows = model.objects.filter(pk=row.pk)
    before = rows.values().get()
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
    form = Form(admin.get(path).content.decode())
    response = admin.post(path, form.data)
    assert response.status_code == 302, response.context["errors"]
    assert rows.values().get() == before


def test_every_model_that_can_be_changed_is_saved_as_it_is() -> None:
    request = RequestFactory().get("/")
    request.user = User(is_active=True, is_superuser=True)
    own = {
        model
        for model, page in site._registry.items()
        if page.has_change_permission(request)
        and model._meta.app_label in {"accounts", "messaging", "orders", "realtime"}
    }
    [mark] = test_saving_a_page_as_it_is_changes_no_column.pytestmark
    assert own == {*mark.args[1]}


def test_an_edit_changes_the_edited_columns_alone(admin: Client, orders: list[Order]) -> None:
    rows = Order.objects.filter(pk=orders[0].pk)
    before = rows.values().get()
    edit(admin, orders[0])
    assert rows.values().get() == {**before, "state": "PAID"}


@pytest.mark.parametrize(
    ("path", "text"),
    [("/admin/", "Failed logins"), ("/admin/realtime/event/", "Topic</a>")],
)
def test_headings_say_what_is_listed(
    path: str, text: str, admin: Client, orders: list[Order]
) -> None:
    assert text in admin.get(path).content.decode()
