"""GraphiQL, from our own static files, with tabs that show what there is to do."""

import re
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
    """Return a tab for each part of examples.graphql; GraphiQL names it after its operation."""
    parts = re.split(r"^##.*\n", EXAMPLES.read_text(), flags=re.MULTILINE)[1:]
    return [{"query": part.strip() + "\n"} for part in parts]
