"""What takes rights away, heard through Django's signals, and told to all processes.

Not heard are bulk writes without signals, as `User.objects.update(…)`: their authors call
`access.changed()`, or the periodic look at everyone finds out.
"""

from collections.abc import Collection
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user_model
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete
from django.utils import timezone

from realtime import access

HARMLESS = frozenset({"last_login"})
"""Fields of a user that give no rights."""


def connect() -> None:
    """Listen to users, their groups and permissions, and their sessions."""
    user_model = get_user_model()
    for model in apps.get_models():
        if issubclass(model, user_model):  # or a proxy of it
            post_save.connect(_user_saved, sender=model)
            post_delete.connect(_user_deleted, sender=model)
    for name in ("groups", "user_permissions"):
        if hasattr(user_model, name):
            m2m_changed.connect(_rights_of_users_changed, sender=getattr(user_model, name).through)
    from django.contrib.auth.models import Group, Permission

    m2m_changed.connect(_rights_of_many_changed, sender=Group.permissions.through)
    for model in (Group, Permission):
        pre_delete.connect(_rights_of_many_changed, sender=model)
    store = import_module(settings.SESSION_ENGINE).SessionStore
    # Sessions that are not in the database end unheard, but for the periodic look.
    if apps.is_installed("django.contrib.sessions") and hasattr(store, "get_model_class"):
        post_delete.connect(_session_deleted, sender=store.get_model_class())


def _user_saved(
    instance: Model, created: bool, update_fields: Collection[str] | None = None, **_: Any
) -> None:
    if not created and (update_fields is None or not HARMLESS.issuperset(update_fields)):
        access.changed(instance.pk)


def _user_deleted(instance: Model, **_: Any) -> None:
    access.changed(instance.pk)


def _rights_of_users_changed(
    action: str, instance: Model, reverse: bool, pk_set: Collection[Any] | None, **_: Any
) -> None:
    if action == "pre_clear" and reverse:
        access.changed_for_everyone()  # nobody says who they were
    elif action in {"post_add", "post_remove"} and reverse:
        access.changed(*(pk_set or ()))
    elif action in {"post_add", "post_remove", "post_clear"} and not reverse:
        access.changed(instance.pk)


def _rights_of_many_changed(action: str = "post_remove", **_: Any) -> None:
    if action.startswith("post_"):
        access.changed_for_everyone()


def _session_deleted(instance: Any, **_: Any) -> None:
    # One that has expired has been refused since: thousands are cleared at once.
    if instance.expire_date > timezone.now():
        user = instance.get_decoded().get(SESSION_KEY)
        if user is not None:
            access.changed(user)
