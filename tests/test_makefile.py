"""What `make` does by itself."""

import re
import subprocess
from pathlib import Path
from subprocess import PIPE

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(directory: Path, *arguments: str) -> str:
    command = ["make", "-f", str(ROOT / "Makefile"), *arguments]
    return subprocess.run(command, cwd=directory, check=True, stdout=PIPE, text=True).stdout


@pytest.mark.parametrize("arguments", [(), ("help",)], ids=["make", "make help"])
def test_targets_are_listed_with_what_they_do(arguments: tuple[str, ...], tmp_path: Path) -> None:
    described = re.findall(r"^([a-z-]+):.*?## (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^make (\S+) +(.+)$", run(tmp_path, *arguments), re.MULTILINE)
    assert listed == described


def test_bare_make_makes_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    assert not [*tmp_path.iterdir()]


def test_every_target_is_described() -> None:
    phony = re.search(r"^\.PHONY: (.+) FORCE$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    for target in phony[1].split():
        assert re.search(rf"^{target}:.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE), (
            target
        )
