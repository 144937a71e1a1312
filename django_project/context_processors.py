"""What all pages may say."""

from django.conf import settings
from django.http import HttpRequest


def graphiql(request: HttpRequest) -> dict[str, bool]:
    """Tell whether there is a GraphiQL to lead to."""
    return {"graphiql": settings.CLEW_GRAPHIQL}
