"""What caches may keep of Django's pages."""

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import has_vary_header, patch_cache_control
from django.utils.deprecation import MiddlewareMixin


class PrivatePages(MiddlewareMixin):
    """Has no cache keep a page that depends on cookies and does not say itself what may be kept.

    It stands before Django's SessionMiddleware, which says what depends on them.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Add the header."""
        if has_vary_header(response, "Cookie") and not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_store=True)
        return response
