"""Models every ORM write of which is published on the topics that the object names."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache, reduce
from operator import or_
from typing import Any, ClassVar, Self, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections, models, router, transaction
from django.db.models.signals import class_prepared, post_delete, post_save, pre_delete, pre_save

from realtime.compiled import ByKey
from realtime.functions import topics_of_object
from realtime.log import BATCH, Change
from realtime.models import Event, is_topic_name
from realtime.publishing import Batch, publish, publishing

M = TypeVar("M", bound="Published")


class PublishedQuerySet(models.QuerySet[M]):
    """A query set whose bulk writes are published row by row.

    Each costs a read of the rows before (locked, so that exactly these are changed)
    and, where topics may have changed, one after.
    """

    def update(self, **kwargs: Any) -> int:
        """Update the rows and publish each as updated."""
        with self._publishing():
            before = _stored(self.model, self.values_list("pk", flat=True), self.db)
            rows = self
            if connections[self.db].features.has_select_for_update:
                # Under READ COMMITTED others may have come to match since.
                rows = self.filter(pk__in=list(before))
            count = super(PublishedQuerySet, rows).update(**kwargs)
            after = _stored(self.model, before, self.db)
            publish(
                (c for pk in before for c in _changes(UPDATED, before[pk], after.get(pk))),
                using=self.db,
            )
        return count

    def bulk_create(
        self,
        objs: Iterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[M]:
        """Insert the objects and publish each as created, or as updated on conflict.

        With `ignore_conflicts` rows are inserted one by one, since the databases
        do not say which of many they ignored.
        """
        objs = list(objs)
        with self._publishing():
            if ignore_conflicts:
                self._create_missing(objs)
                return objs
            before = self._conflicting(objs, unique_fields or ()) if update_conflicts else {}
            objs = super().bulk_create(
                objs,
                batch_size,
                update_conflicts=update_conflicts,
                update_fields=update_fields,
                unique_fields=unique_fields,
            )
            doubtful = [obj.pk for obj in objs if obj.pk in before or not _is_as_stored(obj)]
            after = _stored(self.model, doubtful, self.db)
            changes = []
            for obj in objs:
                kind = UPDATED if obj.pk in before else CREATED
                changes += _changes(kind, before.get(obj.pk), after.get(obj.pk, obj))
            publish(changes, using=self.db)
        return objs

    def bulk_update(
        self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """Update the given fields of the objects, through `update()`, as one transaction."""
        with self._publishing():
            return super().bulk_update(objs, fields, batch_size)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the rows, and publish each as deleted."""
        with self._publishing():
            return super().delete()

    update.alters_data = True  # type: ignore[attr-defined]
    bulk_create.alters_data = True  # type: ignore[attr-defined]
    bulk_update.alters_data = True  # type: ignore[attr-defined]
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def _publishing(self) -> Any:
        self._for_write = True
        return publishing(using=self.db, savepoint=False)

    def _create_missing(self, objs: Iterable[M]) -> None:
        for obj in objs:
            try:
                with transaction.atomic(using=self.db):
                    super().bulk_create([obj])
            except IntegrityError:
                if not _is_taken(obj):
                    raise
            else:
                publish(_changes(CREATED, _as_stored(obj, self.db)), using=self.db)

    def _conflicting(self, objs: list[M], unique_fields: Collection[str]) -> dict[Any, M]:
        meta = self.model._meta
        names = [meta.pk.name if name == "pk" else name for name in unique_fields]
        pks: list[Any] = []
        for start in range(0, len(objs), BATCH):
            same = (
                models.Q(**{name: getattr(obj, name) for name in names})
                for obj in objs[start : start + BATCH]
            )
            rows = self.model._base_manager.using(self.db).filter(reduce(or_, same))
            pks += rows.values_list("pk", flat=True)
        return _stored(self.model, pks, self.db)


PublishedManager = models.Manager.from_queryset(PublishedQuerySet)


