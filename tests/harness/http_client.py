"""A GraphQL client over HTTP, and the form of a request that every transport shares."""

import http.cookiejar
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

Payload = dict[str, Any]


def graphql_request(
    query: str,
    variables: Payload | None = None,
    operation_name: str | None = None,
    extensions: Payload | None = None,
) -> Payload:
    """Return the request in its JSON form; what is None is left out."""
    fields = {
        "query": query,
        "variables": variables,
        "operationName": operation_name,
        "extensions": extensions,
    }
    return {name: value for name, value in fields.items() if value is not None}


class GraphQLHTTP:
    """Operations by POST that share one session's cookies. It blocks."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    @property
    def cookie_header(self) -> dict[str, str]:
        """The session's cookies, as the `headers` of a GraphQLSocket."""
        return {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)}

    def post(
        self,
        query: str,
        variables: Payload | None = None,
        operation_name: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Payload:
        """Return the GraphQL response, whatever its status; any other raises AssertionError."""
        request = urllib.request.Request(
            self.url,
            data=json.dumps(graphql_request(query, variables, operation_name)).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        try:
            with self._opener.open(request, timeout=30) as response:
                status, body = response.status, response.read()
        except urllib.error.HTTPError as response:
            with response:
                status, body = response.code, response.read()
        try:
            payload = json.loads(body)
        except ValueError:
            payload = None
        if isinstance(payload, dict) and not payload.keys().isdisjoint({"data", "errors"}):
            return payload
        came = f"{status}: {body.decode(errors='replace')}"
        raise AssertionError(f"expected a GraphQL response, but there came {came}")
