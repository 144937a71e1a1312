"""Server-sent events and multipart subscriptions: one connection an operation."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from ariadne import make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLHTTPHandler

from realtime.asgi import graphql_app
from realtime.database import in_database
from realtime.live import LiveSubscriptionType
from realtime.subscription import Subscription
from realtime.transports.sse import ServerSentEvents
from tests.realtime.stranger import Stranger
from tests.realtime.streams import HttpStream, answer
from tests.shelf.models import Book

EVENTS = "text/event-stream"
PARTS = "multipart/mixed;subscriptionSpec=1.0"
ENDLESS = {"query": "subscription { endless }"}
COMMENT = ":\n\n"


@pytest.fixture
async def app(stranger: Stranger) -> Any:
    return graphql_app(stranger.schema)


@pytest.fixture
async def live() -> Any:
    subscription = LiveSubscriptionType()
    subscription.topics("book")(lambda *_: "books")
    subscription.load("book")(Book.objects.in_bulk)
    subscription.set_field("book", lambda book, *_: book.title)
    types = "type Query { none: Int }  type Subscription { book: String }"
    return graphql_app(make_executable_schema(types, subscription))


def next_(payload: Any) -> str:
    return f"event: next\ndata: {json.dumps(payload, separators=(',', ':'))}\n\n"


COMPLETE = "event: complete\ndata: \n\n"


class TestEvents:
    @pytest.mark.parametrize(
        ("method", "request_"),
        [
            ("POST", {"body": {"query": "subscription { three }"}}),
            ("GET", {"query_string": "query=subscription%7Bthree%7D"}),
        ],
    )
    async def test_a_subscription_streams(self, method: str, request_: Any, app: Any) -> None:
        assert await answer(app, method, accept=EVENTS, **request_) == (
            200,
            COMMENT + "".join(next_({"data": {"three": n}}) for n in (1, 2, 3)) + COMPLETE,
        )

    async def test_a_query_has_one_result(self, app: Any) -> None:
        _, body = await answer(app, "POST", accept=EVENTS, body={"query": "{ quick }"})
        assert body == COMMENT + next_({"data": {"quick": "done"}}) + COMPLETE

    async def test_nothing_holds_events_back(self, app: Any) -> None:
        stream = HttpStream(app, accept=EVENTS, body=ENDLESS)
        await stream.open()
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "private, no-store, no-transform"
        assert stream.headers["x-accel-buffering"] == "no"
        await stream.leave()

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("{", "Syntax Error: Expected Name, found <EOF>."),
            ("subscription { unknown }", "Cannot query field 'unknown' on type 'Subscription'."),
            ("subscription { forbidden }", "Not for you"),
        ],
    )
    async def test_what_cannot_run_arrives_as_an_event(
        self, query: str, message: str, app: Any
    ) -> None:
        status, body = await answer(app, "POST", accept=EVENTS, body={"query": query})
        assert status == 200
        [_, event, _] = body.split("event: ")
        assert json.loads(event.partition("data: ")[2])["errors"][0]["message"] == message

    async def test_a_stream_that_breaks_ends_with_masked_errors(self, app: Any) -> None:
        _, body = await answer(app, "POST", accept=EVENTS, body={"query": "subscription{breaking}"})
        assert "Internal server error" in body
        assert "secret" not in body
        assert body.endswith(COMPLETE)

    async def test_heartbeats_are_comments(
        self, app: Any, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(STREAM_HEARTBEAT=0.01)
        stream = HttpStream(app, accept=EVENTS, body=ENDLESS)
        await stream.open()
        assert [await stream.chunk() for _ in range(4)] == [
            COMMENT,
            next_({"data": {"endless": 1}}),
            COMMENT,
            COMMENT,
        ]
        await stream.leave()

    async def test_a_mutation_goes_by_post(self, app: Any) -> None:
        query = "query=mutation%7Bquick%7D"
        status, _ = await answer(app, "GET", accept=EVENTS, query_string=query)
        assert status == 405

    async def test_ariadnes_own_handler_takes_it(self, stranger: Stranger) -> None:
        handler = GraphQLHTTPHandler(subscription_handlers=[ServerSentEvents()])
        app = GraphQL(stranger.schema, http_handler=handler)
        _, body = await answer(app, "POST", accept=EVENTS, body={"query": "subscription { three }"})
        assert body.count("event: next") == 3


class TestParts:
    async def test_a_subscription_streams(self, app: Any) -> None:
        stream = HttpStream(app, accept=PARTS, body={"query": "subscription { three }"})
        assert await stream.open() == 200
        assert stream.headers["content-type"].startswith("multipart/mixed;boundary=graphql")
        assert (await stream.rest()).split("\r\n--graphql") == [
            "",
            *(
                "\r\ncontent-type: application/json\r\n\r\n"
                f'{{"payload":{{"data":{{"three":{n}}}}}}}'
                for n in (1, 2, 3)
            ),
            "--\r\n",
        ]
        await stream.leave()

    @pytest.mark.parametrize("query", ["subscription { forbidden }", "subscription { unknown }"])
    async def test_errors_of_what_cannot_run_are_in_the_payload(self, query: str, app: Any) -> None:
        _, body = await answer(app, "POST", accept=PARTS, body={"query": query})
        [_, part, end] = body.split("\r\n--graphql")
        assert '{"payload":{"errors":[{"message"' in part
        assert end == "--\r\n"

    async def test_errors_of_a_stream_that_breaks_are_beside_it(self, app: Any) -> None:
        _, body = await answer(app, "POST", accept=PARTS, body={"query": "subscription{breaking}"})
        [_, _, part, end] = body.split("\r\n--graphql")
        assert '{"payload":null,"errors":[{"message":"Internal server error"' in part
        assert end == "--\r\n"

    async def test_heartbeats_are_empty_parts(
        self, app: Any, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(STREAM_HEARTBEAT=0.01)
        stream = HttpStream(app, accept=PARTS, body=ENDLESS)
        await stream.open()
        chunks = [await stream.chunk() for _ in range(3)]
        assert chunks[2] == "\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql"
        await stream.leave()

    async def test_a_query_is_json(self, app: Any) -> None:
        accept = f"{PARTS}, application/json"
        _, body = await answer(app, "POST", accept=accept, body={"query": "{ quick }"})
        assert json.loads(body) == {"data": {"quick": "done"}}


class TestNegotiation:
    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            (None, EVENTS),
            ("*/*", EVENTS),
            (f"application/json, {EVENTS}", EVENTS),
            (f"{EVENTS}, multipart/mixed", EVENTS),
            (f"{PARTS}, application/json", "multipart/mixed"),
            ('multipart/mixed; boundary="graphql"; subscriptionSpec="1.0"', "multipart/mixed"),
        ],
    )
    async def test_of_a_subscription(self, accept: str | None, media_type: str, app: Any) -> None:
        stream = HttpStream(app, accept=accept, body=ENDLESS)
        await stream.open()
        assert stream.headers["content-type"].partition(";")[0] == media_type
        await stream.leave()

    async def test_a_subscription_is_not_one_result(self, app: Any) -> None:
        status, body = await answer(app, "POST", accept="application/json", body=ENDLESS)
        assert status == 406
        assert EVENTS in body

    async def test_a_subscription_by_apollo_s_callback_protocol_is_not_acceptable(
        self, app: Any, stranger: Stranger
    ) -> None:
        callback = {
            "callbackUrl": "http://127.0.0.1:1/callback",
            "subscriptionId": "1",
            "verifier": "x",
            "heartbeatIntervalMs": 5000,
        }
        status, body = await answer(
            app,
            "POST",
            accept="application/json;callbackSpec=1.0",
            body={**ENDLESS, "extensions": {"subscription": callback}},
        )
        assert status == 406
        assert EVENTS in body
        assert stranger.happened == []

    async def test_who_takes_both_gets_the_result_of_a_query_as_json(self, app: Any) -> None:
        _, body = await answer(
            app, "POST", accept=f"application/json, {EVENTS}", body={"query": "{ quick }"}
        )
        assert json.loads(body) == {"data": {"quick": "done"}}


class TestForgery:
    QUERY = "query=subscription%7Bthree%7D"

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
            {"origin": "https://evil.example"},
            {"referer": "http://127.0.0.1.evil.example/"},
            {"referer": "http://127.0.0.1/page", "sec_fetch_site": "cross-site"},
        ],
    )
    async def test_a_foreign_page_cannot_get_with_cookies(
        self, headers: dict[str, str], app: Any
    ) -> None:
        status, _ = await answer(
            app, "GET", accept=EVENTS, query_string=self.QUERY, cookie="sessionid=1", **headers
        )
        assert status == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec_fetch_site": "same-origin"},
            {"origin": "https://app.example.org", "sec_fetch_site": "cross-site"},
            {"graphql_preflight": "1"},
            {"referer": "http://127.0.0.1/page"},
        ],
    )
    async def test_our_own_pages_and_allowed_ones_can(
        self, headers: dict[str, str], stranger: Stranger
    ) -> None:
        app = graphql_app(stranger.schema, allowed_origins=["https://app.example.org"])
        status, _ = await answer(
            app, "GET", accept=EVENTS, query_string=self.QUERY, cookie="sessionid=1", **headers
        )
        assert status == 200


class TestGoingAway:
    @pytest.mark.parametrize("accept", [EVENTS, PARTS])
    async def test_it_ends_the_subscription(
        self, accept: str, app: Any, stranger: Stranger
    ) -> None:
        before = asyncio.all_tasks()
        stream = HttpStream(app, accept=accept, body=ENDLESS)
        await stream.open()
        await stream.chunk()
        await stream.chunk()
        await stream.leave()
        assert stranger.happened == ["endless started", "endless ended"]
        assert asyncio.all_tasks() == before

    async def test_also_one_that_has_not_begun(self, app: Any, stranger: Stranger) -> None:
        stream = HttpStream(app, accept=EVENTS, body={"query": "subscription { slowly }"})
        await stream.send()
        await stranger.has("slowly started")
        await stream.leave()
        assert stranger.happened == ["slowly started", "slowly ended"]

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("accept", [EVENTS, PARTS])
    async def test_also_one_of_which_the_status_is_still_sent(self, accept: str, live: Any) -> None:
        sending = asyncio.Event()

        async def stalling(scope: Any, receive: Any, send: Any) -> None:
            async def send_nothing(message: Any) -> None:
                sending.set()
                await asyncio.Event().wait()

            await live(scope, receive, send_nothing)

        before = Subscription.live
        stream = HttpStream(stalling, accept=accept, body={"query": "subscription { book }"})
        await stream.send()
        await sending.wait()
        assert Subscription.live == before + 1
        await stream.leave()
        assert Subscription.live == before


@pytest.mark.django_db(transaction=True)
class TestCursors:
    @staticmethod
    def event(text: str) -> tuple[str, Any]:
        """Return the id and the title of an event."""
        id, _, data = text.removeprefix("event: next\nid: ").partition("\ndata: ")
        return id, json.loads(data)["data"]["book"]

    async def test_the_last_event_resumes(self, live: Any) -> None:
        create = in_database(Book.objects.create)
        query = "query=subscription%7Bbook%7D"
        stream = HttpStream(live, "GET", accept=EVENTS, query_string=query)
        await stream.open()
        await stream.chunk()
        await create(title="One")
        id, title = self.event(await stream.chunk())
        assert title == "One"
        await stream.leave()
        await create(title="Two")
        again = HttpStream(live, "GET", accept=EVENTS, query_string=query, last_event_id=id)
        await again.open()
        await again.chunk()
        assert self.event(await again.chunk())[1] == "Two"
        await again.leave()

    async def test_who_is_cut_off_before_the_first_event_misses_nothing(self, live: Any) -> None:
        query = "query=subscription%7Bbook%7D"
        stream = HttpStream(live, "GET", accept=EVENTS, query_string=query)
        await stream.open()
        id = (await stream.chunk()).removeprefix("id: ").strip()
        await stream.leave()
        await in_database(Book.objects.create)(title="One")
        again = HttpStream(live, "GET", accept=EVENTS, query_string=query, last_event_id=id)
        await again.open()
        await again.chunk()
        assert self.event(await again.chunk())[1] == "One"
        await again.leave()

    @pytest.mark.parametrize(("id", "code"), [("?", "CURSOR_INVALID"), ("ab-9", "CURSOR_EXPIRED")])
    async def test_a_bad_one_is_refused(self, id: str, code: str, live: Any) -> None:
        query = {"query": "subscription { book }"}
        _, body = await answer(live, "POST", accept=EVENTS, body=query, last_event_id=id)
        assert code in body
        assert body.endswith(COMPLETE)
