"""Registered documents: by their hashes, or nothing but them."""

import asyncio
import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from realtime import trusted
from realtime.asgi import graphql_app
from realtime.models import TrustedDocument
from realtime.testing import ConnectionClosedError
from realtime.trusted import TrustedDocuments, hash_of
from tests.realtime.every_transport import STREAMING, TRANSPORTS
from tests.realtime.stranger import Stranger

pytestmark = pytest.mark.django_db(transaction=True)

QUERY = "{ quick }"
DONE = {"data": {"quick": "done"}}


async def register(text: str) -> str:
    await TrustedDocument.objects.acreate(hash=hash_of(text), text=text)
    return hash_of(text)


@pytest.fixture
def trusted_only(realtime_settings: Callable[..., None]) -> None:
    realtime_settings(TRUSTED_ONLY=True)


def code(result: Any) -> str:
    assert set(result) == {"errors"}
    [error] = result["errors"]
    code: str = error["extensions"]["code"]
    return code


@pytest.mark.parametrize("transport", TRANSPORTS)
class TestOverEachTransport:
    @pytest.mark.parametrize(
        "named",
        [
            lambda hash_: {"documentId": f"sha256:{hash_}"},
            lambda hash_: {"documentId": hash_},
            lambda hash_: {"documentId": hash_.upper()},
            lambda hash_: {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_}}},
        ],
        ids=["documentId", "bare", "upper case", "Apollo"],
    )
    async def test_a_document_is_found_by_its_hash(
        self, named: Callable[[str], Any], transport: str, stranger: Stranger
    ) -> None:
        payload = named(await register(QUERY))
        assert await TRANSPORTS[transport](graphql_app(stranger.schema), payload) == DONE

    async def test_one_that_is_not_registered_is_not_found(
        self, transport: str, stranger: Stranger
    ) -> None:
        payload = {"documentId": f"sha256:{hash_of(QUERY)}"}
        result = await TRANSPORTS[transport](graphql_app(stranger.schema), payload)
        assert code(result) == "PERSISTED_QUERY_NOT_FOUND"
        assert result["errors"][0]["message"] == "PersistedQueryNotFound"

    async def test_a_text_beside_a_hash_is_executed_and_not_registered(
        self, transport: str, stranger: Stranger
    ) -> None:
        persisted = {"version": 1, "sha256Hash": hash_of(QUERY)}
        payload = {"query": QUERY, "extensions": {"persistedQuery": persisted}}
        assert await TRANSPORTS[transport](graphql_app(stranger.schema), payload) == DONE
        assert not await TrustedDocument.objects.aexists()

    @pytest.mark.usefixtures("trusted_only")
    async def test_a_text_can_be_refused(self, transport: str, stranger: Stranger) -> None:
        await register("{ slow }")
        app = graphql_app(stranger.schema)
        for payload in ({"query": QUERY}, {"query": QUERY, "documentId": hash_of("{ slow }")}):
            assert code(await TRANSPORTS[transport](app, payload)) == "DOCUMENT_NOT_TRUSTED"
        assert stranger.happened == []

    @pytest.mark.usefixtures("trusted_only")
    async def test_a_registered_text_is_always_accepted(
        self, transport: str, stranger: Stranger
    ) -> None:
        hash = await register(QUERY)
        app = graphql_app(stranger.schema)
        for payload in ({"query": QUERY}, {"documentId": hash}):
            assert await TRANSPORTS[transport](app, payload) == DONE


class TestOutage:
    """Of the database: nobody can say then whether a document is registered."""

    @pytest.fixture(autouse=True)
    def _away(self) -> Iterator[None]:
        with patch.object(trusted, "_read", side_effect=OperationalError("away")):
            yield

    @pytest.mark.parametrize("transport", ["POST", "POST to the letter", "GET"])
    async def test_is_said_over_http(self, transport: str, stranger: Stranger) -> None:
        payload = {"documentId": hash_of(QUERY)}
        result = await TRANSPORTS[transport](graphql_app(stranger.schema), payload)
        assert code(result) == "UNAVAILABLE"

    @pytest.mark.parametrize("transport", ["graphql-transport-ws", "graphql-ws"])
    async def test_has_clients_of_websockets_come_again(
        self, transport: str, stranger: Stranger
    ) -> None:
        payload = {"documentId": hash_of(QUERY)}
        with pytest.raises(ConnectionClosedError, match="4013"):
            await TRANSPORTS[transport](graphql_app(stranger.schema), payload)


@pytest.mark.parametrize("transport", STREAMING)
async def test_a_subscription_is_found_by_its_hash(transport: str, stranger: Stranger) -> None:
    payload = {"documentId": await register("subscription { three }")}
    result = await TRANSPORTS[transport](graphql_app(stranger.schema), payload)
    assert result == {"data": {"three": 1}}


