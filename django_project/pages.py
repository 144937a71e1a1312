"""Markdown as a page: headings that links can lead to, and what a keyboard can scroll."""

from itertools import pairwise
from typing import Any

from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

LONG = 4
"""Sections from which on a page begins with a list of them."""


def rendered(text: str) -> dict[str, Any]:
    """Return what templates/docs.html shows.

    `title`, `heading` and `content`, and the `sections` of a long page.
    """
    markdown = MarkdownIt("commonmark").enable("table")
    markdown.add_render_rule("code_inline", _code)
    tokens = _without_empty_headers(markdown.parse(text))
    sections: list[dict[str, str]] = []
    title = ""
    for token, inner in pairwise(tokens):
        if token.type == "heading_open":
            name = inner.content.replace("`", "")
            token.attrSet("id", slugify(name))
            if token.tag == "h1":
                title = name
            elif token.tag == "h2":
                sections.append({"id": slugify(name), "name": name})
    content = markdown.renderer.render(tokens, markdown.options, {})
    # What is wider than the page scrolls by itself, also by the keyboard.
    content = content.replace("<pre>", '<pre tabindex="0">')
    content = content.replace("<table>", '<div class="table" tabindex="0"><table>')
    content = content.replace("</table>", "</table></div>")
    heading, end, content = content.partition("</h1>")
    return {
        "title": title,
        "heading": heading + end,
        "content": content,
        "sections": sections if len(sections) >= LONG else [],
    }


def _code(self: RendererHTML, tokens: list[Token], index: int, *_: Any) -> str:
    """Return code that may break behind an underscore: names are wider than a phone's column."""
    return f"<code>{escapeHtml(tokens[index].content)}</code>".replace("_", "_<wbr>")


def _without_empty_headers(tokens: list[Token]) -> list[Token]:
    """Remove headers of tables without any text; an empty cell beside others heads nothing."""
    kept: list[Token] = []
    for token in tokens:
        kept.append(token)
        if token.type == "thead_close":
            begin = max(i for i, other in enumerate(kept) if other.type == "thead_open")
            if not any(other.content for other in kept[begin:]):
                del kept[begin:]
        elif token.type == "th_close" and not kept[-2].content:
            kept[-3].tag = token.tag = "td"
    return kept
