"""The command line as a shell sees it: stdout, stderr, exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import api_world
import pytest
from real_service import Service
from shell import ROOT, kapok

from kapok.command import Output, report
from kapok.errors import ApiError, JobCancelled, JobFailed, ServiceUnreachable, exit_status
from pipelines.errors import GateClosed, HashMismatch, KapokError

HEAVY = ("httpx", "numpy", "cv2", "av", "sqlalchemy", "fastapi", "dramatiq", "pydantic")


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


@pytest.mark.parametrize(
    "words",
    [
        ("upload", "{clip}", "--profiles", ""),
        ("asset", "encode", "ast_9", "--profiles", ","),
        ("zone", "create", "lost", "--centres", ""),
        ("zone", "create", "lost", "--require", " "),
        ("zone", "edit", "uhd-4k", "--centres", ""),
        ("zone", "edit", "uhd-4k", "--require", ""),
        ("plan", "{clip}", "--profile", ""),
    ],
)
def test_an_option_that_a_script_left_empty_is_usage(
    words: tuple[str, ...], service: Service, tmp_path: Path
) -> None:
    """It never means every centre, or whatever is usual."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"no more is read")
    done = kapok(*(word.format(clip=clip) for word in words), **service.environment)

    assert done.returncode == 2, done.stderr
    assert "leave the option out" in done.stderr
    assert "lost" not in kapok("zone", "list", "--json", **service.environment).stdout


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


def test_a_pull_since_a_cursor_brings_what_is_newer(service: Service, tmp_path: Path) -> None:
    """The one that the last pull printed; from the start, `0`, everything comes again."""
    where = ("--centre", "foshan", "--json")
    service.publish({"a.mp4": b"abc"})
    first = kapok("pull", *where, "-o", str(tmp_path / "a"), **service.environment)
    cursor = json.loads(first.stdout)["cursor"]
    second = service.publish({"b.mp4": b"def"})

    pulled = {
        since: kapok(
            *("pull", *where, "--since", since, "-o", str(tmp_path / f"from-{since}")),
            **service.environment,
        )
        for since in (cursor, "0")
    }

    files = {since: json.loads(done.stdout)["files"] for since, done in pulled.items()}
    assert [file["path"] for file in files[cursor]] == [f"{second}/b.mp4"]
    assert (tmp_path / f"from-{cursor}" / second / "b.mp4").read_bytes() == b"def"
    assert len(files["0"]) == 2


def test_a_pull_that_could_not_take_all_tells_both_and_ends_badly(
    service: Service, tmp_path: Path
) -> None:
    """What came and what failed on stdout, the reason on stderr, and the exit status 1."""
    bad, good = [service.publish({"a.mp4": b"abc"}) for _ in range(2)]
    service.fail(f"GET {service.place(bad)}", *[404] * 3)
    where = ("--centre", "foshan", "-o", str(tmp_path))

    done = kapok("pull", *where, "--json", **service.environment)

    record = json.loads(done.stdout)
    assert [file["publication_id"] for file in record["files"]] == [good]
    assert [failed["publication_id"] for failed in record["failed"]] == [bad]
    assert "pull_incomplete" in done.stderr
    assert "as asked" in done.stderr
    assert done.returncode == 1
    assert f"{bad}/a.mp4" in kapok("pull", *where, **service.environment).stdout


def test_a_job_is_watched_to_its_end(service: Service, tmp_path: Path) -> None:
    """The job stands on stdout, and the exit status says that it did not end well."""
    clip = tmp_path / "clip.mov"
    clip.write_bytes(b"x")
    sent = kapok("upload", str(clip), "--json", **service.environment)
    job = json.loads(sent.stdout)["job"]["id"]
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(kapok, "job", "watch", job, "--json", **service.environment)
        api_world.wait_until(lambda: service.count(f"GET /v1/jobs/{job}") > 0)
        cancelled = kapok("job", "cancel", job, **service.environment)
        assert cancelled.returncode == 0, cancelled.stderr
        done = watching.result()

    assert done.returncode == 6, done.stderr
    assert json.loads(done.stdout)["job"]["state"] == "cancelled"


