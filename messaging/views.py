"""Announcements over plain HTTP."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from messaging.topics import ANNOUNCEMENTS
from realtime.broadcasts import broadcast

LONGEST = 1000
"""Characters of an announcement."""


@csrf_exempt
@require_POST
def publish_message(request: HttpRequest) -> HttpResponse:
    """Announce the `message` of the query string to whoever listens to `realTimeMessages`.

    Open to anyone in demo mode, else to staff; callers with a session cookie need a
    CSRF token, and pages of other origins are refused.
    """
    own = f"{request.scheme}://{request.get_host()}"
    if request.headers.get("Origin", own) not in {own, *settings.CORS_ALLOWED_ORIGINS}:
        return _refused("Pages of this origin may not announce.", status=403)
    if request.user.is_authenticated:
        return _publish_as_user(request)
    if not settings.CLEW_DEMO:
        return _refused("Log in first.", status=401)
    return _publish(request)


@csrf_protect
def _publish_as_user(request: HttpRequest) -> HttpResponse:
    if not (settings.CLEW_DEMO or request.user.is_staff):
        return _refused("Announcements are for staff.", status=403)
    return _publish(request)


def _publish(request: HttpRequest) -> HttpResponse:
    message = request.GET.get("message", "")
    if not message.strip() or len(message) > LONGEST:
        return _refused(f"message must have 1 to {LONGEST} characters.", status=400)
    broadcast(ANNOUNCEMENTS, message)
    return JsonResponse({"status": "ok", "message_sent": message})


def _refused(error: str, *, status: int) -> HttpResponse:
    return JsonResponse({"status": "error", "error": error}, status=status)
