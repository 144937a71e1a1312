"""What an operation may not exceed, and what its client learns of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSyntaxError, parse

from realtime.conf import Settings
from realtime.discretion import give_code
from realtime.encoding import encoded
from realtime.outline import Definition, Outline
from realtime.overlaps import overlaps_of
from realtime.protocols.error_codes import ErrorCode

MAX_NESTING = 200
"""How deeply selection sets, or the values of variables, may be nested: as in graphql-core."""

MAX_OVERLAPS = 5_000
"""Pairs of fields and of selection sets that are merged in the result."""


class Limit(Enum):
    """Each limit: its name is the `code` of the error.

    Its setting, or the limit itself where there is none to choose, and what is counted.
    """

    DOCUMENT_TOO_LARGE = "max_document_size", "bytes in a document"
    TOO_MANY_TOKENS = "max_tokens", "tokens in a document"
    DOCUMENT_TOO_DEEP = "max_depth", "fields nested in each other"
    TOO_MANY_ALIASES = "max_aliases", "aliases"
    TOO_MANY_ROOT_FIELDS = "max_root_fields", "fields at the root"
    TOO_MANY_DIRECTIVES = "max_directives", "directives"
    FRAGMENT_CYCLE = 0, "fragments that spread themselves"
    TOO_COSTLY = "max_cost", "fields with all their repetitions in lists"
    TOO_MANY_OVERLAPS = MAX_OVERLAPS, "pairs of overlapping fields and selection sets"
    LIST_TOO_LONG = "max_list_items", "items in a list"
    PAGE_TOO_LARGE = "max_page_size", "items on a page"
    VARIABLES_TOO_LARGE = "max_variables_size", "bytes of variables"
    VARIABLES_TOO_DEEP = MAX_NESTING, "variables nested in each other"

    def of(self, settings: Settings) -> int:
        """Return its value."""
        setting = self.value[0]
        value: int = getattr(settings, setting) if isinstance(setting, str) else setting
        return value

    def check(self, settings: Settings, given: float) -> None:
        """Raise LimitError if more is given."""
        if given > (limit := self.of(settings)):
            raise LimitError(self, limit, f"{given:,}" if given < 10**12 else "far more")


class LimitError(GraphQLError):
    """An operation is refused before it is executed."""

    def __init__(self, kind: Limit, limit: int, given: str) -> None:
        super().__init__(
            f"The limit of {kind.value[1]} is {limit:,}; this operation has {given}",
            extensions={"code": ErrorCode[kind.name], "limit": limit},
        )


def parsed(text: str, settings: Settings) -> DocumentNode:
    """Parse a document. Raises GraphQLSyntaxError, or LimitError as soon as it is too large.

    The parser takes linear time: of 15 KiB at most 20 ms, with 2,000 tokens or more.
    """
    tokens = settings.max_tokens
    try:
        return parse(text, max_tokens=tokens)
    except GraphQLSyntaxError as error:
        # graphql-core tells its own limits from faults of the document by the message alone.
        match error.message:
            case "Syntax Error: Document is nested too deeply. Parsing aborted.":
                raise LimitError(Limit.DOCUMENT_TOO_DEEP, MAX_NESTING, "more") from None
            case message if message == (
                f"Syntax Error: Document contains more than {tokens} tokens. Parsing aborted."
            ):
                raise LimitError(Limit.TOO_MANY_TOKENS, tokens, "more") from None
        give_code([error], ErrorCode.GRAPHQL_PARSE_FAILED)
        raise


@dataclass(slots=True)
class _Sums:
    """What a definition holds with all that its spreads bring, each as often as it is used."""

    aliases: int
    directives: int
    depth: int
    root_fields: int


def in_order(outline: Outline) -> list[str]:
    """Return the names of the fragments, each after those that it spreads.

    Raises LimitError where some spread themselves.
    """
    order: dict[str, None] = {}
    for root in outline.fragments:
        path: dict[str, Iterable[str]] = {}
        following: str | None = root
        while following is not None or path:
            if following is not None:
                if following in path:
                    raise LimitError(Limit.FRAGMENT_CYCLE, 0, following)
                path[following] = iter(_spread(outline, following, order))
            name = next(reversed(path))
            following = next((spread for spread in path[name] if spread not in order), None)
            if following is None:
                del path[name]
                order[name] = None
    return list(order)


def _spread(outline: Outline, name: str, order: Mapping[str, None]) -> list[str]:
    if name in order:
        return []
    spreads = outline.fragments[name].spreads
    return [spread.name for spread in spreads if spread.name in outline.fragments]


def check_document(outline: Outline, order: Iterable[str], settings: Settings) -> None:
    """Check what depends on no variable. Raises LimitError."""
    fragments: dict[str, _Sums] = {}
    for name in order:
        fragments[name] = _sums(outline.fragments[name], fragments)
    for operation in outline.operations:
        sums = _sums(operation, fragments)
        Limit.DOCUMENT_TOO_DEEP.check(settings, sums.depth)
        Limit.TOO_MANY_ALIASES.check(settings, sums.aliases)
        Limit.TOO_MANY_ROOT_FIELDS.check(settings, sums.root_fields)
        Limit.TOO_MANY_DIRECTIVES.check(settings, sums.directives)
    Limit.LIST_TOO_LONG.check(settings, outline.longest_list)
    check_pages(outline.page_sizes, settings)


def check_overlaps(outline: Outline) -> None:
    """Check how much of a document overlaps. Raises LimitError."""
    if overlaps_of(outline, MAX_OVERLAPS) > MAX_OVERLAPS:
        raise LimitError(Limit.TOO_MANY_OVERLAPS, MAX_OVERLAPS, "more")


def check_pages(sizes: Iterable[Any], settings: Settings) -> None:
    """Check those of the sizes that are numbers. Raises LimitError."""
    for size in sizes:
        if isinstance(size, int | float):
            Limit.PAGE_TOO_LARGE.check(settings, size)
            if size < 0:
                raise LimitError(
                    Limit.PAGE_TOO_LARGE, Limit.PAGE_TOO_LARGE.of(settings), f"{size:,}"
                )


def check_variables(variables: Mapping[str, Any], settings: Settings) -> int:
    """Check the variables, whatever they are used for; return their bytes. Raises LimitError."""
    too_deep = LimitError(Limit.VARIABLES_TOO_DEEP, MAX_NESTING, "more")
    try:
        size = len(encoded(variables))
    except RecursionError:
        raise too_deep from None
    Limit.VARIABLES_TOO_LARGE.check(settings, size)
    level: list[Any] = [variables]
    for _ in range(MAX_NESTING):
        following: list[Any] = []
        for value in level:
            if value.__class__ is list:
                Limit.LIST_TOO_LONG.check(settings, len(value))
                items: Iterable[Any] = value
            else:
                items = value.values()
            following += [item for item in items if item and item.__class__ in _CONTAINERS]
        if not following:
            return size
        level = following
    raise too_deep


_CONTAINERS = frozenset({dict, list})


def _sums(definition: Definition, fragments: Mapping[str, _Sums]) -> _Sums:
    sums = _Sums(
        definition.aliases, definition.directives, definition.depth, definition.root_fields
    )
    for spread in definition.spreads:
        if (brought := fragments.get(spread.name)) is None:
            continue  # there is no such fragment, which validation says
        sums.aliases += brought.aliases
        sums.directives += brought.directives
        if not spread.introspects:
            sums.depth = max(sums.depth, spread.depth + brought.depth)
        if spread.depth == 0:
            sums.root_fields += brought.root_fields
    return sums