class TestLooks:
    """At the table: seldom, and without the event loop."""

    @pytest.fixture
    def later(self) -> Iterator[Callable[[], None]]:
        """Let the time pass after which the table is looked at again."""
        with patch.object(trusted, "monotonic") as clock:
            clock.return_value = 1_000.0

            def pass_() -> None:
                clock.return_value += trusted.PAUSE

            yield pass_

    async def test_what_others_register_and_withdraw_is_seen(
        self, later: Callable[[], None]
    ) -> None:
        documents = TrustedDocuments()
        await documents.refresh()
        hash = await register(QUERY)
        await documents.refresh()
        assert documents.text(hash) is None
        later()
        await documents.refresh()
        assert documents.text(hash) == QUERY
        assert QUERY in documents
        await TrustedDocument.objects.all().adelete()
        later()
        await documents.refresh()
        assert QUERY not in documents

    async def test_a_flood_of_unknown_hashes_is_one_look(
        self, later: Callable[[], None], queries: list[str], stranger: Stranger
    ) -> None:
        later()
        app = graphql_app(stranger.schema)
        queries.clear()
        results = await asyncio.gather(
            *(TRANSPORTS["POST"](app, {"documentId": f"{number:064x}"}) for number in range(50))
        )
        assert {code(result) for result in results} == {"PERSISTED_QUERY_NOT_FOUND"}
        assert len(queries) == 1

    async def test_what_is_known_is_read_once(
        self, later: Callable[[], None], queries: list[str]
    ) -> None:
        documents = TrustedDocuments()
        await register(QUERY)
        await documents.refresh()
        queries.clear()
        later()
        await documents.refresh()
        [query] = queries
        assert '"text"' not in query

    async def test_what_is_known_outlives_an_outage(
        self, later: Callable[[], None], stranger: Stranger
    ) -> None:
        app = graphql_app(stranger.schema)
        payload = {"documentId": await register(QUERY)}
        assert await TRANSPORTS["POST"](app, payload) == DONE
        later()
        with patch.object(trusted, "_read", side_effect=OperationalError("away")):
            assert await TRANSPORTS["POST"](app, payload) == DONE
            unknown = {"documentId": hash_of("{ slow }")}
            assert code(await TRANSPORTS["POST"](app, unknown)) == "UNAVAILABLE"


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "documents"

    def run(self, file: Path, text: str | bytes, *options: str) -> list[str]:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        out = StringIO()
        call_command("trust_documents", str(file), *options, stdout=out)
        return out.getvalue().splitlines()

    def texts(self) -> set[str]:
        return set(TrustedDocument.objects.values_list("text", flat=True))

    def test_takes_a_manifest_of_apollo(self, file: Path) -> None:
        text = "query A {\n  hello\n}"
        operation = {"id": hash_of(text), "name": "A", "type": "query", "body": text}
        manifest = {
            "format": "apollo-persisted-query-manifest",
            "version": 1,
            "operations": [operation],
        }
        assert self.run(file, json.dumps(manifest)) == [
            f"added {hash_of(text)} A",
            "1 added, 0 known.",
        ]
        assert self.texts() == {text}

    @pytest.mark.parametrize(
        "key", [hash_of("{ hello }"), f"sha256:{hash_of('{ hello }')}", "some name", "0" * 32]
    )
    def test_takes_an_object_of_texts(self, key: str, file: Path) -> None:
        self.run(file, json.dumps({key: "{ hello }"}))
        assert self.texts() == {"{ hello }"}

    def test_takes_the_operations_of_a_graphql_file_with_their_fragments(self, file: Path) -> None:
        said = self.run(
            file,
            "query A { ...F } query B { hello } fragment F on Query { ...G } fragment G on Query "
            "{ hello }",
        )
        assert said[-1] == "2 added, 0 known."
        assert self.texts() == {
            "query A {\n  ...F\n}\n\nfragment F on Query {\n  ...G\n}\n\n"
            "fragment G on Query {\n  hello\n}",
            "query B {\n  hello\n}",
        }

    def test_takes_a_query_without_a_name(self, file: Path) -> None:
        self.run(file, "{ hello }")
        assert self.texts() == {"{\n  hello\n}"}

    def test_says_what_was_known(self, file: Path) -> None:
        self.run(file, "query A { hello }")
        said = self.run(file, "query A { hello } query B { hello }")
        assert [line.split()[0] for line in said] == ["known", "added", "1"]
        assert said[-1] == "1 added, 1 known."

    def test_can_withdraw_the_others(self, file: Path) -> None:
        self.run(file, "query A { hello } query B { hello }")
        said = self.run(file, "query B { hello } query C { hello }", "--replace")
        assert said[-1] == "1 added, 1 known, 1 withdrawn."
        assert self.texts() == {"query B {\n  hello\n}", "query C {\n  hello\n}"}

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("", "Syntax Error"),
            ("{", "Expecting property name"),
            ("query A { hello } query {", "Syntax Error"),
            ("query A { hello } query B { bye }", "B: Cannot query field 'bye'"),
            ("{" + "hello " * 21 + "}", "The limit of fields at the root is 20"),
            ("[]", "expected a manifest"),
            ('{"a": 1}', "'a' is not a text"),
            ('{"a": "{ hello }", "b": "{"}', "Syntax Error"),
            (json.dumps({"0" * 64: "{ hello }"}), "is not the SHA-256"),
            ('{"format": "another", "operations": []}', "the format of the manifest"),
            ('{"format": "apollo-persisted-query-manifest"}', "no list of operations"),
            (
                '{"format": "apollo-persisted-query-manifest", "operations": [1]}',
                "an operation of the manifest is not an object",
            ),
            (b"\xff", "cannot be read"),
        ],
    )
    def test_registers_nothing_of_a_file_with_a_fault(
        self, text: str | bytes, complaint: str, file: Path
    ) -> None:
        with pytest.raises(CommandError, match=complaint):
            self.run(file, text)
        assert self.texts() == set()

    def test_says_that_there_is_no_file(self, file: Path) -> None:
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("trust_documents", str(file))

    def test_does_without_a_schema(
        self, file: Path, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(SCHEMA="")
        self.run(file, "{ bye }")
        assert self.texts() == {"{\n  bye\n}"}

    def test_says_that_there_is_no_such_schema(
        self, file: Path, realtime_settings: Callable[..., None]
    ) -> None:
        realtime_settings(SCHEMA="nowhere.schema")
        with pytest.raises(CommandError, match=r"REALTIME\['SCHEMA'\]: No module named 'nowhere'"):
            self.run(file, "{ hello }")
