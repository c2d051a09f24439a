"""What users wrote is shown as it is: no markup, no commands to the terminal."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import servers
from minio import Minio
from minio.versioningconfig import VersioningConfig
from real_service import Service
from rich.console import Console
from shell import kapok

from kapok import language
from kapok.command import Output
from kapok.doctor import examine, record
from kapok.language import Language
from kapok.live import job_progress, transfers
from kapok.show_jobs import folded, job, step_name, waits
from kapok.transfer import Transfer
from kapok.ways_out import WAYS_OUT
from pipelines.planning.plan import plan
from pipelines.profiles import profile
from pipelines.profiles.profile import load_profiles
from storage.objects import open_store
from storage.settings import load_settings
from tests.pipelines.sources import HD, described
from workers.steps.plan import steps_of

TITLE = "Tape 7 [/b] side A [restored] :tape: \x1b[31mred\x9b"
SHOWN = "Tape 7 [/b] side A [restored] :tape: \ufffd[31mred\ufffd"
READ_BACK = [
    "file          mobile-540p.mp4",
    f"SHA-256       {hashlib.sha256(b'rendition').hexdigest()}",
    "length        0:00:03.0",
    "frames        75",
    "pixel format  yuv420p",
    "colour        primaries bt709, transfer bt709, matrix bt709, range tv",
    "sound         aac 2ch 48000 Hz chi  -23.9 LKFS, -2.5 dBTP",
    "subtitles     mov_text  eng  forced",
    "captions      cea-608",
    "timecode      10:00:00:00",
]


def test_a_title_is_listed_and_shown_as_it_was_written(service: Service) -> None:
    """Brackets are no markup, colons no emoji, and an escape sequence is seen, not obeyed."""
    asset = service.asset(title=TITLE)

    for words in (("asset", "list"), ("asset", "show", asset)):
        done = kapok(*words, **service.environment)
        assert done.returncode == 0, done.stderr
        assert SHOWN in done.stdout


def test_the_filters_of_a_command_are_whole(service: Service) -> None:
    """`[s0]` names a stream in an ffmpeg filter; a command is printed on one line to be copied."""
    argv = ["ffmpeg", "-filter_complex", f"[0:v]split[s0][s1];{'[s0]null[s0];' * 30}[s1]null[v]"]
    rendition = service.rendition(commands=[argv])

    done = kapok("rendition", "show", rendition, **service.environment)

    assert done.returncode == 0, done.stderr
    assert f"'{argv[2]}'" in done.stdout


def test_a_rendition_says_what_was_read_back_of_it(service: Service) -> None:
    """The hash to compare a copy by, and what else its table has no room for."""
    rendition = service.rendition(commands=[])

    done = kapok("rendition", "show", rendition, **service.environment)

    assert done.returncode == 0, done.stderr
    rows = [line.rstrip() for line in done.stdout.splitlines()]
    assert [row for row in rows if row in READ_BACK] == READ_BACK


def test_the_log_of_a_job_breaks_no_line(service: Service) -> None:
    """Piped, a command is one line however long it is."""
    argv = ["ffmpeg", "-i", "/tmp/" + "a" * 300, "[out]"]
    job = service.job_with_step(command=argv, log_tail="line [one]\n\x1b[2Jline two")

    done = kapok("job", "log", job, **service.environment)

    assert done.returncode == 0, done.stderr
    assert f"ffmpeg -i {argv[2]} '[out]'\n" in done.stdout
    assert "line [one]\n\ufffd[2Jline two\n" in done.stdout


def test_what_is_wrong_with_a_source_is_shown_where_people_look(service: Service) -> None:
    """A damaged one may become ready, scored and published: the screens on that way say it."""
    found, decided = "the decoder reported 56 errors", "3 pictures cannot be decoded whole"
    asset, job = service.damaged(found, decided)

    shown = kapok("asset", "show", asset, **service.environment)
    planned = kapok("job", "show", job, **service.environment)
    ended = kapok("job", "watch", job, **service.environment)

    assert [done.returncode for done in (shown, planned, ended)] == [0, 0, 0], ended.stderr
    assert re.search(rf"^findings +{found} *$", shown.stdout, re.MULTILINE)
    assert re.search(rf"^decisions +{decided} *$", planned.stdout, re.MULTILINE)
    assert re.search(rf"^findings +{found} *$", ended.stdout, re.MULTILINE)
    assert re.search(rf"^decisions +kapok job show {job} *$", ended.stdout, re.MULTILINE)


def test_an_asset_that_is_not_ready_says_why_and_what_next(service: Service) -> None:
    """Others that failed later are not meant."""
    error = {"code": "tool_failed", "detail": "ffmpeg ended with 1", "retryable": True}
    asset, job = service.ended("failed", error)
    service.ended("failed", {**error, "detail": "of another one"})
    stopped, stopped_job = service.ended("cancelled")

    failed = kapok("asset", "show", asset, **service.environment)
    chinese = kapok("asset", "show", asset, "--lang", "zh", **service.environment)
    cancelled = kapok("asset", "show", stopped, **service.environment)

    rows = [line.strip() for line in failed.stdout.splitlines()]
    for row in (f"job    {job}", "error  tool_failed: ffmpeg ended with 1"):
        assert row in rows
    assert rows[rows.index(f"next   kapok job show {job}") + 1] == f"kapok job retry {job}"
    assert WAYS_OUT["tool_failed"] in chinese.stdout
    assert f"kapok job retry {stopped_job}" in cancelled.stdout
    assert "error" not in cancelled.stdout


def test_the_jobs_of_one_asset_are_listed(service: Service) -> None:
    asset, job = service.ended("cancelled")
    service.ended("cancelled")
    words = ("job", "list", "--asset", asset, "--json")

    listed = kapok(*words, **service.environment)
    done = kapok(*words, "--state", "done", **service.environment)

    assert [one["id"] for one in json.loads(listed.stdout)["data"]] == [job]
    assert json.loads(done.stdout)["data"] == []


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Stderr as rich sees a terminal."""
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return screen