class Published(models.Model):
    """A model whose every change is an event on each of its `topics()`.

    An object that moves from one topic to another is told on both. Published are
    `save`, `delete`, cascades, `update()`, `bulk_create()`, `bulk_update()`, and what
    stands on them: `get_or_create`, the admin, the shell, `loaddata`. Raw SQL is not.
    A manager of one's own is made from a subclass of PublishedQuerySet. The base manager
    is asked for its rows once.
    """

    objects: ClassVar[models.Manager[Self]] = PublishedManager()
    _rows: ClassVar[models.Manager[Self]] = PublishedManager()
    """What Django itself uses, for cascades and the like: all rows, whatever `objects` becomes."""

    class Meta:
        abstract = True
        base_manager_name = "_rows"

    def save(self, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        """Save the object and publish it, in one transaction."""
        using = using or router.db_for_write(type(self), instance=self)
        with publishing(using=using, savepoint=False):
            super().save(*args, using=using, **kwargs)

    def topics(self) -> Iterable[str]:
        """Name the topics on which a change of this object is an event: a string, or several."""
        name = type(self).__name__
        raise NotImplementedError(f"{name} is Published, but has no topics(): define it.")

    def facts(self) -> dict[str, Any]:
        """Return what the object's events bear in `data`: small and JSON; by default nothing."""
        return {}

    def facts_since(self, before: Self) -> dict[str, Any]:
        """Return the facts of a change from what the object was before, itself if it is new.

        By default `facts()`: what it was does not matter.
        """
        return self.facts()


CREATED, UPDATED, DELETED = Event.Kind.CREATED, Event.Kind.UPDATED, Event.Kind.DELETED


def _changes(kind: Event.Kind, *versions: Published | None) -> list[Change]:
    """Return the changes of one object on the topics of all its versions, with the last's facts.

    The versions are those before and after.
    """
    present = [version for version in versions if version is not None]
    names = {name for version in present for name in _topics_of(version)}
    facts = present[-1].facts_since(present[0])
    return [Change(name, kind, str(present[0].pk), facts) for name in sorted(names)]


def _topics_of(version: Published) -> frozenset[str]:
    names = topics_of_object(version)
    for name in names:
        if not is_topic_name(name):
            raise ValueError(
                f"{type(version).__name__}.topics() returned {name!r}: names have 1 to 200 "
                "characters, and no NUL."
            )
    return names


def _stored(model: type[M], pks: Iterable[Any], using: str) -> dict[Any, M]:
    """Return the rows as they stand in the database, locked in a fixed order, by primary key."""
    return _by_key(model, locks=connections[using].in_atomic_block)(pks, using=using)


@cache
def _by_key(model: type[M], *, locks: bool) -> ByKey[M]:
    rows = model._base_manager.order_by("pk")
    # Not the key: a child's foreign key may refer to the row meanwhile.
    return ByKey(rows.select_for_update(no_key=True) if locks else rows)


def _is_taken(obj: models.Model) -> bool:
    try:
        obj.validate_unique()
        obj.validate_constraints()
    except ValidationError:
        return True
    return False


def _remember(instance: Published, using: str, **_: Any) -> None:
    """Before a save, read the row that it may overwrite: its topics are told too."""
    stored = {} if instance.pk is None else _stored(type(instance), [instance.pk], using)
    instance.__dict__["_overwritten"] = stored.get(instance.pk)


def _publish_saved(
    instance: Published,
    created: bool,
    using: str,
    update_fields: Collection[str] | None = None,
    **_: Any,
) -> None:
    before = instance.__dict__.pop("_overwritten", None)
    partly = update_fields is not None
    after = _stored_one(instance, using) if partly else _as_stored(instance, using)
    publish(_changes(CREATED if created else UPDATED, before, after), using=using)


def _stored_one(instance: M, using: str) -> M:
    return _stored(type(instance), [instance.pk], using)[instance.pk]


def _as_stored(instance: M, using: str) -> M:
    """Return an object just written with the values of its row, itself where it has them."""
    return instance if _is_as_stored(instance) else _stored_one(instance, using)


def _is_as_stored(instance: Published) -> bool:
    """Tell whether an object just written has no expressions, nor values of other types."""
    for column in instance._meta.concrete_fields:
        value = instance.__dict__.get(column.attname)
        if value is None:
            continue  # or deferred, and read from the row when it is asked for
        if hasattr(value, "resolve_expression"):
            return False
        try:
            same = column.to_python(value)
        except ValidationError:
            return False
        if type(same) is not type(value) or same != value:
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Deleting:
    """What a delete under way has to tell."""

    transaction: Batch
    """Empty: it says whether that delete failed, and this is what is left of it."""
    changes: dict[tuple[str, str], Change] = field(default_factory=dict)


def _collect_deleted(instance: Published, origin: Any, using: str, **_: Any) -> None:
    """Before a delete, while its relations still stand, note what there is to tell.

    Django announces all objects of one delete before it deletes the first. An object
    and the parent of its multi-table inheritance are one.
    """
    stored = _stored(type(instance), [instance.pk], using) if origin is instance else {}
    changes = _changes(DELETED, stored.get(instance.pk), instance)
    if origin is None:  # a Collector of somebody's own
        publish(changes, using=using)
        return
    deleting: _Deleting | None = origin.__dict__.get("_deleting")
    if deleting is None or deleting.transaction.is_undone():
        deleting = origin.__dict__["_deleting"] = _Deleting(Batch((), using=using))
    for change in changes:
        deleting.changes[change.topic, change.object_id] = change


def _publish_deleted(origin: Any, using: str, **_: Any) -> None:
    """After the first deletion, publish all objects that go with it."""
    deleting: _Deleting | None = getattr(origin, "__dict__", {}).pop("_deleting", None)
    if deleting is not None:
        publish(deleting.changes.values(), using=using)


def _connect(sender: type[models.Model], **_: Any) -> None:
    if issubclass(sender, Published):
        pre_save.connect(_remember, sender=sender)
        post_save.connect(_publish_saved, sender=sender)
        pre_delete.connect(_collect_deleted, sender=sender)
        post_delete.connect(_publish_deleted, sender=sender)


class_prepared.connect(_connect)
