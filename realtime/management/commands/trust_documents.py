"""Register documents that clients may name by their hashes."""

import json
import re
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from graphql import (
    GraphQLError,
    OperationDefinitionNode,
    parse,
    print_ast,
    separate_operations,
    specified_rules,
)

from realtime.conf import get_settings
from realtime.documents import DocumentCache
from realtime.management.schema import project_schema
from realtime.models import TrustedDocument
from realtime.trusted import hash_of


class Command(BaseCommand):
    """Register documents: all of a file, or none where one of them is wrong."""

    help = (
        "Register the documents of a file: a manifest of Apollo's persisted queries, a JSON "
        "object of texts by their hashes, or a .graphql file, of which each operation becomes a "
        "document with the fragments that it uses."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--replace", action="store_true", help="withdraw the documents that it does not hold"
        )

    def handle(self, *, file: Path, replace: bool, **_: Any) -> None:
        """Run the command."""
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from None
        try:
            documents = {hash_of(document): document for document in _texts(text)}
            names = {hash: _name(document) for hash, document in documents.items()}
        except (ValueError, GraphQLError) as error:
            raise CommandError(f"{file}: {error}") from None
        judge = _judge()
        for hash, document in documents.items():
            if faults := judge(document):
                raise CommandError(f"{file}: {names[hash] or hash}: {'; '.join(faults)}")
        with transaction.atomic():
            others = TrustedDocument.objects.exclude(hash__in=documents)
            withdrawn = others.delete()[0] if replace else 0
            known = TrustedDocument.objects.in_bulk(documents.keys())
            TrustedDocument.objects.bulk_create(
                (
                    TrustedDocument(hash=hash, text=text)
                    for hash, text in documents.items()
                    if hash not in known
                ),
                ignore_conflicts=True,
            )
        for hash, name in names.items():
            said = "known" if hash in known else "added"
            self.stdout.write(f"{said} {hash} {name}".rstrip())
        counts = f"{len(documents) - len(known)} added, {len(known)} known"
        self.stdout.write(f"{counts}, {withdrawn} withdrawn." if replace else f"{counts}.")


def _texts(text: str) -> Iterator[str]:
    """Yield the documents of a file. Raises ValueError or GraphQLError."""
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")) or _is_graphql(text):
        for document in separate_operations(parse(text)).values():
            yield print_ast(document)
        return
    for given, document in _pairs(json.loads(text)):
        if not isinstance(document, str):
            raise ValueError(f"the document {given!r:.80} is not a text")
        hash = given.removeprefix("sha256:").lower()
        if re.fullmatch("[0-9a-f]{64}", hash) and hash != hash_of(document):
            raise ValueError(f"{given:.80} is not the SHA-256 of its document")
        yield document


def _is_graphql(text: str) -> bool:
    """Tell a query without a name, which begins as JSON does, from JSON."""
    try:
        parse(text)
    except GraphQLError:
        return False
    return True


def _pairs(manifest: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(manifest, dict):
        raise ValueError("expected a manifest or an object of texts by their hashes")
    if "operations" not in manifest and "format" not in manifest:
        yield from manifest.items()
        return
    operations = manifest.get("operations")
    if manifest.get("format") != "apollo-persisted-query-manifest":
        raise ValueError("the format of the manifest is not apollo-persisted-query-manifest")
    if not isinstance(operations, list):
        raise ValueError("the manifest has no list of operations")
    for operation in operations:
        if not isinstance(operation, dict):
            raise ValueError("an operation of the manifest is not an object")
        yield str(operation.get("id")), operation.get("body")


def _judge() -> Callable[[str], list[str]]:
    """Return what tells why a document would be refused."""
    schema = project_schema()
    if schema is None:
        return lambda _: []  # parsing has told
    documents = DocumentCache(schema, replace(get_settings(), trusted_only=False))

    def judge(text: str) -> list[str]:
        try:
            document = documents.document(text)
        except GraphQLError as error:
            return [error.message]
        return [error.message for error in documents.validate(schema, document, specified_rules)]

    return judge


def _name(text: str) -> str:
    names = [
        definition.name.value
        for definition in parse(text).definitions
        if isinstance(definition, OperationDefinitionNode) and definition.name
    ]
    return ", ".join(names)
