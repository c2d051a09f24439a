"""What the Dockerfile copies is enough to build Kapok, and what it makes runs as nobody special."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")


def copied() -> list[str]:
    """What .dockerignore lets through to the build."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def test_the_image_runs_as_a_numbered_user_that_is_not_root() -> None:
    """Kubernetes proves `runAsNonRoot` by the number alone."""
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert "useradd --uid 10001" in DOCKERFILE


def test_every_package_comes_by_its_hash() -> None:
    """Each install checks hashes, or is Kapok's own wheel without dependencies."""
    commands = DOCKERFILE.replace("\\\n", " ")
    installs = re.findall(r"pip install [^&\n]+", commands)
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-deps /wheel/kapok-" in line for line in installs)


def test_the_wheel_has_everything_that_kapok_reads_at_run_time(tmp_path: Path) -> None:
    """Built from what .dockerignore lets through, with the Dockerfile's own command."""
    source = tmp_path / "src"
    source.mkdir()
    for name in copied():
        place = ROOT / name
        if place.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(place, source / name, ignore=ignored)
        else:
            shutil.copy(place, source)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*build, "--wheel-dir", tmp_path, source], check=True, capture_output=True, cwd=tmp_path
    )
    (wheel,) = tmp_path.glob("kapok-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert [name for name in read_at_run_time() if name not in packed] == []


def read_at_run_time() -> list[str]:
    """Every module and data file of the packages."""
    packages = [ROOT / name for name in copied() if (ROOT / name).is_dir()]
    files = [file for package in packages for file in package.rglob("*") if file.is_file()]
    kept = [file for file in files if "__pycache__" not in file.parts]
    return sorted(str(file.relative_to(ROOT)) for file in kept)
