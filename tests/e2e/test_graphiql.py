"""GraphiQL in a real browser: its subscriptions survive what happens to the server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.e2e.browser import (
    BUILD,
    browsing,
    demo_environment,
    events,
    open_example,
    open_graphiql,
    result,
    run,
    status,
)
from tests.harness.server import ServerProcess, manage

LIVE = "Live: waiting for events."
LOST_CONNECTION = (
    "WebSocket connection to .* failed|net::ERR_CONNECTION_REFUSED"
    "|^page error: Event$"  # the editor asks for one of its workers while the server is down
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return demo_environment(tmp_path_factory)


@pytest.fixture(scope="module", params=["uvicorn"])
def server(request: pytest.FixtureRequest, demo: dict[str, str]) -> Iterator[ServerProcess]:
    """Run the demo; a test that kills it starts it again."""
    with ServerProcess(request.param, demo) as process:
        yield process


async def shell(environment: dict[str, str], code: str) -> None:
    """Do something in another process, as `manage.py shell` does."""
    await asyncio.to_thread(manage, "shell", "--verbosity", "0", "-c", code, env=environment)


async def send(environment: dict[str, str], *texts: str) -> None:
    """Write messages to user_two in another process."""
    code = "from messaging.services import send_message\n" + "\n".join(
        f"send_message(sender_id='1', recipient_id='2', content='{text}')" for text in texts
    )
    await shell(environment, code)


async def follow(context: BrowserContext, server: ServerProcess, name: str = "Inbox") -> Page:
    """Run a subscription, and wait until it is live."""
    page = await open_example(context, server, name)
    await run(page)
    await expect(status(page)).to_have_text(LIVE)
    return page


async def contents(page: Page) -> list[str]:
    """Return the texts of the messages that arrived, oldest first."""
    lines = await events(page).locator("code").all_text_contents()
    return [line.partition('"content":"')[2].partition('"')[0] for line in reversed(lines)]


@pytest.mark.parametrize("server", ["daphne", "uvicorn"], indirect=True)
async def test_a_subscription_continues_after_the_server_was_killed(
    server: ServerProcess, chromium: Path, demo: dict[str, str]
) -> None:
    async with browsing(chromium, tolerated=LOST_CONNECTION) as context:
        page = await follow(context, server)
        await send(demo, "before")
        await expect(events(page)).to_have_count(1)
        await asyncio.to_thread(server.kill)
        await expect(status(page)).to_contain_text("Reconnecting…")
        await page.screenshot(path=BUILD / "graphiql-reconnecting.png")
        await send(demo, "down 1", "down 2", "down 3")
        await asyncio.to_thread(server.start)
        await expect(events(page)).to_have_count(4, timeout=10_000)
        await expect(status(page)).to_contain_text("Live again after")
        await expect(status(page)).to_contain_text("no event was missed")
        await send(demo, "after")
        await expect(events(page)).to_have_count(5)
        assert await contents(page) == ["before", "down 1", "down 2", "down 3", "after"]
        await page.screenshot(path=BUILD / "graphiql-resumed.png")


async def test_a_cursor_that_expired_is_told_and_the_subscription_begins_afresh(
    server: ServerProcess, chromium: Path, demo: dict[str, str]
) -> None:
    async with browsing(chromium, tolerated=LOST_CONNECTION) as context:
        page = await follow(context, server)
        await send(demo, "before")
        await expect(events(page)).to_have_count(1)
        await asyncio.to_thread(server.kill)
        await send(demo, "lost")
        await asyncio.to_thread(manage, "reset_epochs", "--no-input", env=demo)
        await asyncio.to_thread(server.start)
        await expect(status(page)).to_contain_text("CURSOR_EXPIRED", timeout=10_000)
        await expect(status(page)).to_contain_text(LIVE)
        await send(demo, "after")
        await expect(events(page)).to_have_count(2)
        assert await contents(page) == ["before", "after"]


async def test_events_without_a_cursor_are_said_to_be_lost(
    server: ServerProcess, chromium: Path, demo: dict[str, str]
) -> None:
    async with browsing(chromium, tolerated=LOST_CONNECTION) as context:
        page = await follow(context, server, "Announcements")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await expect(status(page)).to_contain_text(
            "events that came meanwhile are lost", timeout=10_000
        )


async def test_a_session_that_ends_is_told_and_not_tried_again(
    server: ServerProcess, chromium: Path, demo: dict[str, str]
) -> None:
    async with browsing(chromium) as context:
        login = await open_example(context, server, "Login")
        await run(login)
        await expect(result(login)).to_contain_text('"ok": true')
        page = await follow(context, server)
        sockets: list[Any] = []
        page.on("websocket", lambda socket: sockets.append(socket))
        await shell(
            demo,
            "from django.contrib.sessions.models import Session\n"
            "for session in Session.objects.all(): session.delete()",
        )
        await expect(status(page)).to_contain_text("Ended: Your session is over: log in again.")
        await page.get_by_role("button", name="Execute query").wait_for()
        assert sockets == []


async def test_a_token_that_stands_for_nobody_is_refused_once(
    server: ServerProcess, chromium: Path, demo: dict[str, str]
) -> None:
    async with browsing(chromium) as context:
        page = await open_example(context, server, "Inbox")
        await page.get_by_role("button", name="Headers", exact=True).click()
        await page.locator(".graphiql-editor-tool .graphiql-editor:visible").click()
        await page.keyboard.insert_text('{"authorization": "Bearer nobody"}')
        sockets: list[Any] = []
        page.on("websocket", lambda socket: sockets.append(socket))
        await run(page)
        await expect(status(page)).to_contain_text("the server refused the connection (4403")
        await expect(status(page)).to_contain_text("log in again")
        assert len(sockets) == 1


async def test_choosing_another_tab_says_that_the_subscription_was_stopped(
    server: ServerProcess, chromium: Path, demo: dict[str, str]
) -> None:
    async with browsing(chromium) as context:
        page = await follow(context, server)
        second = page.get_by_role("link", name="open a second window")
        await expect(second).to_have_attribute("target", "_blank")
        await page.get_by_role("tab", name="SendMessage").click()
        await expect(status(page)).to_contain_text("Choosing another tab stops a subscription")
        await expect(second).to_be_hidden()


async def test_the_result_stands_below_the_operation_on_a_phone(
    server: ServerProcess, chromium: Path, demo: dict[str, str]
) -> None:
    phone = {"width": 390, "height": 844}
    async with browsing(chromium, viewport=phone, color_scheme="dark") as context:
        page = await open_graphiql(context, server)
        await run(page)
        await expect(status(page)).to_have_text(LIVE)
        await send(demo, "to a phone")
        await expect(events(page)).to_have_count(1)
        await page.screenshot(path=BUILD / "graphiql-phone.png")
        editor = await page.locator(".graphiql-editors").bounding_box()
        response = await page.locator(".graphiql-response").bounding_box()
        assert editor is not None
        assert response is not None
        assert response["y"] >= editor["y"] + editor["height"]
        assert response["width"] > 300
