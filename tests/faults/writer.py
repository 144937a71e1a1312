"""A writer: random transactions under the project's settings, until standard input ends.

Also what else of a run has to happen there: users, and the log at the end.
"""

import json
import select
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from random import Random
from time import sleep

from django.db import Error, close_old_connections, transaction

from accounts.models import User
from messaging.models import Message, RoomMessage
from messaging.services import send_message, write_in_room
from messaging.topics import ANNOUNCEMENTS, inbox_topic, room_topic
from orders.models import Order
from orders.topics import ALL_ORDERS
from realtime.broadcasts import broadcast
from realtime.models import Event
from realtime.publishing import publishing
from tests.faults.ledger import UNDONE

HEAVY = "heavy"
"""The room whose messages are so long that a client that does not read is felt."""

_PADDING = "·" * 9000


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one writer does; seconds are upper bounds of random times."""

    name: str
    seed: int
    rooms: list[str]
    users: int
    pause: float
    hold: float

    def command(self, function: str = "write") -> str:
        """Return what the shell of the project is to run."""
        return f"from tests.faults import writer; writer.{function}(**{asdict(self)!r})"


class _Undo(Exception):
    """Rolls a transaction back."""


class _Writer:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._dice = Random(task.seed)
        self._number = 0
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        shapes = [self._one, self._several, self._held, self._partly, self._undone]
        while not _ended(self._dice.expovariate(2 / self._task.pause)):
            [shape] = self._dice.choices(shapes, weights=[10, 4, 4, 2, 4])
            self._try(shape)

    def _try(self, shape: Callable[[], None]) -> None:
        try:
            shape()
        except _Undo:
            self.done["rolled back"] += 1
        except Error:  # the database is away; the log will tell whether it had committed
            self.done["failed"] += 1
            sleep(self._dice.uniform(0.05, 0.3))
        else:
            self.done["committed"] += 1
        finally:
            close_old_connections()

    def _one(self) -> None:
        self._act()

    def _several(self) -> None:
        with publishing():
            for _ in range(self._dice.randint(2, 4)):
                self._act()

    def _held(self) -> None:
        """The topic stays locked for a while after its event was appended."""
        with transaction.atomic():
            self._act()
            self._wait()

    def _partly(self) -> None:
        with publishing():
            self._act()
            with suppress(_Undo), transaction.atomic():
                self._act(undone=True)
                raise _Undo
            self._act()

    def _undone(self) -> None:
        with transaction.atomic() if self._dice.random() < 0.5 else publishing():
            self._act(undone=True)
            self._wait()
            raise _Undo

    def _wait(self) -> None:
        sleep(self._dice.uniform(0, self._task.hold))

    def _act(self, *, undone: bool = False) -> None:
        self._number += 1
        mark = f"{UNDONE if undone else ''}{self._task.name}.{self._number}"
        users, rooms = self._task.users, self._task.rooms
        place = self._dice.randrange(len(rooms) + users + 1)
        if place < len(rooms):
            padding = f" {_PADDING}" if rooms[place] == HEAVY else ""
            write_in_room(sender=None, room=rooms[place], text=mark + padding)
        elif place < len(rooms) + users:
            recipient = str(place - len(rooms) + 1)
            send_message(sender_id="1", recipient_id=recipient, content=mark)
        else:
            Order.objects.create(user_id=self._dice.randint(1, users), description=mark)


def write(**task: object) -> None:
    """Write as the Task says; print what was done."""
    writer = _Writer(Task(**task))  # type: ignore[arg-type]
    writer.run()
    _print(writer.done)


def announce(**task: object) -> None:
    """Announce as often as the Task says, over the channel layer alone; print what was said."""
    work = Task(**task)  # type: ignore[arg-type]
    dice = Random(work.seed)
    said: list[str] = []
    while not _ended(dice.expovariate(2 / work.pause)):
        said.append(f"{work.name}.{len(said) + 1}")
        broadcast(ANNOUNCEMENTS, said[-1])
    _print(said)


def prepare(users: int) -> None:
    """Make the users 1, 2, 3 …"""
    User.objects.bulk_create(User(pk=n, username=f"user {n}") for n in range(1, users + 1))


def history(rooms: list[str], users: int) -> None:
    """Print of each topic the marks of its events, in the order of their offsets.

    Raises AssertionError where an offset is missing.
    """
    texts = dict(RoomMessage.objects.values_list("pk", "text"))
    contents = dict(Message.objects.values_list("pk", "content"))
    descriptions = dict(Order.objects.values_list("pk", "description"))
    kinds = {room_topic(room): texts for room in rooms}
    kinds |= {inbox_topic(n): contents for n in range(1, users + 1)}
    kinds[ALL_ORDERS] = descriptions
    marks: dict[str, list[str]] = {topic: [] for topic in kinds}
    events = Event.objects.filter(topic__in=kinds).order_by("topic", "offset")
    for topic, offset, id in events.values_list("topic", "offset", "object_id").iterator():
        marks[topic].append(kinds[topic][int(id)].partition(" ")[0])
        assert offset == len(marks[topic]), f"{topic} has a hole before {offset}"
    _print(marks)


def _ended(pause: float) -> bool:
    """Wait; tell whether whoever started this process has closed its end, or ended."""
    readable, _, _ = select.select([sys.stdin], [], [], pause)
    return bool(readable)


def _print(value: object) -> None:
    sys.stdout.write(json.dumps(value))
