"""How long events are kept, and what cursors say of those that are not."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from realtime import log
from realtime.log import append
from realtime.models import Event, Topic
from tests.realtime.conftest import change

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def write(topic: str, count: int, *, age: timedelta = timedelta()) -> None:
    append([change(topic, n) for n in range(count)], using="default")
    newest = Event.objects.filter(topic=topic).order_by("-offset")[:count]
    Event.objects.filter(pk__in=newest).update(created_at=timezone.now() - age)


def offsets(topic: str) -> list[int]:
    events = Event.objects.filter(topic=topic).order_by("offset")
    return list(events.values_list("offset", flat=True))


def tails(*topics: str) -> dict[str, int]:
    return {topic: extent.tail for topic, extent in log.extents(topics).items()}


class TestPruning:
    def test_what_is_older_goes(self) -> None:
        write("a", 3, age=timedelta(days=8))
        write("a", 2, age=timedelta(days=6))
        write("b", 1, age=timedelta(days=8))
        assert run("prune_events", "--older-than", "7d").startswith("Deleted 4 events from before ")
        assert (offsets("a"), offsets("b")) == ([4, 5], [])

    def test_offsets_go_on_behind_it(self) -> None:
        write("a", 3, age=timedelta(hours=2))
        run("prune_events", "--older-than", "1h")
        write("a", 1)
        assert offsets("a") == [4]

    @pytest.mark.parametrize("batch", [1, 2, 3, 100])
    def test_batches_leave_nothing_over(self, batch: int) -> None:
        write("a", 5, age=timedelta(minutes=2))
        assert log.prune(timezone.now(), batch=batch) == 5

    @pytest.mark.parametrize("duration", ["", "7", "d", "7 d", "-7d", "7y"])
    def test_a_duration_that_is_none_is_refused(self, duration: str) -> None:
        with pytest.raises(CommandError, match="is no duration: give one as 90s, 30m, 12h"):
            run("prune_events", f"--older-than={duration}")


class TestTails:
    def test_everything_is_retained_at_first(self) -> None:
        write("a", 3)
        assert tails("a", "unwritten") == {"a": 0, "unwritten": 0}

    def test_they_stand_behind_what_was_pruned(self) -> None:
        write("a", 3, age=timedelta(days=1))
        write("a", 1)
        write("b", 2, age=timedelta(days=1))
        log.prune(timezone.now() - timedelta(hours=1))
        assert tails("a", "b") == {"a": 3, "b": 2}


class TestEpochs:
    def test_each_topic_gets_one_of_its_own(self) -> None:
        for topic in "abc":
            write(topic, 1)
        before = set(Topic.objects.values_list("epoch", flat=True))
        assert run("reset_epochs", "--no-input") == "Reset the epochs of 3 topics.\n"
        after = set(Topic.objects.values_list("epoch", flat=True))
        assert len(after) == 3
        assert not before & after

    @pytest.mark.parametrize("answer", ["", "n", "what"])
    def test_a_question_comes_first(self, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        write("a", 1)
        before = Topic.objects.get().epoch
        monkeypatch.setattr("builtins.input", lambda _: answer)
        with pytest.raises(CommandError, match=r"Nothing was changed\."):
            run("reset_epochs")
        assert Topic.objects.get().epoch == before
        monkeypatch.setattr("builtins.input", lambda _: "y")
        run("reset_epochs")
        assert Topic.objects.get().epoch != before

    def test_offsets_stay(self) -> None:
        write("a", 2)
        log.reset_epochs(batch=1)
        assert log.heads(["a"])["a"].offset == 2
