"""Transactions that publish: collected, appended once, rung after commit."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from realtime import doorbell, publishing
from realtime.exceptions import ForeignDatabaseError
from realtime.models import Event
from realtime.publishing import publish, transactional
from tests.realtime.conftest import change

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    rung: list[dict[str, Any]] = []
    monkeypatch.setattr(doorbell, "ring", rung.append)
    return rung


def topics() -> list[str]:
    return list(Event.objects.order_by("id").values_list("topic_id", flat=True))


def test_a_block_appends_once_at_its_end(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    with django_assert_num_queries(4), publishing.publishing():  # begin, upsert, events, commit
        publish([change("b", 1)])
        with publishing.publishing(savepoint=False):
            publish([change("a", 2)])
        publish([change("b", 3)])
    assert topics() == ["b", "a", "b"]


def test_the_doorbell_rings_once_after_commit(rings: list[dict[str, Any]]) -> None:
    with publishing.publishing():
        publish([change("a", 1)])
        publish([change("a", 2), change("b", 1)])
        assert rings == []
    [heads] = rings
    assert {topic: head.offset for topic, head in heads.items()} == {"a": 2, "b": 1}


def test_within_a_transaction_it_rings_at_the_commit(rings: list[dict[str, Any]]) -> None:
    with transaction.atomic():
        publish([change("a", 1)])
        assert rings == []
    assert len(rings) == 1


def test_a_rolled_back_transaction_rings_nothing(rings: list[dict[str, Any]]) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        publish([change("a", 1)])
        raise RuntimeError
    assert (rings, topics()) == ([], [])


def test_what_an_inner_block_undoes_is_not_appended() -> None:
    with publishing.publishing():
        publish([change("a", 1)])
        with pytest.raises(RuntimeError), publishing.publishing():
            publish([change("b", 1)])
            raise RuntimeError
        with pytest.raises(RuntimeError), transaction.atomic():
            publish([change("c", 1)])
            raise RuntimeError
    assert topics() == ["a"]


def test_a_fault_of_the_doorbell_does_not_fail_the_commit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(heads: object) -> None:
        raise RuntimeError("no bell")

    monkeypatch.setattr(doorbell, "ring", broken)
    publish([change("a", 1)])
    assert topics() == ["a"]
    assert "no bell" in caplog.text


def test_another_database_than_the_logs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.log.router.db_for_write", lambda model: "elsewhere")
    with pytest.raises(ForeignDatabaseError, match="'elsewhere', not 'default'"):
        publish([change("a", 1)])


class Deadlock(Exception):
    sqlstate = "40P01"


def failing(times: int, cause: Exception) -> Callable[[], int]:
    """Return a service that fails some times with a cause, and then returns its runs."""
    runs = 0

    def service() -> int:
        nonlocal runs
        runs += 1
        publish([change("a", runs)])
        if runs <= times:
            raise OperationalError("deadlock detected") from cause
        return runs

    return service


class TestTransactional:
    def test_a_deadlock_is_retried_as_a_whole(self) -> None:
        assert transactional(failing(2, Deadlock()))() == 3
        assert Event.objects.get().object_id == "3"

    def test_what_goes_on_failing_is_raised(self) -> None:
        with pytest.raises(OperationalError):
            transactional(failing(publishing.ATTEMPTS, Deadlock()))()
        assert topics() == []

    def test_other_errors_are_not_retried(self) -> None:
        service = failing(1, RuntimeError())
        with pytest.raises(OperationalError):
            transactional(service)()
        assert service() == 2

    def test_within_a_transaction_the_caller_must_retry(self) -> None:
        with pytest.raises(OperationalError), transaction.atomic():
            transactional(failing(1, Deadlock()))()
        assert not connection.in_atomic_block
        assert topics() == []
