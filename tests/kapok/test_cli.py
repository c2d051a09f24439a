"""The command line as a shell sees it: stdout, stderr, exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from real_service import Service

from kapok.command import Output, report
from kapok.errors import ApiError, JobCancelled, JobFailed, ServiceUnreachable, exit_status
from pipelines.errors import GateClosed, HashMismatch, KapokError

HEAVY = ("httpx", "numpy", "cv2", "av", "sqlalchemy", "fastapi", "dramatiq", "pydantic")


def kapok(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line without a terminal and without anything of the developer's."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KAPOK_")}
    return subprocess.run(
        [sys.executable, "-m", "kapok.cli", *words],
        capture_output=True,
        text=True,
        env={**clean, "LANG": "C", **environment},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ApiError(401, {"code": "api_key_invalid"}, None), 3),
        (ApiError(403, {"code": "forbidden"}, None), 3),
        (ApiError(404, {"code": "asset_not_found"}, None), 4),
        (ApiError(409, {"code": "upload_not_open"}, None), 5),
        (ApiError(409, {"code": "gate_closed"}, None), 7),
        (ApiError(412, {"code": "version_conflict"}, None), 5),
        (ApiError(422, {"code": "unknown_profile"}, None), 2),
        (ApiError(500, {}, None), 1),
        (JobFailed("x", {}), 6),
        (JobCancelled("x", {}), 6),
        (HashMismatch("x"), 6),
        (GateClosed("x"), 7),
        (ServiceUnreachable("x"), 1),
    ],
)
def test_every_error_has_its_exit_status(error: KapokError, status: int) -> None:
    """The table of DESIGN.md: 2 usage, 3 auth, 4 not found, 5 conflict, 6 job, 7 gate."""
    assert exit_status(error) == status


def test_help_loads_nothing_heavy() -> None:
    """`kapok --help` stays quick because commands import what they need when they run."""
    code = (
        "import sys; sys.argv = ['kapok', '--help']\n"
        "from kapok.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stderr.strip() == "[]"
    assert "upload" in done.stdout


def test_help_speaks_chinese() -> None:
    assert "上传文件" in kapok("--lang", "zh", "--help").stdout
    assert "上传文件" in kapok("--help", LANG="zh_CN.UTF-8").stdout


def test_a_wrong_option_is_usage() -> None:
    done = kapok("upload", "--no-such-option")

    assert done.returncode == 2
    assert done.stdout == ""


def test_without_a_key_every_way_to_give_one_is_told(tmp_path: Path) -> None:
    done = kapok("job", "list", KAPOK_DATA=str(tmp_path))

    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: no_api_key\n")
    assert "--api-key-file" in done.stderr


def test_a_problem_is_one_block_for_people(service: Service) -> None:
    """Code, cause and request id on stderr; nothing on stdout; not found is 4."""
    done = kapok("asset", "show", "ast_9", **{**service.environment, "KAPOK_API_KEY": "kpk_other"})

    assert done.returncode == 3
    assert done.stdout == ""
    first, title, *detail, request_id = done.stderr.splitlines()
    assert (first, title) == ("error: api_key_invalid", "  The API key is not valid")
    assert len(detail) == 1
    assert request_id.startswith("  request id: req_")


def test_a_problem_is_one_json_line_for_machines(service: Service) -> None:
    done = kapok(
        "asset", "show", "ast_9", "--json", **{**service.environment, "KAPOK_API_KEY": "kpk_other"}
    )

    error = json.loads(done.stderr)["error"]
    assert (error["code"], error["request_id"][:4]) == ("api_key_invalid", "req_")
    assert done.stdout == ""


def test_each_reason_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong field is named by its pointer; the reasons of a gate stand in the detail alone."""
    fields = [{"pointer": "/title", "detail": "too long"}, {"pointer": None, "detail": "needs 4K"}]
    problem = {"code": "gate_closed", "detail": "needs 4K", "errors": fields}

    report(Output(), ApiError(409, problem, "req_1"))

    assert capsys.readouterr().err == (
        "error: gate_closed\n  needs 4K\n  /title: too long\n  request id: req_1\n"
    )


def test_the_error_speaks_chinese(tmp_path: Path) -> None:
    done = kapok("job", "list", "--lang", "zh", KAPOK_DATA=str(tmp_path))

    assert done.stderr.startswith("错误：no_api_key\n")


def test_a_missing_file_is_not_found(service: Service) -> None:

    done = kapok("upload", "no.mov", **service.environment)

    assert done.returncode == 4
    assert "file_not_found" in done.stderr


def test_the_key_appears_nowhere(service: Service, tmp_path: Path) -> None:
    """Not in what is printed, and not on a command line that `ps` would show."""
    (tmp_path / "a.key").write_text("kpk_very_secret")

    done = kapok("job", "list", "--url", service.url, "--api-key-file", str(tmp_path / "a.key"))

    assert "kpk_very_secret" not in done.stdout + done.stderr


def test_a_pull_prints_one_object(service: Service, tmp_path: Path) -> None:
    """Data on stdout, progress on stderr, no control characters without a terminal."""
    published = service.publish({"a.mp4": b"abc"})

    done = kapok(
        "pull", "--centre", "foshan", "-o", str(tmp_path / "out"), "--json", **service.environment
    )

    assert done.returncode == 0
    record = json.loads(done.stdout)
    assert record["files"][0]["path"] == f"{published}/a.mp4"
    assert "fetching a.mp4" in done.stderr
    assert "\x1b" not in done.stderr


def test_the_version_is_the_packages() -> None:
    assert kapok("--version").stdout == "0.1.0\n"
