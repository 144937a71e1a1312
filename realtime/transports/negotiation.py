"""Media types, and which of them a client wants."""

import re
from functools import lru_cache

from django.http import HttpRequest

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
HTML = "text/html"
EVENT_STREAM = "text/event-stream"
MULTIPART = "multipart/mixed;subscriptionspec=1.0"

VARY = {"Vary": "Accept, Origin"}
"""What every answer depends on, beside the address."""


@lru_cache(maxsize=64)  # headers of a client's choice, so few are kept
def preferred(accept: str | None, offers: tuple[str, ...]) -> str | None:
    """Return what a client likes best of the offers; of what it likes alike, the first."""
    if not accept:
        return offers[0]
    request = HttpRequest()
    # Django tells media types apart by their parameters; these alone mean anything to us.
    known = re.sub(r"\s*+;\s*+(?!q=|subscriptionspec=)[^,;]*", "", accept.lower().replace('"', ""))
    # Apollo's protocols share a media type: one without subscriptionSpec is for `@defer`, say.
    request.META["HTTP_ACCEPT"] = ",".join(
        each
        for each in known.split(",")
        if not each.lstrip().startswith("multipart/") or "subscriptionspec=" in each
    )
    return request.get_preferred_type(offers)
