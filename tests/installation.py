"""Install both lock files from nothing, as `make` does, where it is hardest: `make test-install`.

With the oldest pip that comes with Python 3.11, without caches, and with a newer version of every
locked package to be had. What is installed must be what the lock files name. It needs a network.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

OLDEST_PIP = "22.3"
"""Bundled with Python 3.11.0. No later Python than 3.11 can run it."""

NEWER = "99999.0"

LEFT_OVER = "clew-left-over"
"""A package that no lock file names."""

Pins = set[tuple[str, str]]


class Checkout:
    """What `make` needs to install, in a directory, with newer packages in another."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "checkout"
        self.path.mkdir()
        self.python = self.path / ".venv" / "bin" / "python"
        for file in (ROOT / "Makefile", *ROOT.glob("requirements*.lock")):
            shutil.copy(file, self.path)
        newer = directory / "newer"
        newer.mkdir()
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
            "PIP_FIND_LINKS": f"{os.environ.get('PIP_FIND_LINKS', '')} {newer}".strip(),
            "PIP_NO_CACHE_DIR": "1",
            "UV_FIND_LINKS": str(newer),
            "UV_CACHE_DIR": str(directory / "cache"),
        }
        for name in {name for name, _ in self.pins("", "-dev", "-uv")} | {LEFT_OVER}:
            write_wheel(newer, name)

    def run(self, *command: str | Path) -> str:
        """Return what a command writes; raises CalledProcessError."""
        return subprocess.run(
            command,
            cwd=self.path,
            env=self._environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout

    def make(self, target: str) -> None:
        """Make a target, and write how long it took."""
        begun = time.monotonic()
        self.run("make", "--silent", target)
        sys.stdout.write(f"make {target}: {time.monotonic() - begun:.1f} s\n")

    def pins(self, *kinds: str, everywhere: bool = False) -> Pins:
        """Return names and versions of lock files; `everywhere`: those of every system alone."""
        line = r"^([\w.-]+)==([^\s;]+) \\$" if everywhere else r"^([\w.-]+)==([^\s;]+)"
        texts = [(self.path / f"requirements{kind}.lock").read_text() for kind in kinds]
        return {pin for text in texts for pin in re.findall(line, text, re.MULTILINE)}

    def check(self, *kinds: str) -> None:
        """Compare what is installed with lock files; raises SystemExit."""
        listed = self.run(self.python, "-m", "pip", "list", "--format=freeze").split()
        installed = {
            (re.sub(r"[-_.]+", "-", name).lower(), version)
            for name, version in (line.split("==") for line in listed)
        }
        if ("pip", OLDEST_PIP) not in installed:
            raise SystemExit(f"pip is not {OLDEST_PIP}.")
        installed = {pin for pin in installed if pin[0] not in ("pip", "setuptools")}
        if unknown := installed - self.pins(*kinds):
            raise SystemExit(f"Installed, but not locked: {sorted(unknown)}")
        if missing := self.pins(*kinds, everywhere=True) - installed:
            raise SystemExit(f"Locked, but not installed: {sorted(missing)}")


def write_wheel(directory: Path, name: str) -> None:
    """Write an empty package of a version that is newer than any."""
    stem = f"{name.replace('-', '_')}-{NEWER}"
    with zipfile.ZipFile(directory / f"{stem}-py3-none-any.whl", "w") as wheel:
        files = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {NEWER}\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        for file, text in files.items():
            wheel.writestr(f"{stem}.dist-info/{file}", text)
        names = [f"{stem}.dist-info/{file}" for file in (*files, "RECORD")]
        wheel.writestr(names[-1], "".join(f"{each},,\n" for each in names))


def main() -> None:
    """Install, in a directory of its own, and end with a sentence if something is amiss."""
    if sys.version_info[:2] != (3, 11):
        version = sys.version.split()[0]
        sys.stdout.write(f"SKIPPED: pip {OLDEST_PIP} needs Python 3.11, and this is {version}.\n")
        return
    with tempfile.TemporaryDirectory() as directory:
        checkout = Checkout(Path(directory))
        checkout.run(sys.executable, "-m", "venv", ".venv")
        pip = (checkout.python, "-m", "pip", "install", "--quiet")
        checkout.run(*pip, f"pip=={OLDEST_PIP}")
        checkout.make(".venv/run")
        checkout.check("", "-uv")
        checkout.make(".venv/dev")
        checkout.check("-dev", "-uv")
        checkout.run(*pip, LEFT_OVER)
        (checkout.path / "requirements-dev.lock").touch()
        checkout.make(".venv/dev")
        checkout.check("-dev", "-uv")
    sys.stdout.write("What is installed is what the lock files name.\n")


if __name__ == "__main__":
    main()
