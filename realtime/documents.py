"""Documents, parsed and validated once."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from graphql import ASTValidationRule, DocumentNode, GraphQLError, GraphQLSchema, parse, validate


@dataclass(slots=True, eq=False)
class _Entry:
    document: DocumentNode
    errors: dict[Any, list[GraphQLError]] = field(default_factory=dict)
    """What validation found, by its rules and its limit of errors."""


class DocumentCache:
    """The documents used last, by their text; for one schema.

    `parse` is an Ariadne QueryParser, `validate` a QueryValidator. The cache is bounded
    by the characters of all texts together: a parsed document takes about a hundred
    times the memory of its text.
    """

    def __init__(self, *, characters: int) -> None:
        self._capacity = characters
        self._characters = 0
        self._by_text: OrderedDict[str, _Entry] = OrderedDict()
        self._by_document: dict[int, _Entry] = {}

    def parse(self, context: Any, data: dict[str, Any]) -> DocumentNode:
        """Return the document of an operation. Raises GraphQLSyntaxError."""
        text: str = data["query"]
        entry = self._by_text.get(text)
        if entry is not None:
            self._by_text.move_to_end(text)
            return entry.document
        document = parse(text)
        if len(text) <= self._capacity:
            self._keep(text, _Entry(document))
        return document

    def validate(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        rules: Collection[type[ASTValidationRule]] | None = None,
        max_errors: int | None = None,
        **options: Any,
    ) -> list[GraphQLError]:
        """Return what is wrong with a document."""
        entry = self._by_document.get(id(document))
        key = (None if rules is None else tuple(rules), max_errors)
        if entry is None or key not in entry.errors:
            errors = validate(schema, document, rules, max_errors, **options)
            if entry is None:  # not from `parse`, or pushed out meanwhile
                return errors
            entry.errors[key] = errors
        return entry.errors[key]

    def _keep(self, text: str, entry: _Entry) -> None:
        self._by_text[text] = self._by_document[id(entry.document)] = entry
        self._characters += len(text)
        while self._characters > self._capacity:
            oldest, pushed_out = self._by_text.popitem(last=False)
            del self._by_document[id(pushed_out.document)]
            self._characters -= len(oldest)
