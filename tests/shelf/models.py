"""Books on shelves."""

from collections.abc import Iterable
from typing import Any

from django.db import models

from realtime.published import Published


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
