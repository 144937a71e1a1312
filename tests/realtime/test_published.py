"""Every ORM write path of a published model publishes, exactly once, on the right topics."""

from collections.abc import Callable
from io import StringIO
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.core.serializers import serialize
from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.deletion import Collector
from django.db.models.functions import Concat

from realtime.models import Event
from realtime.published import Published
from realtime.publishing import publishing
from tests.shelf.models import Atlas, Book, Draft, Page, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


class Told(NamedTuple):
    """One event, short."""

    topic: str
    kind: str
    title: str


@pytest.fixture
def shelves() -> tuple[Shelf, Shelf]:
    return Shelf.objects.create(pk=1, name="left"), Shelf.objects.create(pk=2, name="right")


@pytest.fixture
def book(shelves: tuple[Shelf, Shelf]) -> Book:
    book = Book.objects.create(shelf=shelves[0], title="Ariadne")
    Event.objects.all().delete()
    return book


def told() -> list[Told]:
    return sorted(
        Told(event.topic_id, event.kind, event.data["title"])
        for event in Event.objects.exclude(topic__name__startswith="pages.")
    )


def on_shelf(kind: str, title: str = "Ariadne", shelf: int = 1) -> list[Told]:
    return [Told("books", kind, title), Told(f"shelf.{shelf}", kind, title)]


def topics_told() -> list[str]:
    return sorted(Event.objects.values_list("topic_id", flat=True))


class TestCreating:
    @pytest.mark.parametrize(
        "create",
        [
            lambda shelf: Book(shelf=shelf, title="Ariadne").save(),
            lambda shelf: Book.objects.create(shelf=shelf, title="Ariadne"),
            lambda shelf: Book.objects.get_or_create(title="Ariadne", defaults={"shelf": shelf}),
            lambda shelf: Book.objects.update_or_create(title="Ariadne", defaults={"shelf": shelf}),
            lambda shelf: Book.objects.bulk_create([Book(shelf=shelf, title="Ariadne")]),
            lambda shelf: Book.objects.bulk_create(
                [Book(shelf=shelf, title="Ariadne")], ignore_conflicts=True
            ),
            lambda shelf: Book.objects.bulk_create(
                [Book(shelf=shelf, title="Ariadne")],
                update_conflicts=True,
                update_fields=["copies"],
                unique_fields=["title"],
            ),
            lambda shelf: shelf.books.create(title="Ariadne"),
            lambda shelf: shelf.books.add(Book(title="Ariadne"), bulk=False),
        ],
        ids=[
            "save", "create", "get_or_create", "update_or_create", "bulk_create",
            "bulk_create ignoring conflicts", "bulk_create updating conflicts",
            "related create", "related add",
        ],
    )  # fmt: skip
    def test_is_published_as_created(
        self, create: Callable[[Shelf], object], shelves: tuple[Shelf, Shelf]
    ) -> None:
        create(shelves[0])
        assert told() == on_shelf("created")

    def test_loaddata_is_published(self, shelves: tuple[Shelf, Shelf], tmp_path: object) -> None:
        fixture = f"{tmp_path}/books.json"
        with open(fixture, "w") as file:
            file.write(serialize("json", [Book(pk=7, shelf=shelves[0], title="Ariadne")]))
        call_command("loaddata", fixture, stdout=StringIO())
        assert told() == on_shelf("created")

    def test_ignored_conflicts_are_not_published(self, book: Book) -> None:
        Book.objects.bulk_create(
            [Book(title="Ariadne", shelf=book.shelf), Book(title="Daedalus", shelf=book.shelf)],
            ignore_conflicts=True,
        )
        assert told() == on_shelf("created", "Daedalus")

    def test_ignoring_conflicts_ignores_nothing_else(self, book: Book) -> None:
        with pytest.raises(IntegrityError):
            nothing: Any = None
            Book.objects.bulk_create([Book(title="D", copies=nothing)], ignore_conflicts=True)
        assert told() == []

    async def test_the_async_interface_publishes(self, shelves: tuple[Shelf, Shelf]) -> None:
        await Book.objects.acreate(shelf=shelves[0], title="Ariadne")
        assert await Event.objects.acount() == 2


