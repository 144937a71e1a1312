"""A real browser that reaches nothing but this machine."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Locator, Page, Route, async_playwright

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


def demo_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Load the demo into a database of its own; `admin` has the password PASSWORD."""
    environment = migrated(tmp_path_factory)
    load = (
        "from django_project.demo import load_demo; load_demo(); "
        "from accounts.models import User; admin = User.objects.get(username='admin'); "
        f"admin.set_password('{PASSWORD}'); admin.save()"
    )
    manage("shell", "--verbosity", "0", "-c", load, env=environment)
    return environment


@asynccontextmanager
async def browsing(
    chromium: Path, *, tolerated: str | None = None, **options: Any
) -> AsyncIterator[BrowserContext]:
    """Yield a fresh browser context; complaints and requests that leave the machine fail.

    `tolerated` is a pattern of complaints that may come. `options` are of the context.
    """
    faults: list[str] = []

    async def stay(route: Route) -> None:
        if "://127.0.0.1:" in route.request.url:
            await route.continue_()
        else:
            faults.append(f"left the machine: {route.request.url}")
            await route.abort()

    def complain(text: str) -> None:
        if tolerated is None or not re.search(tolerated, text):
            faults.append(text)

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: complain(f"page error: {error}"))
        page.on(
            "console",
            lambda message: complain(message.text) if message.type == "error" else None,
        )

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        try:
            viewport = {"width": 1280, "height": 800}
            context = await browser.new_context(**{"viewport": viewport, **options})
            await context.route("**/*", stay)
            context.on("page", watch)
            yield context
        finally:
            await browser.close()
    assert faults == []


async def open_graphiql(context: BrowserContext, server: ServerProcess) -> Page:
    """Open GraphiQL in a window of its own."""
    page = await context.new_page()
    await page.goto(f"{server.url}/graphql/")
    await page.locator(".graphiql-query-editor .monaco-editor").wait_for()
    return page


async def open_example(context: BrowserContext, server: ServerProcess, name: str) -> Page:
    """Open GraphiQL with one of its tabs chosen."""
    page = await open_graphiql(context, server)
    await page.get_by_role("tab", name=name).first.click()
    return page


async def run(page: Page) -> None:
    """Press the button that runs the operation."""
    await page.get_by_role("button", name="Execute query").click()


def result(page: Page) -> Locator:
    """Return the pane that shows the last result."""
    return page.locator(".graphiql-response .view-lines")


def status(page: Page) -> Locator:
    """Return what says in which state the subscription is."""
    return page.get_by_role("status")


def events(page: Page) -> Locator:
    """Return the list of the events of the subscription, newest first."""
    return page.get_by_role("list", name="Events, newest first").get_by_role("listitem")
