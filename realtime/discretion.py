"""An executor that keeps the names of the schema to itself."""

from typing import Any

from graphql import Executor, GraphQLError


class DiscreetExecutor(Executor[Any]):
    """Does not suggest, in the errors of variables, what may have been meant."""

    @classmethod
    def build(cls, *args: Any, **options: Any) -> list[GraphQLError] | Executor[Any]:
        """Return an executor, or why there is none."""
        return super().build(*args, **{**options, "hide_suggestions": True})
