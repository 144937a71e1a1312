"""How the model instances of broadcasts are read: all of a model in one query."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from realtime.compiled import ByKey
from realtime.payloads import Reference


class Reading:
    """Reads instances through the querysets of an app, and those of other models as they are.

    A queryset says for its model what is read along, and which rows may be shown.
    """

    def __init__(self, querysets: Iterable[QuerySet[Any]] = ()) -> None:
        self._by_key = {rows.model._meta.label_lower: ByKey(rows.all()) for rows in querysets}

    def read(self, references: Iterable[Reference]) -> dict[Reference, Model]:
        """Return the instances that are there. Runs in a database thread."""
        groups: dict[tuple[str, str | None], list[Reference]] = defaultdict(list)
        for reference in references:
            groups[reference.label, reference.using].append(reference)
        found: dict[Reference, Model] = {}
        for (label, using), wanted in groups.items():
            to_python = _key(label)
            by_pk = self._rows(label)([reference.pk for reference in wanted], using=using)
            for reference in wanted:
                if (instance := by_pk.get(to_python(reference.pk))) is not None:
                    found[reference] = instance
        return found

    def _rows(self, label: str) -> ByKey[Any]:
        if (rows := self._by_key.get(label)) is None:
            # The base manager, as for foreign keys: the default one may hide rows. Once.
            rows = self._by_key[label] = ByKey(apps.get_model(label)._base_manager.all())
        return rows


def _key(label: str) -> Any:
    """Return what makes a primary key as the rows have it: one may have been set as text."""
    pk = apps.get_model(label)._meta.pk
    assert pk is not None, "a model that is not abstract has one"
    return pk.to_python


AS_THEY_ARE = Reading()
"""Without a say of the app."""
