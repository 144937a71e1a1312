"""GraphiQL and the admin in a real browser that reaches nothing but this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, Route, async_playwright, expect
from playwright.async_api import TimeoutError as NothingAppearedError

from tests.harness.server import ServerProcess, manage
from tests.harness.servers import migrated

BUILD = Path(__file__).resolve().parents[2] / "build"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]
PASSWORD = "a-password-of-the-test"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    environment = migrated(tmp_path_factory)
    load = (
        "from django_project.demo import load_demo; load_demo(); "
        "from accounts.models import User; admin = User.objects.get(username='admin'); "
        f"admin.set_password('{PASSWORD}'); admin.save()"
    )
    manage("shell", "--verbosity", "0", "-c", load, env=environment)
    return environment


@asynccontextmanager
async def browsing(chromium: Path) -> AsyncIterator[BrowserContext]:
    """Yield a fresh browser context; complaints and requests that leave the machine fail."""
    faults: list[str] = []

    async def stay(route: Route) -> None:
        if "://127.0.0.1:" in route.request.url:
            await route.continue_()
        else:
            faults.append(f"left the machine: {route.request.url}")
            await route.abort()

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
        page.on(
            "console",
            lambda message: faults.append(message.text) if message.type == "error" else None,
        )

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        try:
            context = await browser.new_context(viewport={"width": 1280, "height": 800})
            await context.route("**/*", stay)
            context.on("page", watch)
            yield context
        finally:
            await browser.close()
    assert faults == []


async def open_example(context: BrowserContext, server: ServerProcess, name: str) -> Page:
    page = await context.new_page()
    await page.goto(f"{server.url}/graphql/")
    await page.locator(".graphiql-query-editor .monaco-editor").wait_for()
    await page.get_by_role("tab", name=name).first.click()
    return page


async def run(page: Page) -> None:
    await page.get_by_role("button", name="Execute query").click()


async def test_an_event_crosses_from_one_tab_to_another(
    chromium: Path, demo: dict[str, str]
) -> None:
    with ServerProcess("daphne", demo) as server:
        async with browsing(chromium) as context:
            sender = await open_example(context, server, "SendMessage")
            inbox = await open_example(context, server, "Inbox")
            answer = inbox.locator(".graphiql-response .view-lines")
            await run(inbox)
            await inbox.get_by_role("button", name="Stop query").wait_for()
            for _ in range(10):  # GraphiQL does not show when a subscription is live
                await sender.bring_to_front()  # the editor paints in the visible tab alone
                await run(sender)
                await sender.locator(".graphiql-response .view-lines", has_text="Hello").wait_for()
                await inbox.bring_to_front()
                if await appears(inbox, "Hello there"):
                    break
            await expect(answer).to_contain_text('"content": "Hello there"')
            BUILD.mkdir(exist_ok=True)
            await inbox.screenshot(path=BUILD / "graphiql.png")
            await inbox.get_by_role("button", name="Stop query").click()
            await inbox.get_by_role("button", name="Execute query").wait_for()


async def appears(page: Page, text: str) -> bool:
    try:
        await page.locator(".graphiql-response .view-lines", has_text=text).wait_for(timeout=2000)
    except NothingAppearedError:
        return False
    return True


async def test_an_order_edited_in_the_admin_arrives(chromium: Path, demo: dict[str, str]) -> None:
    with ServerProcess("uvicorn", demo) as server:
        async with browsing(chromium) as context:
            orders = await open_example(context, server, "getLastOrder")
            answer = orders.locator(".graphiql-response .view-lines")
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
