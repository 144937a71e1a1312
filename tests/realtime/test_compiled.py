"""Querysets compiled once find what they would find if compiled anew."""

from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.db.models import F, Prefetch, QuerySet
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext

from realtime.compiled import ByKey, Compiled, Slot
from tests.shelf.models import Atlas, Book, Draft, Page, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books() -> list[Book]:
    shelf = Shelf.objects.create(name="Myths")
    books = [Book.objects.create(title=f"Book {n}", shelf=shelf, copies=n) for n in range(70)]
    Page.objects.create(book=books[0], number=1)
    return books


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []
    as_sql = SQLCompiler.as_sql

    def counted(self: SQLCompiler, *args: Any, **kwargs: Any) -> Any:
        made.append(self.query)
        return as_sql(self, *args, **kwargs)

    monkeypatch.setattr(SQLCompiler, "as_sql", counted)
    return made


BOOKS = [
    lambda: Book.objects.all(),
    lambda: Book.objects.select_related("shelf"),
    lambda: Book.objects.filter(copies__gt=1, title__startswith="Book"),
    lambda: Book.objects.only("title"),
    lambda: Book.objects.annotate(more=F("copies") + 1),
    lambda: Book.objects.order_by("-title"),
    lambda: Book.objects.none(),
]


class TestByKey:
    @pytest.mark.parametrize("number", [0, 1, 2, 3, 16, 17])
    @pytest.mark.parametrize("make", BOOKS)
    def test_finds_what_in_bulk_finds(self, books: list[Book], make: Any, number: int) -> None:
        keys = [book.pk for book in books[:number]]
        by_key: ByKey[Book] = ByKey(make())
        for _ in range(2):
            found, wanted = by_key(keys), make().in_bulk(keys)
            assert found.keys() == wanted.keys()
            for pk, book in found.items():
                assert book.__dict__.keys() == wanted[pk].__dict__.keys()
                assert (book.title, book.copies, book.shelf) == (
                    *(wanted[pk].title, wanted[pk].copies),
                    wanted[pk].shelf,
                )

    def test_keeps_the_order_of_the_rows(self, books: list[Book]) -> None:
        by_key = ByKey(Book.objects.order_by("-copies"))
        assert [*by_key(book.pk for book in books[:5])] == [book.pk for book in books[4::-1]]

    def test_takes_keys_as_text_twice_and_of_nothing(self, books: list[Book]) -> None:
        by_key = ByKey(Book.objects.all())
        pk = books[0].pk
        assert by_key([str(pk), pk, 2**40]) == {pk: books[0]}

    def test_takes_keys_that_are_no_numbers(self) -> None:
        draft = Draft.objects.create()
        by_key = ByKey(Draft._base_manager.all())
        assert by_key([str(draft.pk)]) == {draft.pk: draft}
        assert by_key([uuid4()]) == {}

    def test_finds_children_of_multi_table_inheritance(self) -> None:
        atlas = Atlas.objects.create(title="Atlas", scale=5)
        assert ByKey(Atlas.objects.all())([atlas.pk])[atlas.pk].scale == 5

    def test_reads_along_what_is_prefetched(self, books: list[Book], queries: list[str]) -> None:
        by_key = ByKey(Book.objects.prefetch_related(Prefetch("pages", to_attr="all_pages")))
        queries.clear()
        [book] = by_key([books[0].pk]).values()
        assert [page.number for page in book.all_pages] == [1]  # type: ignore[attr-defined]
        assert len(queries) == 2

    def test_finds_rows_as_they_have_become(self, books: list[Book]) -> None:
        by_key = ByKey(Book.objects.filter(copies=3))
        pk = books[3].pk
        assert by_key([pk])
        Book.objects.filter(pk=pk).update(copies=4)
        assert not by_key([pk])

    def test_compiles_once(self, books: list[Book], compilations: list[Any]) -> None:
        by_key = ByKey(Book.objects.all())
        for book in books:
            by_key([book.pk])
        assert len(compilations) == 1

    def test_serves_another_connection_of_the_thread(self, books: list[Book]) -> None:
        by_key = ByKey(Book.objects.all())
        pk = books[0].pk
        former = connections["default"]
        assert by_key([pk])
        try:
            connections["default"] = former.copy()
            with CaptureQueriesContext(connections["default"]) as captured:
                assert by_key([pk]) == {pk: books[0]}
            connections["default"].close()
        finally:
            connections["default"] = former
        assert len(captured) == 1

    def test_makes_what_the_rows_are_made_of(self, books: list[Book]) -> None:
        class Titled(ModelIterable):  # type: ignore[type-arg]
            def __iter__(self) -> Any:
                for book in super().__iter__():
                    book.title = book.title.upper()
                    yield book

        rows = Book.objects.all()
        rows._iterable_class = Titled
        assert ByKey(rows)([books[0].pk])[books[0].pk].title == "BOOK 0"

    def test_serves_every_thread(self, books: list[Book]) -> None:
        by_key = ByKey(Book.objects.all())
        found = [by_key([books[0].pk])]

        def find() -> None:
            try:
                found.append(by_key([books[1].pk]))
            finally:
                connections.close_all()

        thread = Thread(target=find)
        thread.start()
        thread.join()
        assert found == [{book.pk: book} for book in books[:2]]

    def test_refuses_a_key_that_cannot_be_one(self) -> None:
        with pytest.raises(ValueError, match="expected a number"):
            ByKey(Book.objects.all())(["one"])

    @pytest.mark.parametrize(
        "rows",
        [
            lambda: Book.objects.values("pk"),
            lambda: Book.objects.values_list("pk", "title"),
            lambda: Book.objects.all()[:1],
        ],
    )
    def test_refuses_rows_without_keys(self, rows: Any) -> None:
        with pytest.raises(TypeError):
            ByKey(rows())


def test_slots_are_filled_at_each_call(books: list[Book]) -> None:
    def make(using: str) -> QuerySet[Book]:
        title, copies = map(Book._meta.get_field, ("title", "copies"))
        rows = Book.objects.using(using).filter(title=Slot(1, title), copies__gte=Slot(0, copies))
        return rows.order_by("pk")[:5]

    compiled = Compiled(make)
    assert compiled("default", 4, "Book 4") == [books[4]]
    assert compiled("default", 5, "Book 4") == []
    assert compiled("default", "0", "Book 69") == [books[69]]
