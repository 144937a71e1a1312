"""Print the schema, as editors and code generators read it."""

from argparse import ArgumentParser
from difflib import unified_diff
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from graphql import print_schema

from realtime.management.schema import project_schema


class Command(BaseCommand):
    """Print the schema in the schema definition language, with its descriptions."""

    help = (
        'Print the schema that REALTIME["SCHEMA"] names, as it is served: with the argument '
        "`after` of live fields, and with descriptions."
    )
    requires_system_checks = []  # it reads neither the database nor the channel layer

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--out", type=Path, metavar="FILE", help="write it to a file instead")
        either.add_argument(
            "--check", type=Path, metavar="FILE", help="fail unless the file holds this schema"
        )

    def handle(self, *, out: Path | None, check: Path | None, **_: Any) -> None:
        """Run the command."""
        schema = project_schema()
        if schema is None:
            raise CommandError("Set REALTIME['SCHEMA'], as 'project.schema.schema'.")
        text = print_schema(schema) + "\n"
        if check is not None:
            self._compare(check, text)
        elif out is not None:
            try:
                out.write_text(text, "utf-8")
            except OSError as error:
                raise CommandError(f"{out} cannot be written: {error}") from None
        else:
            self.stdout.write(text, ending="")

    def _compare(self, file: Path, text: str) -> None:
        try:
            found = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from None
        if found != text:
            lines = found.splitlines(keepends=True), text.splitlines(keepends=True)
            self.stdout.writelines(unified_diff(*lines, str(file), "the schema"))
            raise CommandError(f"{file} is out of date: manage.py print_schema --out {file}")
