"""The package in a project of one's own, in fresh virtual environments, with extras and without."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import ROOT
from tests.harness.services import require

SETTINGS = """
SECRET_KEY = "somebody-else's"
INSTALLED_APPS = [*{apps}, "channels", "realtime", "django.contrib.contenttypes",
                  "django.contrib.auth", "django.contrib.staticfiles"]
ASGI_APPLICATION = "shop.asgi.application"
CHANNEL_LAYERS = {{"default": {{"BACKEND": "channels.layers.InMemoryChannelLayer"}}}}
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}}}
STATIC_URL = "static/"
"""


def metadata() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


class Project:
    """A Django project on the package alone."""

    def __init__(self, directory: Path, extras: str, apps: list[str]) -> None:
        self._directory = directory
        self._python = directory / "venv" / "bin" / "python"
        uv = require("uv", shutil.which("uv", path=Path(sys.executable).parent))
        source = directory / "source"
        source.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "realtime", source / "realtime", ignore=ignored)
        self.run(uv, "venv", "--quiet", "--python", sys.executable, "venv")
        said = self.run(
            *(uv, "pip", "install", "--quiet", "--python", self._python),
            # Of these versions everything is in the cache.
            *("--constraint", ROOT / "requirements.lock", f"{source}{extras}"),
        )
        if "Failed to fetch" in said:
            require("An index of packages", None)
        assert "error" not in said, said
        (directory / "settings.py").write_text(SETTINGS.format(apps=apps))

    def run(self, *command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=self._directory, capture_output=True, text=True, timeout=300
        )
        return f"{done.stdout}{done.stderr}"

    def manage(self, *arguments: str) -> str:
        options = ("--settings", "settings", "--pythonpath", ".")
        return self.run(self._python, "-m", "django", *arguments, *options)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("bare"), "", apps=[])


@pytest.fixture(scope="module")
def equipped(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("equipped"), "[daphne,serve]", apps=["daphne"])


def test_package_without_extras_passes_the_checks(bare: Project) -> None:
    assert "no issues" in bare.manage("check")


def test_package_without_extras_names_the_extra_that_serves(bare: Project) -> None:
    said = bare.manage("serve")
    assert "manage.py serve needs uvicorn and websockets: install clew[serve]" in said
    assert "Traceback" not in said


def test_installed_apps_of_the_documentation_come_with_the_extras(equipped: Project) -> None:
    assert "no issues" in equipped.manage("check")
    assert "daphne" in equipped.manage("runserver", "--help")


def test_server_comes_with_its_extra(equipped: Project) -> None:
    said = equipped.manage("serve")
    assert "No module named 'shop'" in said  # Uvicorn has begun to import the application


def test_package_may_be_used_with_the_supported_versions_of_django() -> None:
    classified = [line for line in metadata()["classifiers"] if re.search(r"Django :: \d", line)]
    assert classified == [f"Framework :: Django :: {version}" for version in ("5.2", "6.0", "6.1")]
    assert "django>=5.2,<6.2" in metadata()["dependencies"]


def test_every_extra_of_the_documentation_is_there() -> None:
    page = (ROOT / "docs" / "live-models.md").read_text()
    listed = re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE)
    assert {*listed, "project"} == metadata()["optional-dependencies"].keys()
