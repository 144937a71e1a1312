"""What the documentation says and could drift from the source."""

import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management.base import BaseCommand
from graphql import parse, validate

from django_project.pages import rendered
from realtime.conf import Settings
from realtime.limits import Limit
from realtime.management.commands.serve import Command
from realtime.metrics import RealtimeCollector
from realtime.protocols import CloseCode
from realtime.protocols.error_codes import ErrorCode

ROOT = Path(__file__).resolve().parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text()


def test_every_close_code_of_the_protocol_is_listed() -> None:
    listed = set(re.findall(r"^\| (\d{4}) \|", text("docs/guarantees.md"), re.MULTILINE))
    assert listed == {str(code.value) for code in CloseCode if code >= 4000}


def test_every_code_of_an_error_is_listed() -> None:
    listed = re.findall(r"^\| `([A-Z_]+)` \|", text("docs/errors.md"), re.MULTILINE)
    assert listed == [str(code) for code in ErrorCode]


def test_every_limit_has_a_code() -> None:
    assert {limit.name for limit in Limit} <= {code.name for code in ErrorCode}


def test_no_code_of_an_error_is_written_out_elsewhere() -> None:
    literal = re.compile(rf"""["']({"|".join(ErrorCode)})["']""")
    packages = ("realtime", "accounts", "messaging", "orders", "django_project")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert len(sources) > 100
    assert [str(path) for path in sources if literal.search(path.read_text())] == []


def test_every_code_is_one_of_the_list() -> None:
    """Also those that somebody makes up beside it."""
    packages = ("realtime", "accounts", "messaging", "orders", "django_project")
    made_up = re.compile(r"""["']code["']: *["']|\bcode=["']""")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert [str(path) for path in sources if made_up.search(path.read_text())] == []


def test_every_setting_is_listed_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| `(\S+)` \|", text("docs/settings.md").partition("## REALTIME")[2], re.MULTILINE))  # fmt: skip  # noqa: E501
    assert rows == {
        field.name.upper(): repr(field.default).replace("'", '"') for field in fields(Settings)
    }


def test_every_limit_is_listed_with_its_setting() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`([A-Z_]+)`)? ?\|", text("docs/security.md"), re.MULTILINE)  # fmt: skip  # noqa: E501
    assert rows == [
        (limit.name, setting.upper() if isinstance(setting := limit.value[0], str) else "")
        for limit in Limit
    ]


STAGES = ["head", "handshake", "body", "frame", "document", "execution", "result", "unread"]
LIMIT_ROW = r"^\| (\w+) \| [^|]+ \| [^|]+ \| `([\d.]+)` \| `([\w.]+)` \| `([\w/]+\.py)::(\w+)` \|$"


def limit_rows() -> list[tuple[str, str, str, str, str]]:
    table = text("docs/security.md").partition("### Every limit")[2].partition("\n### ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    rows = [match.groups() for line in lines if (match := re.match(LIMIT_ROW, line))]
    assert len(rows) == len(lines) > 30, "a row of the table has another form"
    return rows  # type: ignore[return-value]


def test_the_table_of_limits_goes_through_the_stages_in_order() -> None:
    stages = [stage for stage, *_ in limit_rows()]
    assert stages == sorted(stages, key=STAGES.index)
    assert set(stages) == set(STAGES)


@pytest.mark.parametrize(("default", "name"), [row[1:3] for row in limit_rows()])
def test_every_limit_of_the_table_has_its_default(default: str, name: str) -> None:
    module, _, constant = name.rpartition(".")
    engine = {field.name.upper(): field.default for field in fields(Settings)}
    if module:
        value = getattr(import_module(module), constant)
    else:
        value = engine[name] if name in engine else getattr(settings, name)
    assert str(value) == default


@pytest.mark.parametrize(("file", "test"), sorted({row[3:] for row in limit_rows()}))
def test_every_limit_of_the_table_has_its_test(file: str, test: str) -> None:
    assert re.search(rf"def {test}\(", text(file))


def test_every_variable_of_the_environment_is_listed() -> None:
    read = re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', text("django_project/settings.py"))
    listed = re.findall(r"^\| `([A-Z_]+)` ", text("docs/settings.md").partition("## REALTIME")[0], re.MULTILINE)  # fmt: skip  # noqa: E501
    assert sorted(set(read)) == sorted(listed)


def test_every_option_of_serve_is_listed_with_its_default() -> None:
    row = r"^\| `(--[a-z-]+)` \| `?([^`|]+?)`? \|"
    rows = re.findall(row, text("docs/settings.md"), re.MULTILINE)
    own = Command().create_parser("manage.py", "serve")
    others = BaseCommand().create_parser("manage.py", "other")
    names = {name for action in others._actions for name in action.option_strings}
    said = {None: "none", False: "off"}
    assert rows == [
        (action.option_strings[0], said.get(action.default, str(action.default)))
        for action in own._actions
        if names.isdisjoint(action.option_strings)
    ]


def test_every_metric_is_listed_with_its_type() -> None:
    rows = re.findall(r"^\| `(realtime_\w+)` \| (\w+) \|", text("docs/operations.md"), re.MULTILINE)
    assert rows == [
        (metric.name + "_total" * (metric.type == "counter"), metric.type)
        for metric in RealtimeCollector().collect()
    ]


def test_every_page_is_in_the_index_once() -> None:
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    linked = re.findall(r"\]\((\w[\w-]*\.md)\)", text("docs/index.md"))
    assert sorted(linked) == sorted(pages)


def test_the_operations_of_the_readme_are_valid() -> None:
    from django_project.schema import schema

    operations = re.search(r"```graphql\n(.*?)```", text("README.md"), re.DOTALL)
    assert operations
    for operation in operations[1].strip().splitlines():
        assert validate(schema, parse(operation)) == [], operation


@pytest.mark.parametrize(
    "target",
    [
        *("run", "test", "test-newest", "test-install", "bench"),
        *("check", "audit", "format", "lock", "graphiql"),
    ],
)
def test_the_commands_are_there(target: str) -> None:
    assert f"make {target}" in text("README.md") + text("CONTRIBUTING.md")
    assert re.search(rf"^{target}:", text("Makefile"), re.MULTILINE)


def test_ci_calls_the_commands_of_the_readme() -> None:
    assert "\nmake check\nmake test\n" in text(".ci/run")


def test_ci_tests_the_newest_versions_and_the_installation() -> None:
    assert "\nmake test-install\n" in text(".ci/run")
    assert "make test-newest" in text(".ci/run")


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert link.startswith("http://127.0.0.1:8000/") or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_links_to_headings_lead_somewhere(page: Path) -> None:
    for name, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        linked = page.parent / name if name else page
        assert f' id="{anchor}">' in rendered(linked.read_text())["content"], anchor


@pytest.mark.parametrize(
    "name",
    [
        "requirements.lock",
        "requirements-dev.lock",
        "requirements-uv.lock",
        "graphiql/package-lock.json",
        "tests/clients/package-lock.json",
    ],
)
def test_a_lock_file_names_no_host(name: str) -> None:
    assert not re.search(r"--(extra-)?index-url|--find-links|\"resolved\"", text(name))
