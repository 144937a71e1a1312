"""What operations cost that are just within the limits, and those that are not, as JSON.

The application is in this process, and is asked over HTTP as a server would ask it. No
document is sent twice, so that nothing is known of it. CPU of the whole process: reading
the request, parsing, validating, executing and encoding. In seconds, the least of some
rounds: what else a machine has to do only adds to them.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from itertools import count
from time import process_time
from typing import Any

import django
from graphql import GraphQLError, specified_rules

django.setup()

from benchmarks.in_process import post  # noqa: E402  (Django is ready)
from benchmarks.ours.hostile import ACCEPTED, REJECTED, Operation  # noqa: E402
from benchmarks.ours.rows import schema  # noqa: E402
from realtime.asgi import graphql_app  # noqa: E402
from realtime.collector import short_pauses  # noqa: E402
from realtime.conf import get_settings  # noqa: E402
from realtime.documents import DocumentCache  # noqa: E402

ROUNDS = 7
MOST = 2_000
"""The size that is never accepted: a document has no more tokens."""

_application = graphql_app(schema)
_numbers = count(1)


def _code(operation: Operation) -> str | None:
    """Return what is wrong with an operation, if anything is."""
    documents = DocumentCache(schema, get_settings())
    try:
        document = documents(None, _parameters(operation))
    except GraphQLError as error:
        return str((error.extensions or {}).get("code"))
    errors = documents.validate(schema, document, specified_rules)
    return str((errors[0].extensions or {}).get("code", errors[0].message)) if errors else None


def _largest(make: Callable[[int], Operation]) -> int:
    """Return the largest size that passes."""
    passes, fails = 1, MOST
    if (code := _code(make(passes))) is not None:
        raise RuntimeError(f"{make(1)[0]:.80}: {code}")
    while fails - passes > 1:
        middle = (passes + fails) // 2
        if _code(make(middle)) is None:
            passes = middle
        else:
            fails = middle
    return passes


def _number() -> str:
    """Return another number each time, in characters that mean nothing."""
    return f"{next(_numbers):016b}".replace("0", " ").replace("1", ",")


def _parameters(operation: Operation) -> dict[str, Any]:
    """Return the parameters of an operation whose document is a new one."""
    text, variables = operation
    data: dict[str, Any] = {"query": _number() + text, "variables": variables}
    if text.startswith("query A{"):
        data["operationName"] = "A"  # of several
    return data


async def _ask(operation: Operation) -> tuple[float, dict[str, Any]]:
    """Return the seconds of CPU that an operation takes, and the answer."""
    body = json.dumps(_parameters(operation)).encode()
    begin = process_time()
    answer = await post(_application, body)
    return process_time() - begin, json.loads(answer)


async def _seconds(operation: Operation, *, accepted: bool) -> float:
    figures = []
    for _ in range(ROUNDS):
        seconds, answer = await _ask(operation)
        if accepted != ("errors" not in answer):
            raise RuntimeError(f"{operation[0]:.80}: {json.dumps(answer):.200}")
        figures.append(seconds)
    return min(figures)


async def _main() -> None:
    figures: dict[str, dict[str, float]] = {"accepted": {}, "rejected": {}}
    with short_pauses():  # as `manage.py serve` has the garbage collector work
        for name, make in ACCEPTED.items():
            operation = make(_largest(make))
            figures["accepted"][name] = await _seconds(operation, accepted=True)
        for name, operation in REJECTED.items():
            name = f"{name}: {_code(operation)}"
            figures["rejected"][name] = await _seconds(operation, accepted=False)
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(_main())
