"""Operations on the schema of `rows` that are made to cost as much as they can.

Each is made for a size; `ACCEPTED` are for the largest that passes, `REJECTED` have theirs.
"""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import get_introspection_query

from benchmarks.ours.rows import FIELDS

Operation = tuple[str, dict[str, Any]]
"""Its text, and the variables."""

_ROW = " ".join(FIELDS)


def _times(size: int, text: str) -> str:
    return " ".join(text.replace("%", str(number)) for number in range(size))


def _without(make: Callable[[int], str]) -> Callable[[int], Operation]:
    return lambda size: (make(size), {})


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _many(size: int) -> str:
    """Return operations, of which all are validated and the first is executed."""
    return "query A{row{f0}}" + _times(size, f"query A%{{row{{{_ROW}}}}}")


def _both(size: int) -> str:
    """Return one that costs most to execute, beside those that cost most to validate."""
    dear = "query A{rows(first:100){" + _times(28, "a%:awaited(first:0){f0}") + "}}"
    return _many(size).replace("query A{row{f0}}", dear)


def _chained(size: int) -> str:
    """Return fragments that spread the next one each, with all their fields side by side."""
    links = " ".join(f"fragment F{n} on Row{{{_ROW} ...F{n + 1}}}" for n in range(size))
    return "{row{...F0}} " + links + f" fragment F{size} on Row{{f0}}"


def _inputs(size: int) -> Operation:
    return "query($v:[[Int!]!]){any(of:$v)}", {"v": [[1] * 900] * size}


def _introspecting(size: int) -> str:
    fields = "fields{name args{name type{name kind}} type{name " + _times(size, "a%:kind") + "}}"
    return "{__schema{types{name fields{name type{name " + fields + "}}}}}"


ACCEPTED: Mapping[str, Callable[[int], Operation]] = {
    "fields of rows": _without(lambda n: f"{{rows(first:{n}){{{_ROW}}}}}"),
    "rows of rows": _without(lambda n: f"{{rows(first:{n}){{rows(first:2){{{_ROW}}}}}}}"),
    "a row each, five deep": _without(
        lambda n: f"{{rows(first:{n}){{" + "awaited(first:1){" * 5 + "f0" + "}" * 7
    ),
    "no rows, which are awaited": _without(
        lambda n: f"{{rows(first:{n}){{" + _times(28, "a%:awaited(first:0){f0}") + "}}"
    ),
    "many fields": _without(lambda n: "{row{" + f"{_ROW} " * n + "}}"),
    "many spreads": _without(lambda n: "{row{" + "...F " * n + "}} fragment F on Row {f0}"),
    "many fragments": _without(
        lambda n: "{row{" + _times(n, "...F%") + "}} " + _times(n, "fragment F% on Row{f0}")
    ),
    "many arguments": _without(lambda n: "{row{" + "rows(first:1){f0}" * n + "}}"),
    "many operations": _without(_many),
    "overlapping fields": _without(lambda n: "{row{" + "row{f0 f1} " * n + "}}"),
    "overlapping sets": _without(
        lambda n: "{row{" + " ".join(f"row{{f{i % 10} row{{f0}}}}" for i in range(n)) + "}}"
    ),
    "overlapping fragments": _without(_chained),
    "large variables": _inputs,
    "introspection": _without(_introspecting),
    "awaited rows and many operations": _without(_both),
}

REJECTED: Mapping[str, Operation] = {
    "a large document": ("{row{f0}}" + " " * 500_000, {}),
    "15 KB of {row{row{…": ("{row" * 3_800, {}),
    "7,000 comments": ("{row{f0}}" + "#\n" * 7_000, {}),
    "600 levels": ("{row" * 600 + "{f0" + "}" * 601, {}),
    "600 inline fragments in each other": ("{" + "...{" * 600 + "row{f0}" + "}" * 601, {}),
    "1,900 fields at the root": ("{" + "any " * 1_900 + "}", {}),
    "1,900 times one field": ("{row{" + "f0 " * 1_900 + "}}", {}),
    "100 times 14 fields": ("{row{" + f"row{{{_ROW} row{{f0 f1 f2}}}}" * 100 + "}}", {}),
    "600 times one fragment": ("{row{" + "...F " * 600 + "}} fragment F on Row{f0}", {}),
    "fragments that double 9 times, of no rows": (
        "query A($n:Int){rows(first:$n){...F0}}"
        + " ".join(
            f"fragment F{n} on Row{{row{{...F{n + 1}}} awaited{{...F{n + 1}}}}}" for n in range(9)
        )
        + f"fragment F9 on Row{{{_ROW} row{{f0}}}}",
        {"n": 0},
    ),
    "600 aliases": ("{row{" + _times(600, "a%:f0") + "}}", {}),
    "270 directives": ("{row{f0" + "@skip(if:false)" * 270 + "}}", {}),
    "fragments that double 140 times": (
        "{row{...F0}}"
        + " ".join(f"fragment F{n} on Row{{...F{n + 1} ...F{n + 1}}}" for n in range(140))
        + "fragment F140 on Row{f0}",
        {},
    ),
    "a circle of 200 fragments": (
        "{row{...F0}}"
        + " ".join(f"fragment F{n} on Row{{...F{(n + 1) % 200}}}" for n in range(200)),
        {},
    ),
    "1,900 fields of 200 rows": ("{rows(first:200){" + "f0 " * 1_900 + "}}", {}),
    "rows of rows of rows": ("{rows{rows{rows{" + "rows{f0}" * 480 + "}}}}", {}),
    "a page of 10**9000": ("{rows(first:1" + "0" * 9_000 + "){f0}}", {}),
    "a list of 1,900": ("{any(of:[[" + "1 " * 1_900 + "]])}", {}),
    "introspection 20 times": (
        get_introspection_query().replace(
            "__schema {", _times(19, "a%:__schema{types{...FullType}}") + "__schema {"
        ),
        {},
    ),
    "pages by variables": (
        "query($n:Int){rows(first:$n){" + "rows(first:$n){f0}" * 190 + "}}",
        {"n": 200},
    ),
    "1 MB of variables": ("{any}", {"v": "x" * 1_000_000}),
    "lists in 64 KB of variables": ("{any}", {"v": [[[1]] * 999] * 10 + [[1] * 1_001]}),
    "variables 900 deep": ("{any}", {"v": _nested(900)}),
}
