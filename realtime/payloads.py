"""What broadcasts carry, as text: JSON, and what Python and Django have beside it.

What JSON has not is an object of one key, `$`: the name of its type, and what it is made
of. A model instance is a reference, to be read afresh by who receives it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Model

KEY = "$"


class Reference(NamedTuple):
    """Names a model instance."""

    label: str
    """`app.model`, in lower case."""
    using: str | None
    """Alias of the database that it is of."""
    pk: Any


Instances = Mapping[Reference, Model]


@dataclass(frozen=True, slots=True)
class Payload:
    """What was sent, once more, but for its model instances: References stand for them."""

    plain: Any
    references: frozenset[Reference]

    def value(self, instances: Instances) -> Any:
        """Return what was sent, with these instances; None stands for one that is not there."""
        return _with(instances, self.plain) if self.references else self.plain


def to_text(payload: Any) -> str:
    """Return a payload as text.

    Raises TypeError for what cannot be carried, and ValueError for numbers that JSON has
    not and for instances that have no primary key yet.
    """
    return json.dumps(_jsonable(payload, "payload"), separators=(",", ":"))


def from_text(text: str) -> Payload:
    """Return what `to_text` made a text of."""
    references: set[Reference] = set()

    def revive(found: dict[str, Any]) -> Any:
        if KEY not in found:
            return found
        name, parts = found[KEY]
        revived = _REVIVE[name](parts)
        if isinstance(revived, Reference):
            references.add(revived)
        return revived

    plain = json.loads(text, object_hook=revive)
    return Payload(plain, frozenset(references))


def _jsonable(value: Any, where: str) -> Any:
    match value:
        case None | str() | int():  # bool, too
            return value
        case float():
            if not isfinite(value):
                raise ValueError(f"A broadcast cannot carry {where}: JSON has no {value}.")
            return value
        case dict() if KEY not in value:
            return {
                _key(key, where): _jsonable(each, f"{where}[{key!r}]")
                for key, each in value.items()
            }
        case list() | tuple():
            return [_jsonable(each, f"{where}[{n}]") for n, each in enumerate(value)]
        case _:
            name, parts = _typed(value, where)
            return {KEY: [name, parts]}


def _typed(value: Any, where: str) -> tuple[str, Any]:
    match value:
        case dict():  # one that has the key
            pairs = value.items()
            return "dict", [[_key(k, where), _jsonable(v, f"{where}[{k!r}]")] for k, v in pairs]
        case datetime():
            return "datetime", value.isoformat()
        case date():
            return "date", value.isoformat()
        case time():
            return "time", value.isoformat()
        case timedelta():
            return "timedelta", [value.days, value.seconds, value.microseconds]
        case Decimal():
            return "decimal", str(value)
        case UUID():
            return "uuid", str(value)
        case Model():
            meta, pk = value._meta, value.pk
            if pk is None:
                raise ValueError(f"A broadcast cannot carry {where}: {value!r} is not saved.")
            return "model", [meta.label_lower, value._state.db, _jsonable(pk, f"{where}.pk")]
    raise TypeError(
        f"A broadcast cannot carry {where}: it is of type {type(value).__qualname__}. What it can "
        "is JSON, dates, datetimes, times, timedeltas, Decimals, UUIDs and model instances."
    )


def _key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(
        f"A broadcast cannot carry {where}: its key {key!r} is of type {type(key).__qualname__}, "
        "and those of JSON are texts."
    )


def _reference(parts: list[Any]) -> Reference:
    label, using, pk = parts
    return Reference(label, using, tuple(pk) if isinstance(pk, list) else pk)


_REVIVE: Mapping[str, Callable[[Any], Any]] = {
    "dict": dict,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "decimal": Decimal,
    "uuid": UUID,
    "model": _reference,
}


def _with(instances: Instances, plain: Any) -> Any:
    match plain:
        case Reference():
            return instances.get(plain)
        case dict():
            return {key: _with(instances, value) for key, value in plain.items()}
        case list():
            return [_with(instances, value) for value in plain]
        case _:
            return plain
