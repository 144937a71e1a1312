"""Documents, parsed, checked against the limits and validated once."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    validate,
)

from realtime.conf import Settings
from realtime.costs import Costs
from realtime.discretion import give_code
from realtime.limits import (
    Limit,
    check_document,
    check_overlaps,
    check_pages,
    check_variables,
    in_order,
    parsed,
)
from realtime.outline import Outline, outline_of
from realtime.protocols.error_codes import ErrorCode
from realtime.protocols.operation import document_hash
from realtime.rates import charge
from realtime.trusted import TrustedDocuments

MAX_ERRORS = 5
"""Errors of validation that a client learns of."""

MAX_REFUSED = 32
"""Documents of which it is kept why they were refused: one request asks several times."""


@dataclass(slots=True, eq=False)
class _Entry:
    text: str
    document: DocumentNode
    outline: Outline
    order: list[str]
    """The names of its fragments, each after those that it spreads."""
    costs: dict[str | None, int] | None
    """What its operations cost, by their names; None where that depends on variables."""
    errors: dict[Any, list[GraphQLError]] = field(default_factory=dict)
    """What validation found, by its rules and its limit of errors."""


class DocumentCache:
    """The documents used last, by their text; for one schema.

    It is an Ariadne QueryParser, its `validate` a QueryValidator. The cache is bounded
    by the characters of all texts together: a parsed document takes about a hundred
    times the memory of its text. `costs` are the weights of single fields;
    `suggestions` whether errors say what may have been meant.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        settings: Settings,
        *,
        costs: Mapping[str, int] | None = None,
        suggestions: bool = False,
    ) -> None:
        self._settings = settings
        self._costs = Costs(
            schema, costs or {}, page=settings.max_page_size, maximum=settings.max_cost
        )
        self._trusted = TrustedDocuments()
        self._hide_suggestions = not suggestions
        self._characters = 0
        self._by_text: OrderedDict[str, _Entry] = OrderedDict()
        self._by_document: dict[int, _Entry] = {}
        self._refused: OrderedDict[str, GraphQLError] = OrderedDict()

    def __call__(self, context: Any, data: Mapping[str, Any]) -> DocumentNode:
        """Return the document of an operation that is within its limits. Raises GraphQLError."""
        entry = self._entry(data["query"])
        variables = data.get("variables") or {}
        if variables:
            charge(variables=check_variables(variables, self._settings))
        name = data.get("operationName")
        costs = self._costs_with(entry, variables, name) if entry.costs is None else entry.costs
        _check_name(entry, name)
        charge(cost=costs[name] if name else max(costs.values(), default=0))
        return entry.document

    async def resolve(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters with the text of the document that they name. Idempotent.

        What cannot be resolved is refused where it would be parsed, as any other document.
        """
        hash = None if data.get("query") else document_hash(data)
        if hash is None and not self._settings.trusted_only:
            return data
        text = hash and self._trusted.text(hash)
        try:
            await self._trusted.refresh()
        except Exception as error:
            # What was known a second ago may be known still.
            if not text and (hash or data["query"] not in self._trusted):
                return {
                    **data,
                    "query": _Unresolved(GraphQLError(str(error), original_error=error)),
                }
        if hash is None:
            return data
        return {**data, "query": self._trusted.text(hash) or _Unresolved(_not_found())}

    def document(self, text: str) -> DocumentNode:
        """Return a document, whatever its variables may be. Raises GraphQLError."""
        return self._entry(text).document

    def operation_type(self, data: Mapping[str, Any]) -> OperationType | None:
        """Return the type of an operation, None where its document does not tell.

        Raises GraphQLError.
        """
        name = data.get("operationName")
        kinds = [
            operation.kind
            for operation in self._entry(data["query"]).outline.operations
            if not name or operation.name == name
        ]
        return OperationType(kinds[0]) if len(kinds) == 1 else None

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
            options.setdefault("hide_suggestions", self._hide_suggestions)
            errors = validate(schema, document, rules, max_errors or MAX_ERRORS, **options)
            give_code(errors, ErrorCode.GRAPHQL_VALIDATION_FAILED)
            if entry is None:  # not from here, or pushed out meanwhile
                return errors
            entry.errors[key] = errors
        return entry.errors[key]

    def _entry(self, text: str) -> _Entry:
        if isinstance(text, _Unresolved):
            raise text.error
        if self._settings.trusted_only and text not in self._trusted:
            raise GraphQLError(
                "Only registered documents are accepted",
                extensions={"code": ErrorCode.DOCUMENT_NOT_TRUSTED},
            )
        entry = self._by_text.get(text)
        if entry is not None:
            self._by_text.move_to_end(text)
            return entry
        if (refusal := self._refused.get(text)) is not None:
            # Not the same one again, which would hold on to who got it last.
            raise GraphQLError(
                refusal.message,
                source=refusal.source,
                positions=refusal.positions,
                extensions=refusal.extensions,
            )
        Limit.DOCUMENT_TOO_LARGE.check(self._settings, _size(text))
        try:
            entry = self._checked(text)
        except GraphQLError as error:
            charge(tokens=min(len(text) // 2, self._settings.max_tokens))  # at most so many
            self._refuse(text, error)
            raise
        charge(tokens=entry.document.token_count)
        if len(text) <= self._settings.document_cache:
            self._keep(entry)
        return entry

    def _checked(self, text: str) -> _Entry:
        document = parsed(text, self._settings)
        try:
            outline = outline_of(document)
        except GraphQLError as error:
            give_code([error], ErrorCode.GRAPHQL_VALIDATION_FAILED)
            raise
        order = in_order(outline)
        check_document(outline, order, self._settings)
        costs: dict[str | None, int] | None = None
        if not any(isinstance(size, str) for size in outline.page_sizes):
            costs = {}
            for operation in outline.operations:
                cost = costs[operation.name] = self._costs.of(outline, order, operation, {})
                Limit.TOO_COSTLY.check(self._settings, cost)
        check_overlaps(outline)
        return _Entry(text, document, outline, order, costs)

    def _refuse(self, text: str, error: GraphQLError) -> None:
        self._refused[text] = error.with_traceback(None)
        if len(self._refused) > MAX_REFUSED:
            self._refused.popitem(last=False)

    def _costs_with(
        self, entry: _Entry, variables: Mapping[str, Any], name: str | None
    ) -> dict[str | None, int]:
        """Return what the operations that may be meant cost with these variables."""
        costs: dict[str | None, int] = {}
        for operation in entry.outline.operations:
            if not name or operation.name == name:
                sizes = {**operation.defaults, **variables}
                pages = entry.outline.page_sizes
                check_pages(
                    (sizes.get(page) for page in pages if isinstance(page, str)), self._settings
                )
                cost = self._costs.of(entry.outline, entry.order, operation, variables)
                Limit.TOO_COSTLY.check(self._settings, cost)
                costs[operation.name] = cost
        return costs

    def _keep(self, entry: _Entry) -> None:
        self._by_text[entry.text] = entry
        self._by_document[id(entry.document)] = entry
        self._characters += len(entry.text)
        while self._characters > self._settings.document_cache:
            self._forget(next(iter(self._by_text.values())))

    def _forget(self, entry: _Entry) -> None:
        if self._by_text.get(entry.text) is entry:
            del self._by_text[entry.text]
            self._by_document.pop(id(entry.document), None)
            self._characters -= len(entry.text)


def _check_name(entry: _Entry, name: str | None) -> None:
    """Check that a well-formed document says which operation is meant. Raises GraphQLError."""
    operations = entry.outline.operations
    if name is None:
        if len(operations) <= 1:
            return
        message = "Must provide operation name if query contains multiple operations."
    elif any(operation.name == name for operation in operations):
        return
    else:
        message = f"Unknown operation named '{name}'."
    code = ErrorCode.OPERATION_RESOLUTION_FAILURE
    raise GraphQLError(message, extensions={"code": code})


class _Unresolved(str):
    """Stands for the text of a document that is not to be had."""

    error: GraphQLError

    def __new__(cls, error: GraphQLError) -> Self:
        """Return one that is no document: it begins none, and is not empty."""
        unresolved = super().__new__(cls, "?")
        unresolved.error = error
        return unresolved


def _not_found() -> GraphQLError:
    """Return what Apollo's clients know by its message: they send the text then."""
    code = ErrorCode.PERSISTED_QUERY_NOT_FOUND
    return GraphQLError("PersistedQueryNotFound", extensions={"code": code})


def _size(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
