"""What an operation costs at most: its fields, each as often as the lists around it repeat it."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    IntValueNode,
    OperationType,
    get_introspection_query,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    parse,
)

from realtime.limits import in_order
from realtime.outline import (
    INTROSPECTION,
    PAGE_ARGUMENTS,
    Definition,
    Field,
    Outline,
    Spread,
    outline_of,
)


class Costs:
    """Those of the operations of one schema.

    A field costs 1, or its weight (`{"Mutation.login": 1000}`). What is below a list of
    objects counts as often as the list may have items: by the list's own `first` or
    `last`, else by that of the nearest field around that has one which no list has used
    yet, else the largest page. Introspection counts as the schema is large; its standard
    query is half of the maximum at most.
    """

    def __init__(
        self, schema: GraphQLSchema, weights: Mapping[str, int], *, page: int, maximum: int
    ) -> None:
        self._schema = schema
        self._weights = weights
        self._page = page
        self._lengths = _lengths(schema)
        self._shapes: dict[tuple[str, str], _Shape] = {}
        self._introspection = 1.0
        standard = outline_of(parse(get_introspection_query(input_value_deprecation=True)))
        cost = self.of(standard, in_order(standard), standard.operations[0], {})
        self._introspection = min(1.0, maximum / 2 / cost)

    def of(
        self,
        outline: Outline,
        order: Iterable[str],
        operation: Definition,
        variables: Mapping[str, Any],
    ) -> int:
        """Return what an operation costs; `order` names its fragments as `in_order` does."""
        sizes = {**operation.defaults, **variables}
        fragments: dict[str, _Cost] = {}
        for name in order:
            fragment = outline.fragments[name]
            on = self._schema.get_type(fragment.on or "")
            fragments[name] = self._cost(fragment.selections, on, fragments, sizes)
        root = self._schema.get_root_type(OperationType(operation.kind))
        cost = self._cost(operation.selections, root, fragments, sizes)
        return ceil(cost.fixed + cost.paged * self._page)

    def _cost(
        self,
        selections: Sequence[Field | Spread],
        parent: GraphQLNamedType | None,
        fragments: Mapping[str, "_Cost"],
        sizes: Mapping[str, Any],
    ) -> "_Cost":
        fixed = paged = 0.0
        for selection in selections:
            if isinstance(selection, Spread):
                cost = fragments.get(selection.name, _NOTHING)
                fixed += cost.fixed
                paged += cost.paged
                continue
            on = parent if selection.on is None else self._schema.get_type(selection.on)
            shape = self._shape(on, selection.name)
            below = _NOTHING
            if selection.selections:
                below = self._cost(selection.selections, shape.type, fragments, sizes)
            size = _size(selection, shape, sizes)
            if selection.name in INTROSPECTION:
                fixed += (shape.weight + below.fixed) * self._introspection
            elif not shape.lists:
                fixed += shape.weight + below.fixed + (0 if size is None else below.paged * size)
                paged += below.paged if size is None else 0
            else:
                item = below.fixed + below.paged * self._page
                item *= self._page ** (shape.lists - 1)
                fixed += shape.weight + (0 if size is None else item * size)
                paged += item if size is None else 0
        return _Cost(fixed, paged)

    def _shape(self, parent: GraphQLNamedType | None, name: str) -> "_Shape":
        if parent is None or not is_composite_type(parent):
            return _UNKNOWN
        key = parent.name, name
        if key not in self._shapes:
            definition = self._schema.get_field(parent, name)
            if definition is None:
                return _UNKNOWN  # and not kept: there is no end to what does not exist
            coordinate = f"{parent.name}.{name}"
            self._shapes[key] = _shape(
                definition, self._weights.get(coordinate, 1), self._lengths.get(coordinate)
            )
        return self._shapes[key]


class _Shape(NamedTuple):
    """A field of the schema, as far as its cost goes."""

    weight: int
    lists: int
    """How many lists of objects lie in each other."""
    length: float | None
    """The items of the list, where it is the schema that is listed."""
    size: int | None
    """The default of its page arguments."""
    type: GraphQLNamedType | None


class _Cost(NamedTuple):
    """`fixed + paged * size`, where the size is for the fields around to say."""

    fixed: float
    paged: float


_NOTHING = _Cost(0, 0)
_UNKNOWN = _Shape(1, 0, None, None, None)
"""Validation refuses it."""


def _shape(definition: GraphQLField, weight: int, length: float | None) -> _Shape:
    named = get_named_type(definition.type)
    lists, type_ = 0, definition.type
    while is_list_type(type_) or is_non_null_type(type_):
        lists += is_list_type(type_)
        type_ = type_.of_type
    sizes = [
        size
        for name in PAGE_ARGUMENTS
        if name in definition.args and (size := _default(definition.args[name])) is not None
    ]
    return _Shape(
        weight,
        lists if is_composite_type(named) else 0,
        length,
        max(sizes, default=None),
        named,
    )


def _default(argument: GraphQLArgument) -> int | None:
    value = argument.default_value
    if argument.default is not None:
        literal = argument.default.literal
        value = int(literal.value) if isinstance(literal, IntValueNode) else argument.default.value
    return value if isinstance(value, int) else None


def _size(selection: Field, shape: _Shape, sizes: Mapping[str, Any]) -> float | None:
    if shape.length is not None:
        return shape.length
    if not selection.sizes:
        return shape.size
    given = [sizes.get(size) if isinstance(size, str) else size for size in selection.sizes]
    return max((size for size in given if isinstance(size, int | float)), default=None)


def _lengths(schema: GraphQLSchema) -> dict[str, float]:
    """Return how long the lists of introspection are, on average, by their coordinates."""
    types = schema.type_map.values()
    objects = [type_ for type_ in types if is_object_type(type_) or is_interface_type(type_)]
    fields = [field for type_ in objects for field in type_.fields.values()]
    lists: dict[str, tuple[int, Sequence[int]]] = {
        "__Schema.types": (1, [len(types)]),
        "__Schema.directives": (1, [len(schema.directives)]),
        "__Type.fields": (len(types), [len(each.fields) for each in objects]),
        "__Type.interfaces": (len(types), [len(each.interfaces) for each in objects]),
        "__Type.inputFields": (
            len(types),
            [len(each.fields) for each in types if is_input_object_type(each)],
        ),
        "__Type.enumValues": (
            len(types),
            [len(each.values) for each in types if is_enum_type(each)],
        ),
        "__Type.possibleTypes": (
            len(types),
            [len(schema.get_possible_types(each)) for each in types if is_abstract_type(each)],
        ),
        "__Field.args": (len(fields), [len(each.args) for each in fields]),
        "__Directive.args": (
            len(schema.directives),
            [len(each.args) for each in schema.directives],
        ),
    }
    return {name: sum(lengths) / max(1, among) for name, (among, lengths) in lists.items()}
