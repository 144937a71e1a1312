"""Executors whose errors say why an operation cannot run, and no more than they should."""

from typing import Any

from graphql import DocumentNode, Executor, GraphQLError, GraphQLSchema, get_operation_ast

from realtime.protocols.error_codes import ErrorCode


def give_code(errors: list[GraphQLError], code: ErrorCode) -> None:
    """Put a code into those errors that have none."""
    for error in errors:
        if "code" not in (error.extensions or {}):
            error.extensions = {**(error.extensions or {}), "code": code}


class CodedExecutor(Executor[Any]):
    """Gives the errors of variables, and of operations that are not there, their codes."""

    @classmethod
    def build(
        cls, schema: GraphQLSchema, document: DocumentNode, *args: Any, **options: Any
    ) -> list[GraphQLError] | Executor[Any]:
        """Return an executor, or why there is none."""
        executor = super().build(schema, document, *args, **options)
        if isinstance(executor, list):
            # `execute` gives the name as the sixth argument, `_subscribe` by keyword.
            name = args[3] if len(args) > 3 else options.get("operation_name")
            is_found = get_operation_ast(document, name) is not None
            give_code(
                executor,
                ErrorCode.BAD_USER_INPUT if is_found else ErrorCode.OPERATION_RESOLUTION_FAILURE,
            )
        return executor


class DiscreetExecutor(CodedExecutor):
    """Does not suggest, in the errors of variables, what may have been meant."""

    @classmethod
    def build(cls, *args: Any, **options: Any) -> list[GraphQLError] | Executor[Any]:
        """Return an executor, or why there is none."""
        return super().build(*args, **{**options, "hide_suggestions": True})
