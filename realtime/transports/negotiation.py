"""Media types, and which of them a client wants."""

from functools import lru_cache

from django.http import HttpRequest

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
HTML = "text/html"
EVENT_STREAM = "text/event-stream"
MULTIPART = "multipart/mixed;subscriptionspec=1.0"

VARY = {"Vary": "Accept, Origin"}
"""What every answer depends on, beside the address."""


PRIVATE = "private, no-store"
"""The Cache-Control of what depends on who asks."""

MAX_ACCEPT = 1_000
"""Characters of an Accept header; a longer one says nothing. Django's parser is not linear."""


def preferred(accept: str | None, offers: tuple[str, ...]) -> str | None:
    """Return what a client likes best of the offers; of what it likes alike, the first."""
    if not accept or len(accept) > MAX_ACCEPT:
        return offers[0]
    return _preferred(accept, offers)


@lru_cache(maxsize=64)  # headers of a client's choice, so few are kept
def _preferred(accept: str, offers: tuple[str, ...]) -> str | None:
    ranges = [_understood(each) for each in accept.lower().replace('"', "").split(",")]
    request = HttpRequest()
    # Apollo's protocols share a media type: one without subscriptionSpec is for `@defer`, say.
    request.META["HTTP_ACCEPT"] = ",".join(
        each for each in ranges if not each.startswith("multipart/") or "subscriptionspec=" in each
    )
    return request.get_preferred_type(offers)


def _understood(media_range: str) -> str:
    """Return a media range with the parameters that we know, as Django compares all of them."""
    media_type, *parameters = (part.strip() for part in media_range.split(";"))
    known = (each for each in parameters if each.startswith(("q=", "subscriptionspec=")))
    return ";".join((media_type, *known))