def test_who_stops_waiting_for_a_job_knows_which_one_goes_on(
    service: Service, tmp_path: Path
) -> None:
    """Ctrl-C ends the wait alone; its id was known to nobody, and all went on unseen."""
    (tmp_path / "a.mov").write_bytes(b"x")
    argv = [sys.executable, "-m", "kapok.cli", "upload", "a.mov", "--wait"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **service.environment}

    with subprocess.Popen(
        argv, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        api_world.wait_until(lambda: service.count("GET /v1/jobs/") > 1, 20)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    listed = json.loads(kapok("job", "list", "--json", **service.environment).stdout)
    (job,) = (one["id"] for one in listed["data"])
    assert process.returncode == 130
    again, end = f"kapok job watch {job}", f"kapok job cancel {job}"
    assert said.splitlines()[-3:] == [
        f"job {job}",
        f"the job goes on: `{again}` follows it again, `{end}` ends it",
        "interrupted",
    ]
    assert kapok("job", "cancel", job, **service.environment).returncode == 0


def test_a_name_of_metadata_keeps_all_its_values(service: Service, tmp_path: Path) -> None:
    """Of two the last was kept, and the first lost without a word."""
    (tmp_path / "a.mov").write_bytes(b"x")
    given = [
        word for pair in ("creator=甲", "year=1962", "creator=乙") for word in ("--meta", pair)
    ]

    done = kapok("upload", "a.mov", *given, folder=tmp_path, **service.environment)

    assert done.returncode == 0, done.stderr
    (sent,) = service.uploads()
    assert sent.request["metadata"] == {"creator": ["甲", "乙"], "year": "1962"}


@pytest.mark.parametrize("word", ["--profile", "--profiles"])
@pytest.mark.parametrize(
    "command",
    ["plan gone.mov", "encode gone.mov -o out", "upload gone.mov", "asset encode ast_none"],
)
def test_profiles_are_asked_for_alike_everywhere(
    service: Service, tmp_path: Path, command: str, word: str
) -> None:
    """One spelling was for files here and the other for a service; now both are for both."""
    words = [*command.split(), word, "hd-avc-sdr,mobile-720p"]
    done = kapok(*words, folder=tmp_path, **service.environment)
    assert done.returncode == 4, done.stderr


@pytest.mark.parametrize("command", ["", "asset", "upload", "encode", "doctor", "events list"])
def test_help_asks_no_value_for_a_switch(command: str) -> None:
    """`--wait <bool>` reads as if `--wait true` were meant, which is an error."""
    done = kapok(*command.split(), "--help")
    assert done.returncode == 0
    assert "--help" in done.stdout
    assert "bool" not in done.stdout


@pytest.mark.parametrize("columns", ["60", "80"])
def test_help_in_chinese_is_whole(columns: str) -> None:
    """Without spaces to break at, half of the sentences ended in an ellipsis."""
    done = kapok("upload", "--help", "--lang", "zh", COLUMNS=columns)
    said = re.sub(r"\s+", "", done.stdout)
    for text in (
        "要生成的方案，逗号分隔。",
        "提供方的校验文件或清单；同名的 .sha256、.md5 会自动识别。",
        "或一个阶梯：cn-uhd-zone、archive、audio……",
        "文件之外的 SubRip、WebVTT、ASS、TTML 字幕。",
        "显示帮助后退出。",
    ):
        assert text.replace(" ", "") in said


def test_the_version_is_the_packages() -> None:
    assert kapok("--version").stdout == "0.1.0\n"


def test_a_problem_has_its_title_in_the_readers_language(service: Service) -> None:
    """The service translates titles; the detail under it names the ids."""
    done = kapok("asset", "show", "ast_9", "--lang", "zh", **service.environment)

    assert done.stderr.splitlines()[:2] == ["错误：asset_not_found", "  素材不存在"]
    assert "ast_9" in done.stderr


def test_an_unknown_language_is_usage() -> None:
    """Before the command as behind it."""
    assert kapok("--lang", "fr", "profile", "list").returncode == 2
    assert kapok("profile", "list", "--lang", "fr").returncode == 2


@pytest.mark.parametrize("command", [["pull", "--centre", "foshan"], ["encode", "a.mov"]])
def test_a_file_is_no_output_folder(service: Service, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "taken").touch()

    for place in ("taken", "taken/below"):
        done = kapok(*command, "-o", place, folder=tmp_path, **service.environment)
        assert done.returncode == 2, done.stderr
        assert "taken is a file" in done.stderr


def test_a_path_that_ends_in_a_slash_is_a_folder(service: Service, tmp_path: Path) -> None:
    """`-o newdir/` made a file of that name."""
    rendition = service.rendition(commands=[])

    done = kapok(
        "rendition", "download", rendition, "-o", "new/", folder=tmp_path, **service.environment
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new" / "mobile-540p.mp4").read_bytes() == b"rendition"


@pytest.mark.parametrize("name", ["磁带".encode("gb18030"), "磁\n带\\".encode()])
def test_a_file_of_any_name_is_uploaded(service: Service, tmp_path: Path, name: bytes) -> None:
    """Archive disks hold GB 18030, and line feeds and back slashes that no other system takes."""
    path = os.fsencode(tmp_path) + b"/" + name + b".mov"
    Path(os.fsdecode(path)).write_bytes(b"x")

    done = kapok("upload", path, "--json", **service.environment)

    assert done.returncode == 0, done.stderr
    row = service.upload()
    assert (row.file_name, row.title) in [("磁带.mov", "磁带"), ("磁_带_.mov", "磁_带_")]


def test_texts_of_a_terminal_in_gb18030_are_sent_as_what_they_mean(
    service: Service, tmp_path: Path
) -> None:
    (tmp_path / "a.mov").write_bytes(b"x")
    title = "岭南".encode("gb18030")

    sent = kapok("upload", "a.mov", "--title", title, folder=tmp_path, **service.environment)
    found = kapok("asset", "list", "--text", title, **service.environment)

    assert (sent.returncode, found.returncode) == (0, 0), sent.stderr + found.stderr
    assert service.upload().title == "岭南"


def test_an_ascii_stdout_takes_chinese(service: Service) -> None:
    """Python would raise at the first character where the locale is no UTF-8."""
    service.asset(title="岭南春早")

    done = kapok("asset", "list", PYTHONIOENCODING="ascii", **service.environment)

    assert done.returncode == 0, done.stderr
    assert "岭南春早" in done.stdout


def test_a_profile_of_ones_own_is_validated_whole(tmp_path: Path) -> None:
    """Every fault with its field; 2 where there is one, 0 where there is none, 4 without a file."""
    good = (files("pipelines") / "profiles/mobile-540p.toml").read_text("utf-8")
    version = tomllib.loads(good)["version"]
    mine, wrong = tmp_path / "mine.toml", tmp_path / "wrong.toml"
    mine.write_text(good.replace("mobile-540p", "foshan-540p"), "utf-8")
    wrong.write_text(good.replace('"medium"', '"-vf x"').replace("crf = 23", "crf = 99"), "utf-8")

    both = kapok("profile", "validate", str(mine), str(wrong), "--json")
    right, absent = kapok("profile", "validate", str(mine)), kapok("profile", "validate", "no.toml")

    found = json.loads(both.stdout)["data"]
    assert [(one["profile"], len(one["faults"])) for one in found] == [
        ("foshan-540p", 0),
        (None, 2),
    ]
    assert found[1]["faults"][0].startswith("video.preset is '-vf x': ultrafast, superfast")
    assert found[1]["faults"][1] == "video.crf is 99: 0 to 51"
    assert (both.returncode, right.returncode, absent.returncode) == (2, 0, 4)
    assert f"foshan-540p v{version} " in right.stdout


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("profile list --json >&-", 0),
        ("profile list >&-", 0),
        ("profile show no-such-one 2>&-", 2),
        ("profile list --json <&- >&- 2>&-", 0),
    ],
)
def test_a_closed_stream_leads_nowhere(words: str, status: int) -> None:
    """No traceback, and no text in a file that happens to get the descriptor."""
    code = f'exec "{sys.executable}" -m kapok.cli {words}'

    done = subprocess.run(["sh", "-c", code], capture_output=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (status, b"")


def test_an_early_interrupt_is_no_traceback() -> None:
    """Ctrl-C while the commands still load: exit status 130, nothing on stderr."""
    code = (
        "import sys, _thread\n"
        "class Ctrl:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Ctrl())\n"
        "from kapok.cli import main\n"
        "main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (130, "")


def test_a_zone_is_edited_by_what_is_given(service: Service) -> None:
    """Profiles are a list or any, centres a list or everybody; without any option there is nothing
    to change.
    """

    def edited(*words: str) -> dict[str, object]:
        done = kapok("zone", "edit", "hd", *words, "--json", **service.environment)
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return {name: found[name] for name in ("title", "required_profiles", "centres")}

    first = edited("--title", "高清", "--centres", "foshan,zhuhai")
    required = ["hd-avc-sdr", "mobile-1080p"]
    given = {"title": "高清", "required_profiles": required, "centres": ["foshan", "zhuhai"]}
    assert first == given
    second = edited("--require", "mobile-1080p", "--all-centres")
    assert second == {**given, "required_profiles": ["mobile-1080p"], "centres": None}
    third = edited("--any-profile")
    assert third == {**second, "required_profiles": []}
    both = (
        ("--centres", "foshan", "--all-centres"),
        ("--require", "hd-avc-sdr", "--any-profile"),
    )
    for words in ((), *both):
        refused = kapok("zone", "edit", "hd", *words, **service.environment)
        assert refused.returncode == 2
        assert refused.stderr.startswith("error: usage\n")


def test_a_zone_that_asks_for_nothing_says_so(service: Service) -> None:
    """On stderr, and for people alone: whoever forgot --require learns how to mend it."""
    open_zone = kapok("zone", "create", "open", **service.environment)
    closed = kapok("zone", "create", "shut", "--require", "hd-avc-sdr", **service.environment)
    for_machines = kapok("zone", "create", "more", "--json", **service.environment)

    assert "kapok zone edit open --require" in open_zone.stderr
    assert (closed.stderr, for_machines.stderr) == ("", "")


def test_publications_are_listed_by_asset_zone_and_state(service: Service) -> None:
    first, second = service.publish({"a.mp4": b"a"}), service.publish({"b.mp4": b"b"})
    kapok("publication", "withdraw", first, **service.environment)

    def listed(*words: str) -> list[str]:
        done = kapok("publication", "list", *words, "--json", **service.environment)
        assert done.returncode == 0, done.stderr
        return [record["id"] for record in json.loads(done.stdout)["data"]]

    assert listed("--limit", "1") == [second]
    assert listed("--state", "withdrawn") == [first]
    assert listed("--zone", "uhd-4k") == [second, first]
    assert listed("--zone", "hd") == []
    shown = json.loads(kapok("publication", "show", first, "--json", **service.environment).stdout)
    assert listed("--asset", shown["asset_id"]) == [first]
    table = kapok("publication", "list", "--state", "published", **service.environment).stdout
    assert (first in table, second in table) == (False, True)
    unknown = kapok("publication", "list", "--state", "gone", **service.environment)
    assert unknown.returncode == 2
    assert "invalid_request" in unknown.stderr


def test_a_job_of_an_asset_asks_for_all_that_the_service_offers(service: Service) -> None:
    """Its zone, whether it replaces what is there, and no scores; then jobs are found by state."""
    asset = service.asset()
    words = ("--profiles", "mobile-540p", "--zone", "mobile", "--replace", "--no-scores")
    done = kapok("asset", "encode", asset, *words, "--json", **service.environment)

    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    asked = {name: job["request"][name] for name in ("zone", "replace", "scores")}
    assert asked == {"zone": "mobile", "replace": True, "scores": False}
    for state, there in (("queued", True), ("cancelled", False)):
        found = kapok("job", "list", "--state", state, "--json", **service.environment)
        ids = [record["id"] for record in json.loads(found.stdout)["data"]]
        assert (job["id"] in ids) == there
