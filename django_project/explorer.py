"""GraphiQL, from our own static files, with tabs that show what there is to do."""

from pathlib import Path
from typing import Any

from ariadne.explorer import Explorer
from django.template.loader import render_to_string

EXAMPLES = Path(__file__).parent / "examples.graphql"


class GraphiQL(Explorer):
    """Renders templates/graphiql.html."""

    def html(self, request: Any) -> str:
        """Return the page."""
        return render_to_string(
            "graphiql.html", {"config": {"url": request.url.path, "tabs": example_tabs()}}
        )


def example_tabs() -> list[dict[str, str]]:
    """Return a tab for each part of examples.graphql; a part begins with `## ` and its title."""
    parts = EXAMPLES.read_text().split("## ")[1:]
    return [
        {"title": title, "query": query.strip() + "\n"}
        for title, _, query in (part.partition("\n") for part in parts)
    ]
