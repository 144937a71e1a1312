"""A session engine of somebody's own, whose keys are not like those of Django."""

from uuid import uuid4

from django.contrib.sessions.backends.db import SessionStore as Base


class SessionStore(Base):
    """Keeps sessions under UUIDs."""

    def _get_new_session_key(self) -> str:
        return str(uuid4())
