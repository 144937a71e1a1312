"""Books on shelves."""

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import uuid4

from django.db import models

from realtime.published import Published, PublishedManager


class Shelf(models.Model):
    name = models.CharField(max_length=20)


class Book(Published):
    shelf = models.ForeignKey(Shelf, models.SET_NULL, null=True, related_name="books")
    title = models.CharField(max_length=100, unique=True)
    copies = models.PositiveIntegerField(default=1)

    def topics(self) -> Iterable[str]:
        return ["books", f"shelf.{self.shelf_id}"]

    def facts(self) -> dict[str, Any]:
        return {"title": self.title}


class Page(Published):
    """Goes with its book."""

    book = models.ForeignKey(Book, models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField()

    def topics(self) -> Iterable[str]:
        return [f"pages.{self.book.title}"]


class Atlas(Book):
    """A child of multi-table inheritance."""

    scale = models.PositiveIntegerField(default=1000)


class Present(PublishedManager[Any]):
    """Hides what is deleted softly, and counts what refers to it."""

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(hidden=False).annotate(count=models.Count("notes"))


class Draft(Published):
    """Its own `objects` shows some rows only, by a query that cannot be locked."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="drafts", null=True)
    hidden = models.BooleanField(default=False)

    objects: ClassVar[Any] = Present()

    def topics(self) -> Iterable[str]:
        return [f"drafts.{self.shelf_id}"]


class Note(Published):
    draft = models.ForeignKey(Draft, models.CASCADE, related_name="notes")

    def topics(self) -> Iterable[str]:
        return ["notes"]
