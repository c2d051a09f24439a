"""`kapok profile add`, `available` and `withdraw` against a real service."""

from __future__ import annotations

import json
from pathlib import Path

from real_service import Service
from shell import kapok

from api.models.profiles import PROFILE_EXAMPLE

OWN = "own-listening-copy"


def written(tmp_path: Path, old: str = "", new: str = "") -> str:
    path = tmp_path / "profile.toml"
    path.write_text(str(PROFILE_EXAMPLE["toml"]).replace(old, new), encoding="utf-8")
    return str(path)


def test_a_profile_is_added_shown_and_withdrawn(service: Service, tmp_path: Path) -> None:
    """And said to be one's own, with whether it can be made."""
    done = kapok("profile", "add", written(tmp_path), "--json", **service.environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == OWN

    shown = kapok("profile", "available", **service.environment)
    (line,) = [line for line in shown.stdout.splitlines() if OWN in line]
    assert line.split() == [OWN, "v1", "not", "proven", "yet,", "your", "own"]

    done = kapok("profile", "withdraw", OWN, **service.environment)
    assert done.returncode == 0, done.stderr
    assert OWN in done.stdout
    assert OWN not in kapok("profile", "available", **service.environment).stdout


def test_a_wrong_profile_is_not_even_sent(service: Service, tmp_path: Path) -> None:
    """Every fault at once, by its field; without a service too."""
    path = written(tmp_path, "sample_rate_hz = 48000", "sample_rate_hz = 12")
    done = kapok("profile", "add", path, **service.environment)
    assert done.returncode != 0
    assert done.stderr.startswith("error: invalid_profile\n")
    assert "audio[0].sample_rate_hz is 12" in done.stderr


def test_a_name_without_the_prefix_is_refused_by_the_service(
    service: Service, tmp_path: Path
) -> None:
    done = kapok("profile", "add", written(tmp_path, OWN, "house-copy"), **service.environment)
    assert done.returncode != 0
    assert "begin with 'own-'" in done.stderr
