"""`manage.py print_schema`: the schema as it is served, for editors and code generators."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from graphql import build_schema

ROOT = Path(__file__).resolve().parents[2]


def printed(*arguments: object) -> str:
    out = StringIO()
    call_command("print_schema", *arguments, stdout=out)
    return out.getvalue()


def test_what_is_printed_is_the_schema_with_the_cursor_of_live_fields() -> None:
    schema = build_schema(printed())
    assert schema.subscription_type is not None
    after = schema.subscription_type.fields["getOrder"].args["after"]
    assert str(after.type) == "String"
    assert after.description is not None
    assert "cursor" in after.description


def test_the_committed_file_is_the_schema() -> None:
    assert (ROOT / "schema.graphql").read_text("utf-8") == printed()


def test_it_can_be_written_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    assert printed("--out", file) == ""
    assert file.read_text("utf-8") == printed()


def test_a_file_that_holds_the_schema_passes(tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    file.write_text(printed(), "utf-8")
    assert printed("--check", file) == ""


def test_a_file_that_is_out_of_date_fails_with_the_difference(tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    file.write_text(printed().replace("hello: String!", "hello: String"), "utf-8")
    out = StringIO()
    with pytest.raises(CommandError, match=r"is out of date: manage\.py print_schema --out"):
        call_command("print_schema", "--check", file, stdout=out)
    assert "-  hello: String\n+  hello: String!\n" in out.getvalue()


@pytest.mark.parametrize("option", ["--out", "--check"])
def test_a_file_that_cannot_be_used_is_named(option: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"{tmp_path}.* cannot be"):
        printed(option, tmp_path)


@pytest.mark.parametrize(
    ("schema", "error"),
    [
        ("", r"Set REALTIME\['SCHEMA'\]"),
        ("nowhere.schema", r"REALTIME\['SCHEMA'\]: No module named 'nowhere'"),
        ("django_project.schema.settings", r"which is not a GraphQLSchema"),
    ],
)
def test_a_setting_that_names_no_schema_is_told(
    schema: str, error: str, realtime_settings: Callable[..., None]
) -> None:
    realtime_settings(SCHEMA=schema)
    with pytest.raises(CommandError, match=error):
        printed()
