"""An outline counts every alias, directive, list and level of a document."""

from typing import Any

from graphql import (
    DirectiveNode,
    FieldNode,
    ListValueNode,
    Node,
    OperationDefinitionNode,
    Visitor,
    parse,
    visit,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from realtime.outline import outline_of


class Counted(Visitor):
    """The numbers of an outline, counted by graphql-core's visitor."""

    def __init__(self) -> None:
        super().__init__()
        self.aliases = self.directives = self.longest_list = 0

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.aliases += node.alias is not None

    def enter_directive(self, _: DirectiveNode, *__: Any) -> None:
        self.directives += 1

    def enter_list_value(self, node: ListValueNode, *_: Any) -> None:
        self.longest_list = max(self.longest_list, len(node.values))


def depth_of(node: Node) -> int:
    selections = getattr(getattr(node, "selection_set", None), "selections", ())
    return max(map(depth_of, selections), default=0) + isinstance(node, FieldNode)


def compare(text: str) -> None:
    document = parse(text)
    counted = Counted()
    visit(document, counted)
    outline = outline_of(document)
    operations = [
        each for each in document.definitions if isinstance(each, OperationDefinitionNode)
    ]
    assert [each.kind for each in outline.operations] == [
        each.operation.value for each in operations
    ]
    assert [each.depth for each in outline.operations] == list(map(depth_of, operations))
    definitions = [*outline.operations, *outline.fragments.values()]
    assert outline.longest_list == counted.longest_list
    assert sum(each.aliases for each in definitions) == counted.aliases
    assert sum(each.directives for each in definitions) == counted.directives


names = st.sampled_from(["a", "b", "on", "query", "fragment", "first", "last", "true", "_x1"])
spaces = st.sampled_from([" ", ",", "\n", "\ufeff", "#{é\n", "\t\r\n"])
scalars = st.sampled_from(
    ["1", "-20", "0.5e-3", '"{ \\" }"', '""', '"""a " \\""" } """', "$v", "null", "RED", "#[\n1"]
)
values = st.recursive(
    scalars,
    lambda value: st.one_of(
        st.lists(value, max_size=4).map(lambda items: f"[{' '.join(items)}]"),
        st.lists(value, max_size=3).map(
            lambda items: "{" + " ".join(f"k{n}:{item}" for n, item in enumerate(items)) + "}"
        ),
    ),
    max_leaves=8,
)


@st.composite
def arguments(draw: Any) -> str:
    given = draw(st.lists(st.tuples(names, values), max_size=3))
    return f"({' '.join(f'{name}: {value}' for name, value in given)})" if given else ""


@st.composite
def directives(draw: Any) -> str:
    return " ".join(f"@{draw(names)}{draw(arguments())}" for _ in range(draw(st.integers(0, 2))))


@st.composite
def selections(draw: Any, depth: int = 2) -> str:
    selected = []
    for _ in range(draw(st.integers(1, 2))):
        below = draw(selections(depth - 1)) if depth and draw(st.booleans()) else ""
        match draw(st.integers(0, 3)):
            case 0:
                selected.append(f"...F{draw(directives())}")
            case 1 if below:
                on = draw(st.sampled_from(["", "on T"]))
                selected.append(f"...{on}{draw(directives())}{below}")
            case _:
                alias = draw(st.sampled_from(["", "alias:", "on:"]))
                selected.append(
                    f"{alias}{draw(names)}{draw(arguments())}{draw(directives())}{below}"
                )
    space: str = draw(spaces)
    return "{" + space.join(selected) + "}"


@st.composite
def documents(draw: Any) -> str:
    definitions = []
    for number in range(draw(st.integers(1, 3))):
        head = draw(
            st.sampled_from(
                [
                    "",
                    "mutation",
                    "query query",
                    '"about it" subscription S',
                    'query ($v: [Int!]! = [1 2] @a(b: [3]) "v" $w: T = {a: [1, [2 3 4]]}) @c',
                    f"fragment F{number} on T @d",
                    f'"""about\nit""" fragment F{number} on on',
                ]
            )
        )
        definitions.append(head + draw(selections()))
    space: str = draw(spaces)
    return space.join(definitions)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
@example('{ a } "about" fragment F on T { b }')
@example("{ a(b: [1 {c: [2 3]}]) @d(e: [1 2 3 4]) }")
@example("{ on: on }")
def test_counts_what_a_visitor_counts(text: str) -> None:
    compare(text)
