"""The CPU that a document costs grows with its length, whatever is in it."""

from collections.abc import Callable
from contextlib import suppress
from time import thread_time

import pytest
from graphql import GraphQLError, build_schema

from realtime.conf import Settings
from realtime.documents import DocumentCache

SCHEMA = build_schema("type Query { a(b: String): Int }")
UNBOUNDED = 10**9
LENGTH = 8_000
"""Characters of the shorter document; the longer one has four times as many."""

HOSTILE: dict[str, Callable[[int], str]] = {
    "escapes without an end": lambda n: '"\\' * (n // 2),
    "trailing spaces": lambda n: "{a}" + " " * n,
    "escaped quotes of block strings": lambda n: '\\"""\n' * (n // 5),
    "a block string of escaped quotes": lambda n: '{a(b:"""' + '\\"""' * (n // 4) + '""")}',
    "a block string of empty lines": lambda n: '{a(b:"""' + "\n" * n + '""")}',
    "an indented block string": lambda n: '{a(b:"""' + " \n" * (n // 2) + '""")}',
    "a string without an end": lambda n: '{a(b:"' + "x" * n,
    "a block string without an end": lambda n: '{a(b:"""' + '"x' * (n // 2),
    "escaped characters": lambda n: '{a(b:"' + "\\u00e9" * (n // 6) + '")}',
    "comments": lambda n: "#\n" * (n // 2) + "{a}",
    "a number": lambda n: "{a(b:" + "1" * n + ")}",
    "a name": lambda n: "{" + "a" * n + "}",
    "unknown characters": lambda n: "?" * n,
    "aliases": lambda n: "{" + "a:a " * (n // 4) + "}",
    "fragments": lambda n: "{...F}" + "fragment F on Query{a}" * (n // 22),
}


def seconds(text: str) -> float:
    """Return the least CPU time of several attempts to read a document."""
    times = []
    for _ in range(5):
        settings = Settings(max_document_size=UNBOUNDED, max_tokens=UNBOUNDED, document_cache=0)
        documents = DocumentCache(SCHEMA, settings)
        start = thread_time()
        with suppress(GraphQLError):
            documents(None, {"query": text})
        times.append(thread_time() - start)
    return min(times)


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_four_times_the_length_costs_at_most_eight_times_the_cpu(
    make: Callable[[int], str],
) -> None:
    least = 0.000_2  # below that the clock says little
    assert seconds(make(4 * LENGTH)) <= 8 * max(least, seconds(make(LENGTH)))
