"""A limit on the bodies of requests that Django serves."""

from django.conf import settings
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REFUSAL = PlainTextResponse(
    "The body is too large.", status_code=413, headers={"Connection": "close"}
)


class LimitedBodies:
    """Refuses bodies over DATA_UPLOAD_MAX_MEMORY_SIZE with 413 before Django writes them to disk.

    Django itself compares with that setting only when a view reads the form, and then has the
    whole body in a temporary file, also of requests that are not found.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            await REFUSAL(scope, receive, send)
            return
        size, has_started = 0, False

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            # Django takes this for a client that has gone, and closes its temporary file.
            return {"type": "http.disconnect"} if size > limit else message

        async def started(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        await self._app(scope, limited, started)
        if size > limit and not has_started:
            await REFUSAL(scope, receive, send)