class TestUpdating:
    @pytest.mark.parametrize(
        "update",
        [
            lambda book: book.save(),
            lambda book: book.save(update_fields=["copies"]),
            lambda book: Book(pk=book.pk, shelf=book.shelf, title=book.title).save(),
            lambda book: Book.objects.filter(pk=book.pk).update(copies=F("copies") + 1),
            lambda book: (
                Book.objects.annotate(more=F("copies") + 1)
                .filter(more=2)
                .order_by("title")
                .update(copies=F("more"))
            ),
            lambda book: Book.objects.bulk_update([book], ["copies"]),
            lambda book: Book.objects.update_or_create(title="Ariadne", defaults={"copies": 2}),
            lambda book: Book.objects.bulk_create(
                [Book(title="Ariadne", copies=3)],
                update_conflicts=True,
                update_fields=["copies"],
                unique_fields=["title"],
            ),
        ],
        ids=[
            "save", "save fields", "save over", "update", "update by annotation", "bulk_update",
            "update_or_create", "bulk_create",
        ],
    )  # fmt: skip
    def test_is_published_as_updated(self, update: Callable[[Book], object], book: Book) -> None:
        update(book)
        assert told() == on_shelf("updated")

    @pytest.mark.parametrize(
        "move",
        [
            lambda book: Book(pk=book.pk, title=book.title, shelf_id=2).save(),
            lambda book: Book.objects.update(shelf=2),
            lambda book: Shelf.objects.get(pk=2).books.add(book),
            lambda book: Shelf.objects.get(pk=2).books.set([book]),
            lambda book: Book.objects.bulk_update(
                [Book(pk=book.pk, title="Ariadne", shelf_id=2)], ["shelf"]
            ),
            lambda book: Book.objects.bulk_create(
                [Book(title="Ariadne", shelf_id=2)],
                update_conflicts=True,
                update_fields=["shelf"],
                unique_fields=["title"],
            ),
        ],
        ids=["save", "update", "related add", "related set", "bulk_update", "bulk_create"],
    )
    def test_a_move_is_told_on_both_topics(
        self, move: Callable[[Book], object], book: Book
    ) -> None:
        move(book)
        assert told() == [
            Told("books", "updated", "Ariadne"),
            Told("shelf.1", "updated", "Ariadne"),
            Told("shelf.2", "updated", "Ariadne"),
        ]

    def test_a_stale_object_is_told_where_the_row_was(self, book: Book) -> None:
        stale = Book.objects.get()
        Book.objects.update(shelf=2)
        Event.objects.all().delete()
        stale.save()
        assert [topic for topic, *_ in told()] == ["books", "shelf.1", "shelf.2"]

    def test_the_event_bears_the_new_facts(self, book: Book) -> None:
        Book.objects.update(title=Concat("title", Value("'s thread")))
        assert told() == on_shelf("updated", "Ariadne's thread")

    def test_rows_that_do_not_match_are_not_told(self, book: Book) -> None:
        assert Book.objects.filter(title="Daedalus").update(copies=2) == 0
        assert told() == []

    def test_the_parent_set_null_by_a_cascade_is_told(self, book: Book) -> None:
        Shelf.objects.get(pk=1).delete()
        assert told() == [
            Told("books", "updated", "Ariadne"),
            Told("shelf.1", "updated", "Ariadne"),
            Told("shelf.None", "updated", "Ariadne"),
        ]

    def test_clearing_a_relation_is_told(self, book: Book) -> None:
        Shelf.objects.get(pk=1).books.clear()
        assert [topic for topic, *_ in told()] == ["books", "shelf.1", "shelf.None"]


class TestDeleting:
    @pytest.mark.parametrize(
        "delete",
        [
            lambda book: book.delete(),
            lambda book: Book.objects.all().delete(),
            lambda book: Book.objects.filter(shelf__name="left").delete(),
        ],
        ids=["delete", "delete all", "delete by join"],
    )
    def test_is_published_as_deleted(self, delete: Callable[[Book], object], book: Book) -> None:
        pk = book.pk
        delete(book)
        assert told() == on_shelf("deleted")
        assert {event.object_id for event in Event.objects.all()} == {str(pk)}

    def test_a_stale_object_is_told_where_the_row_was(self, book: Book) -> None:
        Book.objects.update(shelf=2)
        Event.objects.all().delete()
        book.delete()
        assert [topic for topic, *_ in told()] == ["books", "shelf.1", "shelf.2"]

    def test_a_cascade_is_published_while_its_relations_still_stand(self, book: Book) -> None:
        Page.objects.bulk_create([Page(book=book, number=number) for number in range(3)])
        Book.objects.all().delete()
        assert Event.objects.filter(topic="pages.Ariadne", kind="deleted").count() == 3

    def test_nothing_to_delete_is_nothing_told(self, book: Book) -> None:
        Book.objects.filter(title="Daedalus").delete()
        assert told() == []


