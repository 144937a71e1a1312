"""The outline of a document: the facts about its syntax tree that the limits count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

PAGE_ARGUMENTS = ("first", "last")
INTROSPECTION = ("__schema", "__type")

PageSize = int | str
"""The value of a page argument: a number, or the name of a variable."""

_DIGITS = 12
"""Digits of a number that are read: more make no difference to a limit, but take time."""


@dataclass(slots=True)
class Field:
    """A field of a selection set; the fields of its inline fragments are in the same set."""

    key: str
    """Its name in the result: its alias, if it has one."""
    name: str
    on: str | None
    """The nearest type condition around it in its selection set."""
    sizes: tuple[PageSize, ...] = ()
    selections: "list[Field | Spread]" = field(default_factory=list)


@dataclass(slots=True)
class Spread:
    """A fragment, where it is used."""

    name: str
    on: str | None
    depth: int
    """Number of fields around it."""
    introspects: bool
    """Whether a field of introspection is around it."""


@dataclass(slots=True)
class Definition:
    """An operation or a fragment; its numbers leave out what its spreads bring."""

    kind: str
    name: str | None = None
    on: str | None = None
    selections: list[Field | Spread] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)
    aliases: int = 0
    directives: int = 0
    depth: int = 0
    """Fields nested in each other, introspection left out."""
    root_fields: int = 0
    defaults: dict[str, int] = field(default_factory=dict)
    """The defaults of variables that are whole numbers."""


@dataclass(slots=True)
class Outline:
    """A document."""

    operations: list[Definition]
    fragments: Mapping[str, Definition]
    longest_list: int
    page_sizes: list[PageSize]


def outline_of(document: DocumentNode) -> Outline:
    """Return the outline of a document. Raises GraphQLError where it defines types.

    It takes time linear in the size of the document. The parser limits how deeply a
    document is nested, and so the recursion here.
    """
    return _Reader().document(document)


class _Reader:
    def __init__(self) -> None:
        self._longest_list = 0
        self._page_sizes: list[PageSize] = []

    def document(self, document: DocumentNode) -> Outline:
        operations: list[Definition] = []
        fragments: dict[str, Definition] = {}
        for node in document.definitions:
            match node:
                case OperationDefinitionNode():
                    operations.append(self._operation(node))
                case FragmentDefinitionNode(name=name):
                    # Validation refuses a second fragment of the same name, but looks at both.
                    is_new = name.value not in fragments
                    key = name.value if is_new else f"{name.value} {len(fragments)}"
                    fragments[key] = self._fragment(node)
                case _:
                    raise GraphQLError("A document may only contain operations and fragments")
        return Outline(operations, fragments, self._longest_list, self._page_sizes)

    def _operation(self, node: OperationDefinitionNode) -> Definition:
        definition = Definition(node.operation.value, node.name.value if node.name else None)
        for variable in node.variable_definitions or ():
            self._directives(definition, variable.directives)
            if variable.default_value is not None:
                self._value(variable.default_value)
            if isinstance(variable.default_value, IntValueNode):
                definition.defaults[variable.variable.name.value] = _int(variable.default_value)
        self._directives(definition, node.directives)
        self._selections(definition, definition.selections, node.selection_set, None, 0, False)
        return definition

    def _fragment(self, node: FragmentDefinitionNode) -> Definition:
        on = node.type_condition.name.value
        definition = Definition("fragment", node.name.value, on)
        self._directives(definition, node.directives)
        self._selections(definition, definition.selections, node.selection_set, None, 0, False)
        return definition

    def _selections(
        self,
        definition: Definition,
        selections: list[Field | Spread],
        selection_set: SelectionSetNode,
        on: str | None,
        depth: int,
        introspects: bool,
    ) -> None:
        for node in selection_set.selections:
            self._directives(definition, node.directives)
            match node:
                case FieldNode():
                    selections.append(self._field(definition, node, on, depth, introspects))
                case FragmentSpreadNode():
                    spread = Spread(node.name.value, on, depth, introspects)
                    selections.append(spread)
                    definition.spreads.append(spread)
                case InlineFragmentNode(type_condition=condition):
                    inner = on if condition is None else condition.name.value
                    self._selections(
                        definition, selections, node.selection_set, inner, depth, introspects
                    )

    def _field(
        self, definition: Definition, node: FieldNode, on: str | None, depth: int, introspects: bool
    ) -> Field:
        name = node.name.value
        selected = Field(node.alias.value if node.alias else name, name, on)
        definition.aliases += node.alias is not None
        if node.arguments:
            selected.sizes = tuple(self._arguments(node.arguments))
            self._page_sizes += selected.sizes
        introspects = introspects or name in INTROSPECTION
        if depth == 0:
            definition.root_fields += 1
        if not introspects and depth >= definition.depth:
            definition.depth = depth + 1
        if node.selection_set is not None:
            self._selections(
                definition, selected.selections, node.selection_set, None, depth + 1, introspects
            )
        return selected

    def _directives(
        self, definition: Definition, directives: Sequence[DirectiveNode] | None
    ) -> None:
        for directive in directives or ():
            definition.directives += 1
            self._arguments(directive.arguments or ())  # their page sizes limit nothing

    def _arguments(self, arguments: Iterable[ArgumentNode]) -> list[PageSize]:
        sizes: list[PageSize] = []
        for argument in arguments:
            if argument.name.value in PAGE_ARGUMENTS:
                match argument.value:
                    case IntValueNode():
                        sizes.append(_int(argument.value))
                    case VariableNode(name=name):
                        sizes.append(name.value)
            self._value(argument.value)
        return sizes

    def _value(self, value: ValueNode) -> None:
        """Note the longest list in a value."""
        match value:
            case ListValueNode(values=values):
                self._longest_list = max(self._longest_list, len(values))
                for item in values:
                    self._value(item)
            case ObjectValueNode(fields=fields):
                for each in fields:
                    self._value(each.value)


def _int(node: IntValueNode) -> int:
    return int(node.value[:_DIGITS])