def test_a_bar_shows_a_file_name_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_a_terminal(monkeypatch)

    with transfers(Output(), "sending") as view:
        view(Transfer(TITLE, 1, 2))

    assert SHOWN in screen.getvalue()


def test_a_bar_shows_a_step_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kapok job watch` reads names and notes of steps from the service."""
    screen = on_a_terminal(monkeypatch)
    step = {
        "id": "stp_1", "name": "join [/b]", "state": "running",
        "progress": {"share": 0.5, "note": "[/i] \x1b[2J"},
    }  # fmt: skip

    with job_progress(Output(), "job") as view:
        view({"progress_share": 0.5}, [step])

    assert "join [/b]" in screen.getvalue()
    assert "[/i] \ufffd[2J" in screen.getvalue()


def test_a_job_that_nobody_can_go_on_with_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    """`kapok job watch` and `kapok job show`: which profile, and what its workers lack."""
    waiting = {"profiles": ["uhd-vvc"], "reason": "uhd-vvc: no libvvenc", "steps": 3}
    record = {"id": "job_1", "state": "running", "asset_id": None, "waiting": [waiting]}
    told = "3 steps wait for a worker that can do uhd-vvc: uhd-vvc: no libvvenc"

    with job_progress(Output(), "job") as view:
        view(record, [])
        view(record, [])
    assert capsys.readouterr().err == f"{told}\n"

    screen = Console(file=io.StringIO(), width=120)
    screen.print(job(record, []))
    assert told in screen.file.getvalue()  # type: ignore[attr-defined]


def test_what_is_tried_again_says_why_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk, of the server for a part or of a worker for a step: the way out is there now."""
    with transfers(Output(), "sending") as view:
        for trouble in ("no room", "no room", ""):
            view(Transfer("a.mov", 0, 2, trouble=trouble))
    lines = capsys.readouterr().err.splitlines()
    assert lines.count("trying again: no room") == 1

    step = {**chunk(1, "ready"), "error": {"code": "disk_full", "detail": "no room for it"}}
    ended = {**chunk(2, "failed"), "error": {"code": "disk_full", "detail": "for good"}}
    with job_progress(Output(), "job") as view:
        for _ in range(2):
            view({"state": "running"}, [step, ended])
    lines = capsys.readouterr().err.splitlines()
    assert lines.count("trying again: no room for it") == 1
    assert not any("for good" in line for line in lines)


def test_what_waits_for_memory_alone_names_no_profile() -> None:
    waiting = {"profiles": [], "reason": "none gives the 7.9 GB of memory", "steps": 1}
    assert waits(waiting) == "1 step waits for a worker: none gives the 7.9 GB of memory"


@pytest.mark.parametrize(
    ("spoken", "told"),
    [("en", "waits for 7.9 GB of memory"), ("zh", "等待 7.9 GB 内存")],
)
def test_a_step_that_waits_for_memory_says_so(
    spoken: Language, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the table of `kapok job show`, and beside the bar of `kapok job watch`."""
    monkeypatch.setattr(language._Current, "language", spoken)
    progress = {"share": None, "note": "waits for 7.9 GB of memory"}
    step = {
        "id": "stp_1", "kind": "join", "name": "join a", "state": "running", "attempts": 1,
        "progress": progress,
    }  # fmt: skip
    bars = on_a_terminal(monkeypatch)
    with job_progress(Output(), "job") as view:
        view({"progress_share": 0.5}, [step])
    screen = Console(file=io.StringIO(), width=160)
    screen.print(job({"id": "job_1", "state": "running", "asset_id": None}, [step]))

    assert told in bars.getvalue()
    assert told in screen.file.getvalue()  # type: ignore[attr-defined]


def chunk(number: int, state: str, share: float | None = None) -> dict[str, Any]:
    return {
        "id": f"stp_{number}", "kind": "encode", "name": f"encode chunk {number} of 4",
        "state": state, "attempts": 1, "progress": share and {"share": share},
    }  # fmt: skip


def test_chunks_are_shown_as_one_step_and_failed_ones_by_themselves() -> None:
    """A programme has hundreds; how far they are together is what a person wants to know."""
    join = {"id": "stp_9", "kind": "join", "name": "join a", "state": "waiting"}
    steps = [chunk(1, "done"), chunk(2, "running", 0.5), chunk(3, "failed"), chunk(4, "ready")]

    one, failed, last = folded([*steps, join])

    assert (one["name"], one["state"]) == ("encode 3 chunks", "running")
    assert one["progress"] == {"share": 0.5, "note": "1/3"}
    assert (failed, last) == (steps[2], join)
    assert folded([chunk(1, "done"), chunk(2, "done")])[0]["state"] == "done"
    assert folded([chunk(1, "ready"), chunk(2, "ready")])[0]["state"] == "ready"
    assert folded([steps[0], join]) == [steps[0], join]


def test_a_line_for_people_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    Output().note("a\x1b[2Jb")

    assert capsys.readouterr().err == "a\ufffd[2Jb\n"


def test_a_profile_keeps_the_brackets_of_its_basis(capsys: pytest.CaptureFixture[str]) -> None:
    done = kapok("profile", "show", "cn4k-hevc-hlg")

    assert re.search(r"^ *\[\w+\] ", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.media
def test_doctor_proves_each_profile_and_says_why_one_cannot_be_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound alone is quick to prove; ffmpeg has no encoder of AVS3, which is a limit, no error."""
    known = load_profiles()
    few = {name: known[name] for name in ("audio-access-aac", "cn4k-avs3-hlg")}
    monkeypatch.setattr(profile, "load_profiles", lambda: few)

    found = [*examine(load_settings(tmp_path, {}), prove=True)]

    able, unable = (one for one in found if one.group == "profiles")
    assert (able.name, able.level) == ("audio-access-aac", "ok")
    assert re.search(r": encoded and read back \(aac, ffmpeg .+, \d+\.\d s\)$", able.text)
    assert (unable.name, unable.level) == ("cn4k-avs3-hlg", "warning")
    assert "has no encoder libuavs3e" in unable.text
    assert record(found)["ok"]


@pytest.mark.services
def test_doctor_warns_of_a_bucket_that_keeps_what_is_deleted(
    minio_server: servers.Minio, tmp_path: Path
) -> None:
    """Work of terabytes would stay as noncurrent versions."""
    env = {
        "KAPOK_S3_ENDPOINT": minio_server.endpoint,
        "KAPOK_S3_ACCESS_KEY": minio_server.access_key,
        "KAPOK_S3_SECRET_KEY": minio_server.secret_key,
        "KAPOK_S3_BUCKET": "versioned",
    }
    settings = load_settings(tmp_path, env)
    open_store(settings).prepare()

    def warned() -> bool:
        found = examine(settings, prove=False)
        return any(one.name == "versions" and one.level == "warning" for one in found)

    assert not warned()
    client = Minio(
        minio_server.endpoint.removeprefix("http://"),
        minio_server.access_key,
        minio_server.secret_key,
        secure=False,
    )
    client.set_bucket_versioning("versioned", VersioningConfig("Enabled"))
    assert warned()


def test_doctor_keeps_its_marks() -> None:
    done = kapok("doctor", "--quick")

    assert re.search(r"^  ✓ python ", done.stdout, re.MULTILINE), done.stdout
    assert "[/]" not in done.stdout


def test_the_names_of_all_steps_are_told_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a job with everything; what the service names in a new way stays as it is."""
    monkeypatch.setattr(language._Current, "language", "zh")
    info, seen = described(HD, frames=2000)
    made = plan(info, seen, [profile.profile("mobile-540p"), profile.profile("review-proxy")])
    made = replace(made, together=(("mobile-540p",), ("review-proxy",)))
    first = (
        "verify the upload",
        "inspect the source",
        "plan the renditions",
        "inspect the source again for the light of a PQ rendition",
        "inspect the source again for the size of the bars",
        "plan the renditions after that",
    )
    later = [step.name for step in steps_of(made, info, zone="uhd-4k")]
    told = [step_name({"name": name}) for name in (*first, *later)]

    assert len(told) > 11
    assert all(re.search("[\u4e00-\u9fff]", name) for name in told), told
    assert "编码分块 1/7: mobile-540p" in told
    assert "重新检查源文件：黑边的大小" in told
    assert step_name({"name": "wash the tape"}) == "wash the tape"
