"""The metrics page, for Prometheus."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from realtime.metrics import RealtimeCollector

REGISTRY.register(RealtimeCollector())


@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """Show the metrics of this process to who bears METRICS_TOKEN; there is no page without one.

    Async, so that it reads the engine's state on the event loop that changes it.
    """
    if not settings.METRICS_TOKEN:
        raise Http404("METRICS_TOKEN is not set.")
    given = request.headers.get("Authorization", "")
    if not constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}"):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(REGISTRY), content_type=content_type)
