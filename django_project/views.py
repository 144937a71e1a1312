"""The start page, and the documentation as pages."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from django_project.demo import PASSWORD, has_demo_users
from django_project.pages import rendered

DOCS = settings.BASE_DIR / "docs"


def start(request: HttpRequest) -> HttpResponse:
    """Say what this is, and where to go."""
    demo = settings.CLEW_DEMO
    password = PASSWORD if demo and has_demo_users() else None
    return render(request, "start.html", {"demo": demo, "password": password})


def page(request: HttpRequest, name: str = "index") -> HttpResponse:
    """Show one file of docs/."""
    source = DOCS / f"{name}.md"
    if source not in DOCS.glob("*.md"):  # a name of a client's choice may be too long to look up
        raise Http404(f"There is no page {name} in the documentation.")
    return render(request, "docs.html", rendered(source.read_text()))