class TestWhatIsTold:
    """The row counts, not the object in memory."""

    def test_an_expression_is_told_as_its_value(self, book: Book) -> None:
        book.title = Concat("title", Value("'s thread"))
        book.save()
        assert told() == on_shelf("updated", "Ariadne's thread")

    def test_created_with_an_expression(self, shelves: tuple[Shelf, Shelf]) -> None:
        title: Any = Concat(Value("A"), Value("B"))
        Book.objects.create(shelf=shelves[0], title=title)
        Book.objects.bulk_create([Book(shelf=shelves[0], title=Concat(title, Value("C")))])
        assert told() == sorted(on_shelf("created", "AB") + on_shelf("created", "ABC"))

    def test_a_move_by_an_expression(self, book: Book) -> None:
        book.shelf_id = F("shelf_id") + 1
        book.save()
        assert [topic for topic, *_ in told()] == ["books", "shelf.1", "shelf.2"]

    def test_what_is_not_saved_is_not_told(self, book: Book) -> None:
        book.title, book.shelf_id, book.copies = "Unsaved", 2, 5
        book.save(update_fields=["copies"])
        assert told() == on_shelf("updated")

    def test_a_value_of_another_type_is_told_as_the_row_has_it(
        self, shelves: tuple[Shelf, Shelf]
    ) -> None:
        Book.objects.create(shelf_id="01", title="Ariadne")
        assert told() == on_shelf("created")


class TestUnusualModels:
    def test_own_objects_do_not_hide_rows_from_cascades(self, shelves: tuple[Shelf, Shelf]) -> None:
        Draft.objects.create(shelf=shelves[0], hidden=True)
        shelves[0].delete()
        assert topics_told() == ["drafts.1", "drafts.1"]
        assert not Draft._base_manager.exists()

    def test_a_given_key_that_is_there_is_told_on_both_topics(
        self, shelves: tuple[Shelf, Shelf]
    ) -> None:
        draft = Draft.objects.create(shelf=shelves[0])
        Event.objects.all().delete()
        Draft(pk=draft.pk, shelf=shelves[1]).save(force_update=True)
        assert topics_told() == ["drafts.1", "drafts.2"]

    def test_a_child_of_multi_table_inheritance_is_told_once(
        self, shelves: tuple[Shelf, Shelf]
    ) -> None:
        atlas = Atlas.objects.create(shelf=shelves[0], title="Crete")
        assert told() == on_shelf("created", "Crete")
        Event.objects.all().delete()
        atlas.delete()
        assert told() == on_shelf("deleted", "Crete")

    def test_a_collector_of_ones_own_publishes(self, book: Book) -> None:
        collector = Collector(using="default")
        collector.collect([book])
        collector.delete()
        assert told() == on_shelf("deleted")

    def test_a_delete_that_failed_leaves_nothing_for_the_next(
        self, book: Book, shelves: tuple[Shelf, Shelf], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = Page.objects.create(book=book, number=1)
        with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
            patch.setattr("django.db.models.sql.DeleteQuery.delete_batch", lambda *_: 1 / 0)
            book.delete()
        page.book = Book.objects.create(title="Daedalus")
        page.save()
        Event.objects.all().delete()
        book.delete()
        assert told() == on_shelf("deleted")
        assert not Event.objects.filter(topic__name__startswith="pages.").exists()


class TestTransactions:
    def test_a_rolled_back_change_is_not_published(self, book: Book) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            book.save()
            raise RuntimeError
        assert told() == []

    def test_a_rolled_back_savepoint_is_not_published(self, book: Book) -> None:
        with transaction.atomic():
            with pytest.raises(RuntimeError), transaction.atomic():
                book.delete()
                raise RuntimeError
            Book.objects.create(shelf=book.shelf, title="Daedalus")
        assert told() == on_shelf("created", "Daedalus")

    def test_a_transaction_marked_for_rollback_publishes_nothing(self, book: Book) -> None:
        with transaction.atomic():
            book.save()
            transaction.set_rollback(True)
        assert told() == []

    def test_a_publishing_block_marked_for_rollback_ends_quietly(self, book: Book) -> None:
        with publishing():
            book.save()
            transaction.set_rollback(True)
        assert told() == []

    def test_many_saves_in_one_transaction_cost_the_same_each(self, book: Book) -> None:
        with transaction.atomic():
            for _ in range(300):
                book.save()
        assert Event.objects.filter(topic="books").count() == 300

    def test_a_failed_save_publishes_nothing(self, book: Book) -> None:
        with pytest.raises(IntegrityError):
            Book.objects.create(title="Ariadne")
        assert told() == []


def test_the_number_of_queries_does_not_grow_with_the_rows(
    book: Book, django_assert_num_queries: Callable[[int], transaction.Atomic]
) -> None:
    Book.objects.bulk_create([Book(title=str(n), shelf=book.shelf) for n in range(50)])
    with django_assert_num_queries(8):  # begin, ids, before, update, after, upsert, events, commit
        Book.objects.update(copies=5)


def test_a_model_without_topics_says_what_it_needs() -> None:
    with pytest.raises(NotImplementedError, match="Book is Published, but has no topics"):
        Published.topics(Book())
