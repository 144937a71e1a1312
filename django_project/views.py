"""The start page, and the documentation as pages."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from markdown_it import MarkdownIt

DOCS = settings.BASE_DIR / "docs"


def start(request: HttpRequest) -> HttpResponse:
    """Say what this is, and where to go."""
    return render(request, "start.html", {"demo": settings.CLEW_DEMO})


def page(request: HttpRequest, name: str = "index") -> HttpResponse:
    """Show one file of docs/."""
    source = DOCS / f"{name}.md"
    if not source.is_file():
        raise Http404(f"There is no page {name} in the documentation.")
    text = source.read_text()
    title = text.partition("\n")[0].lstrip("# ")
    content = MarkdownIt("commonmark").enable("table").render(text)
    return render(request, "docs.html", {"content": content, "title": title})
