"""GraphiQL and the admin in a real browser that reaches nothing but this machine."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.browser import (
    BUILD,
    PASSWORD,
    browsing,
    demo_environment,
    events,
    open_example,
    result,
    run,
    status,
)
from tests.harness.server import ServerProcess, manage


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return demo_environment(tmp_path_factory)


async def test_an_event_crosses_from_one_tab_to_another(
    chromium: Path, demo: dict[str, str]
) -> None:
    with ServerProcess("daphne", demo) as server:
        async with browsing(chromium) as context:
            sender = await open_example(context, server, "SendMessage")
            inbox = await open_example(context, server, "Inbox")
            await run(inbox)
            await expect(status(inbox)).to_have_text("Live: waiting for events.")
            await sender.bring_to_front()  # the editor paints in the visible tab alone
            await run(sender)
            await expect(result(sender)).to_contain_text("Hello there")
            await inbox.bring_to_front()
            await expect(result(inbox)).to_contain_text('"content": "Hello there"')
            await expect(events(inbox)).to_have_count(1)
            BUILD.mkdir(exist_ok=True)
            await inbox.screenshot(path=BUILD / "graphiql.png")
            await inbox.get_by_role("button", name="Stop query").click()
            await inbox.get_by_role("button", name="Execute query").wait_for()


async def test_an_order_edited_in_the_admin_arrives(chromium: Path, demo: dict[str, str]) -> None:
    with ServerProcess("uvicorn", demo) as server:
        async with browsing(chromium) as context:
            orders = await open_example(context, server, "getLastOrder")
            answer = result(orders)
            await run(orders)
            await expect(answer).to_contain_text('"state": "UNPAID"')  # at once, so it is live
            admin = await context.new_page()
            await admin.goto(f"{server.url}/admin/orders/order/")
            await admin.get_by_label("Username").fill("admin")
            await admin.get_by_label("Password").fill(PASSWORD)
            await admin.get_by_role("button", name="Log in").click()
            await admin.locator("#result_list tbody th a").first.click()
            await admin.locator(".field-user .select2-selection").click()
            await admin.get_by_role("option", name="user_two").click()
            await admin.get_by_label("State").select_option("PAID")
            await admin.get_by_role("button", name="Save", exact=True).click()
            await expect(admin.locator(".messagelist")).to_contain_text("changed successfully")
            await orders.bring_to_front()
            await expect(answer).to_contain_text('"state": "PAID"')


async def test_the_start_page_leads_to_everything(chromium: Path, demo: dict[str, str]) -> None:
    with ServerProcess("uvicorn", demo) as server:
        async with browsing(chromium) as context:
            page = await context.new_page()
            await page.goto(server.url)
            await expect(page.get_by_text("Demo mode is on")).to_be_visible()
            await page.screenshot(path=BUILD / "start.png")
            for link, title in (
                ("Documentation", "Clew"),
                ("GraphiQL", "GraphiQL"),
                ("Admin", "Log in"),
            ):
                await page.goto(server.url)
                await page.get_by_role("link", name=link, exact=True).click()
                await page.wait_for_load_state()
                assert title in await page.title()


async def test_an_event_source_continues_after_the_server_was_killed(
    chromium: Path, demo: dict[str, str]
) -> None:
    listen = """() => {
        window.received = [];
        const query = 'subscription { onNewChatMessage(chatroom: "kittens") { text } }';
        const source = new EventSource('/graphql/?query=' + encodeURIComponent(query));
        source.addEventListener('next', (event) =>
            received.push(JSON.parse(event.data).data.onNewChatMessage.text));
        return new Promise((resolve) => source.addEventListener('open', resolve)).then(() => {});
    }"""

    async def write(*texts: str) -> None:
        code = "from messaging.services import write_in_room as write\n" + "\n".join(
            f"write(sender=None, room='kittens', text='{text}')" for text in texts
        )
        await asyncio.to_thread(manage, "shell", "--verbosity", "0", "-c", code, env=demo)

    with ServerProcess("uvicorn", demo) as server:
        async with browsing(chromium, tolerated="net::ERR_", bypass_csp=True) as context:
            page = await context.new_page()
            await page.goto(server.url)
            await page.evaluate(listen)
            await write("before")
            await page.wait_for_function("received.length === 1")
            await asyncio.to_thread(server.kill)
            await write("down 1", "down 2")
            await asyncio.to_thread(server.start)
            await page.wait_for_function("received.length === 3")
            await write("after")
            await page.wait_for_function("received.length === 4")
            assert await page.evaluate("received") == ["before", "down 1", "down 2", "after"]
