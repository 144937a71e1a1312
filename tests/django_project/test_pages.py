"""The start page, and the documentation as pages."""

import re
from typing import Any

import pytest
from django.test import Client

from django_project.demo import load_demo
from django_project.pages import rendered


def read(path: str) -> str:
    response = Client(headers={"host": "127.0.0.1"}).get(path)
    assert response.status_code == 200
    return response.content.decode()


class TestStartPage:
    @pytest.fixture(autouse=True)
    def _demo(self, settings: Any, transactional_db: None) -> None:
        settings.CLEW_DEMO = settings.CLEW_GRAPHIQL = True

    def test_names_the_users_of_the_demo_and_their_password(self) -> None:
        load_demo()
        page = read("/")
        assert "<code>user_one</code> and <code>user_two</code>" in page
        assert "<code>pass</code>" in page
        assert "changepassword admin" in page

    def test_names_no_users_where_the_demo_was_not_loaded(self) -> None:
        assert "user_one" not in read("/")

    def test_names_no_users_outside_demo_mode(self, settings: Any) -> None:
        load_demo()
        settings.CLEW_DEMO = False
        assert "user_one" not in read("/")


class TestDocumentation:
    def test_a_heading_can_be_linked_to(self) -> None:
        content = rendered("# A page\n\n## What `after` means")["content"]
        assert '<h2 id="what-after-means">' in content

    def test_no_two_headings_of_a_page_have_the_same_id(self) -> None:
        for name in re.findall(r'href="([a-z-]+\.md)"', read("/docs/")):
            ids = re.findall(r' id="([^"]+)"', read(f"/docs/{name}"))
            assert len(ids) == len(set(ids)), name

    def test_a_long_page_begins_with_links_to_its_sections(self) -> None:
        page = read("/docs/clients.md")
        assert '<nav class="sections" aria-label="On this page">' in page
        assert '<a href="#server-sent-events">Server-sent events</a>' in page

    def test_a_short_page_has_no_list_of_sections(self) -> None:
        assert "On this page" not in read("/docs/")

    @pytest.mark.parametrize("text", ["    code", "```\ncode\n```", "|a|b|\n|-|-|\n|1|2|"])
    def test_what_scrolls_can_be_reached_by_the_keyboard(self, text: str) -> None:
        assert ' tabindex="0">' in rendered("# A\n\n" + text)["content"]

    def test_a_table_without_a_header_has_no_header_row(self) -> None:
        content = rendered("# A\n\n| | |\n|-|-|\n| a | b |")["content"]
        assert "<th" not in content
        assert "<td>a</td>" in content

    def test_a_long_name_may_break_behind_an_underscore(self) -> None:
        assert "<code>SECRET_<wbr>KEY</code>" in rendered("# A\n\n`SECRET_KEY`")["content"]

    def test_an_empty_cell_of_a_header_is_no_header(self) -> None:
        content = rendered("# A\n\n| | b |\n|-|-|\n| 1 | 2 |")["content"]
        assert re.findall(r"<t[hd]>.*?</t[hd]>", content)[:2] == ["<td></td>", "<th>b</th>"]


def test_the_admin_names_the_icon(transactional_db: None) -> None:
    assert '<link rel="icon" href="/static/clew.svg">' in read("/admin/login/")
