"""`kapok inspect`, `encode` and `measure` on files, with no service at all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import pytest

from kapok.errors import FAILED, JOB_FAILED, USAGE, Usage, exit_status
from kapok.local import look_for, make_plan
from kapok.local_encode import RungsFailed, Work, _refuse_long, encode, settle
from pipelines.inspection.thumbs import thumbs_in
from pipelines.progress import finish
from pipelines.running.tools import ffmpeg
from pipelines.sources.probe import probe
from pipelines.verification.readback import read_back
from sample_media.generate import generate

ROOT = Path(__file__).parent.parent.parent


def kapok(
    *words: object, folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kapok.cli", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=120,
        check=False,
    )


def answer(*words: object, folder: Path | None = None) -> dict[str, Any]:
    done = kapok(*words, "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    return record


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    return generate("stereo_30000_1001", folder, seconds=1, height=180)


@pytest.mark.media
def test_inspect_tells_what_really_decodes(clip: Path, tmp_path: Path) -> None:
    record = answer("inspect", clip, "-o", tmp_path)

    assert record["inspection"]["frames"] == 30
    assert not (tmp_path / "thumbs.mkv").exists()  # nobody asked for it
    assert record["inspection"]["frame_rate"] == "30000/1001"
    assert (tmp_path / record["inspection"]["posters"][0]["name"]).is_file()


@pytest.mark.media
def test_the_loudness_of_each_sound_track_is_told_by_its_number(tmp_path: Path) -> None:
    """The first is silent, and the second one's loudness is not taken for its."""
    sounds = clips.generated(clips.PICTURE, "anullsrc=r=48000:d=2", clips.TONE)
    maps = [word for stream in range(3) for word in ("-map", str(stream))]
    film = clips.make(tmp_path / "film.mov", *sounds, *maps, "-t", "2", *clips.H264)

    done = kapok("inspect", film)

    assert done.returncode == 0, done.stderr
    rows = [line.strip() for line in done.stdout.splitlines()]
    at = rows.index("loudness   track 0: silent")
    assert re.fullmatch(r"track 1: -2\d\.\d LKFS, -1\d\.\d dBTP", rows[at + 1])


@pytest.mark.media
def test_encode_leaves_proven_files_with_their_records(clip: Path, tmp_path: Path) -> None:
    """Each file has its command, facts and scores beside it; nothing else is left in the folder."""
    record = answer("encode", clip, "--profile", "mobile-540p,archive-ffv1", "-o", tmp_path)

    names = sorted(path.name for path in tmp_path.iterdir())
    stem = clip.stem
    assert names == [
        f"{stem}.archive-ffv1.mkv",
        f"{stem}.archive-ffv1.mkv.json",
        f"{stem}.mobile-540p.mp4",
        f"{stem}.mobile-540p.mp4.json",
    ]
    by_profile = {item["profile"]: item for item in record["renditions"]}
    assert by_profile["archive-ffv1"]["measurements"][0]["equal"] is True
    assert by_profile["mobile-540p"]["facts"]["frames"] == 30
    assert by_profile["mobile-540p"]["commands"][0][0] == "ffmpeg"
    assert json.loads((tmp_path / names[1]).read_text()) == by_profile["archive-ffv1"]


@pytest.mark.media
def test_an_encode_says_what_was_found_of_its_source_and_decided(tmp_path: Path) -> None:
    """The files are whole, and what they show is not: nothing but the answer tells of it."""
    film = clips.spoilt(clips.programme(tmp_path), 0, 10)

    done = kapok("encode", film, "--profile", "review-proxy", "--no-scores", "-o", tmp_path)

    assert done.returncode == 0, done.stderr
    found, decided = done.stdout.split("decisions  ")
    assert "findings   the decoder reported 2 errors" in found
    assert "pictures that cannot be decoded whole: 1" in found
    assert "1 picture cannot be decoded whole" in decided


@pytest.mark.media
def test_what_was_found_and_decided_is_told_in_chinese_to_who_reads_it(tmp_path: Path) -> None:
    """On the screen and in the record, by `--lang` as by the environment."""
    film = clips.spoilt(clips.programme(tmp_path), 0, 10)
    wish = ("encode", film, "--profile", "review-proxy", "--no-scores", "-o")

    done = kapok(*wish, tmp_path / "one", "--lang", "zh")
    again = kapok(*wish, tmp_path / "two", "--json", KAPOK_LANG="zh_CN.UTF-8")
    seen = kapok("inspect", film, "--json", "--lang", "zh")

    assert (done.returncode, again.returncode, seen.returncode) == (0, 0, 0), done.stderr
    found, decided = done.stdout.split("决定")
    assert "解码器报告 2 个错误" in found
    assert "不能完整解码的画面：1 幅" in found
    assert json.loads(seen.stdout)["inspection"]["findings"][1] == "不能完整解码的画面：1 幅"
    decisions = json.loads(again.stdout)["decisions"]
    assert len(decisions) > 2
    for decision in decisions:
        assert re.search("[\u4e00-\u9fff]", decision), decision
        assert decision[:12] in decided


@pytest.mark.media
def test_a_colour_in_doubt_is_resolved_on_the_command_line(tmp_path: Path) -> None:
    """Refused with the way out; stated, it is converted, and people see from what to what."""
    file = clips.pq_codes(tmp_path, "bt709")
    words = ("encode", file, "--profile", "mobile-540p", "-o", tmp_path / "out", "--no-scores")
    refused = kapok(*words)
    assert refused.returncode != 0
    assert "--source-colour" in refused.stderr
    made = kapok(*words, "--source-colour", "pq")
    assert made.returncode == 0, made.stderr
    assert "PQ → SDR BT.709" in made.stdout
    assert "master_peak_cd_m2 4000" in made.stdout
    wrong = kapok(*words, "--source-colour", "purple")
    assert wrong.returncode == 2


@pytest.mark.media
def test_subtitle_files_beside_a_file_come_along(clip: Path, tmp_path: Path) -> None:
    """In the order in which they are named; what is wrong with one is said before the work."""
    chinese, english = tmp_path / "zh:a.srt", tmp_path / "en.srt"
    chinese.write_bytes("1\n00:00:00,200 --> 00:00:00,800\n木棉\n".encode("gbk"))
    english.write_text("1\n00:00:00,200 --> 00:00:00,800\nkapok\n")
    encoding = ("encode", clip, "--profile", "mobile-540p", "--no-scores", "-o", tmp_path / "out")
    given = ("--subtitles", f"zh:{chinese}", "--subtitles", f"en:{english}")
    record = answer(*encoding, *given)
    (made,) = record["renditions"]
    tracks = [(one.codec, one.language) for one in finish(read_back(Path(made["path"]))).subtitles]
    assert tracks == [("mov_text", "zho"), ("mov_text", "eng")]
    told = [(one["codec"], one["language"]) for one in made["facts"]["subtitles"]]
    assert told == tracks
    assert [text for text in record["decisions"] if text.startswith("subtitle file (subrip, zh)")]
    wrong = kapok(*encoding, "--subtitles", english)
    assert wrong.returncode == 2
    assert "LANGUAGE:FILE" in wrong.stderr
    assert kapok(*encoding, "--subtitles", "zh:nowhere.srt").returncode == 4
    planned = answer("plan", clip, "--profile", "mobile-540p", *given)["plan"]
    made_of = "made mov_text in mobile-540p; WebVTT in the HLS and DASH package"
    assert f"subtitle file (subrip, zh): {made_of}" in planned["decisions"]


@pytest.mark.media
def test_a_rung_that_fails_does_not_stop_the_later_ones(clip: Path, tmp_path: Path) -> None:
    """The first is planned with pixels that it is not made with; the second is finished."""
    show = lambda _: None  # noqa: E731 - progress is not looked at
    wanted = ["mobile-540p", "archive-ffv1"]
    info, found = look_for(clip, tmp_path / "inspection", show, wanted)
    plan = make_plan(info, found, wanted)
    first, second = plan.rungs
    assert first.video is not None
    wrong = replace(first, video=replace(first.video, sample_aspect_ratio=Fraction(2)))
    output = tmp_path / "out"
    output.mkdir()
    thumbs = thumbs_in(tmp_path / "inspection", found.thumbs)
    both = replace(plan, rungs=(wrong, second))
    work = Work(clip, info, found, both, thumbs, output, tmp_path, lambda _: show, score=False)
    finished = []
    with pytest.raises(
        RungsFailed, match=r"mobile-540p .verification_failed.*sample aspect ratio"
    ) as end:
        finished += [encoded.rung.profile for encoded in encode(work)]
    assert exit_status(end.value) == JOB_FAILED
    (failed,) = end.value.failed
    assert (failed.profile, failed.code) == ("mobile-540p", "verification_failed")
    assert [path.suffix for path in sorted(output.iterdir())] == [".mkv", ".json"]


@pytest.fixture(scope="module")
def lossy_ffmpeg(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an ffmpeg that joins half of the picture of one rung."""
    folder, joins = tmp_path_factory.mktemp("tool"), '*"-c copy"*/mobile-540p.mp4'
    return _but(folder, joins, f'exec {ffmpeg()} -t 0.5 "$@"')


def _but(folder: Path, words: str, does: str) -> dict[str, str]:
    """The environment of an ffmpeg that does something else where its words match a pattern."""
    path = folder / "ffmpeg"
    other = f'case "$*" in\n{words}) {does} ;;\n*) exec {ffmpeg()} "$@" ;;\nesac'
    path.write_text(f"#!/bin/sh\n{other}\n")
    path.chmod(0o755)
    return {"KAPOK_FFMPEG": str(path), "KAPOK_SANDBOX": "none"}  # it calls what lies elsewhere


@pytest.mark.media
def test_what_is_finished_is_shown_although_a_rung_failed(
    clip: Path, tmp_path: Path, lossy_ffmpeg: dict[str, str]
) -> None:
    """Then the error comes, with its exit status, and the failed rung has left no file."""
    wanted = ("--profile", "mobile-540p,archive-ffv1", "--no-scores", "-o", tmp_path / "out")

    done = kapok("encode", clip, *wanted, **lossy_ffmpeg)

    assert done.returncode == JOB_FAILED
    rows = [line.split()[:2] for line in done.stdout.splitlines()]
    assert ["archive-ffv1", "ready"] in rows
    assert ["mobile-540p", "failed"] in rows
    error = done.stderr[done.stderr.index("error: ") :].splitlines()
    assert error[0] == "error: job_failed"
    assert error[1].startswith("  mobile-540p (verification_failed): ")
    assert error[-1] == f"  verified and finished in {tmp_path / 'out'}: 1 of 2 renditions"
    assert [path.suffix for path in sorted((tmp_path / "out").iterdir())] == [".mkv", ".json"]


@pytest.mark.media
def test_a_group_of_rungs_that_cannot_be_encoded_does_not_stop_the_others(
    clip: Path, tmp_path: Path
) -> None:
    """Each is made by a command of its own; that of the first has a preset that there is not."""
    show = lambda _: None  # noqa: E731 - progress is not looked at
    wanted = ["mobile-540p", "archive-ffv1"]
    info, found = look_for(clip, tmp_path / "inspection", show, wanted)
    plan = make_plan(info, found, wanted)
    first, second = plan.rungs
    assert first.video is not None
    wrong = replace(first, video=replace(first.video, preset="none"))
    plan = replace(plan, rungs=(wrong, second), together=(("mobile-540p",), ("archive-ffv1",)))
    (output := tmp_path / "out").mkdir()
    thumbs = thumbs_in(tmp_path / "inspection", found.thumbs)
    work = Work(clip, info, found, plan, thumbs, output, tmp_path, lambda _: show, score=False)
    finished = []
    with pytest.raises(RungsFailed) as end:
        finished += [encoded.rung.profile for encoded in encode(work)]
    (failed,) = end.value.failed
    assert (failed.profile, failed.code) == ("mobile-540p", "tool_failed")
    assert str(end.value).endswith(f"{output}: 1 of 2 renditions")
    assert [path.suffix for path in sorted(output.iterdir())] == [".mkv", ".json"]


@pytest.mark.media
def test_what_cannot_be_scored_is_kept_all_the_same(clip: Path, tmp_path: Path) -> None:
    """It is what its plan says, and hours may have gone into it; the error says what is missing."""
    ffmpeg_without_vmaf = _but(tmp_path, "*libvmaf*", "echo no such filter >&2; exit 1")
    words = ("encode", clip, "--profile", "mobile-540p,archive-ffv1", "-o", tmp_path / "out")

    done = kapok(*words, "--json", **ffmpeg_without_vmaf)

    assert done.returncode == JOB_FAILED
    record = json.loads(done.stdout)
    names = {item["profile"]: item["measurements"] for item in record["renditions"]}
    assert names["mobile-540p"] == []
    assert names["archive-ffv1"][0]["equal"] is True
    (failed,) = record["failed"]
    assert (failed["profile"], failed["code"], failed["kept"]) == (
        *("mobile-540p", "tool_failed"),
        True,
    )
    assert json.loads(done.stderr.splitlines()[-1])["error"]["detail"].endswith("2 of 2 renditions")
    for item in record["renditions"]:
        assert json.loads(Path(f"{item['path']}.json").read_text()) == item
    assert len(list((tmp_path / "out").iterdir())) == 4


@pytest.mark.media
def test_what_the_system_refuses_one_rung_hides_no_other(clip: Path, tmp_path: Path) -> None:
    """A folder stands where the first rung's file should be."""
    (tmp_path / f"{clip.stem}.mobile-540p.mp4").mkdir()
    wanted = ("--profile", "mobile-540p,archive-ffv1", "--no-scores", "-o", tmp_path)

    done = kapok("encode", clip, *wanted, "--json")

    assert done.returncode == JOB_FAILED
    record = json.loads(done.stdout)
    assert [item["profile"] for item in record["renditions"]] == ["archive-ffv1"]
    (failed,) = record["failed"]
    assert (failed["profile"], failed["code"]) == ("mobile-540p", "local_fault")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*mobile-540p*.json"))


@pytest.mark.media
def test_machines_get_what_is_finished_and_what_failed_in_one_object(
    clip: Path, tmp_path: Path, lossy_ffmpeg: dict[str, str]
) -> None:
    """On stdout; the error is the last line of stderr. Nothing is said of others where all fail."""
    words = ("encode", clip, "--no-scores", "--json", "-o", tmp_path, "--profile")

    some = kapok(*words, "mobile-540p,archive-ffv1", **lossy_ffmpeg)
    none = kapok(*words, "mobile-540p", **lossy_ffmpeg)

    assert (some.returncode, none.returncode) == (JOB_FAILED, JOB_FAILED)
    record = json.loads(some.stdout)
    assert [item["profile"] for item in record["renditions"]] == ["archive-ffv1"]
    (failed,) = record["failed"]
    assert (failed["profile"], failed["code"]) == ("mobile-540p", "verification_failed")
    error = json.loads(some.stderr.splitlines()[-1])["error"]
    assert error["code"] == "job_failed"
    assert failed["detail"] in error["detail"]
    assert json.loads(none.stdout)["renditions"] == []
    assert "finished" not in json.loads(none.stderr.splitlines()[-1])["error"]["detail"]


@pytest.mark.media
def test_measure_scores_a_rendition_against_its_source(clip: Path, tmp_path: Path) -> None:
    """The two-file command finds the same score as the encode that made the file."""
    made = answer("encode", clip, "--profile", "mobile-540p", "-o", tmp_path)["renditions"][0]

    record = answer("measure", clip, made["path"])

    before = {score["metric"]: score["mean"] for score in made["measurements"]}
    after = {score["metric"]: score["mean"] for score in record["measurements"]}
    assert after == pytest.approx(before, abs=0.01)


@pytest.mark.media
def test_relative_paths_are_as_good_as_absolute_ones(clip: Path, tmp_path: Path) -> None:
    """The tools run in folders of their own: what is relative to ours was not found there."""
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "sub").mkdir()

    found = answer("inspect", "a.mp4", "-o", "look", folder=tmp_path)
    made = answer("encode", "../a.mp4", "--profile", "mobile-540p", "-o", "enc", "--no-scores",
                  folder=tmp_path / "sub")  # fmt: skip
    scores = answer("measure", "a.mp4", "sub/enc/a.mobile-540p.mp4", folder=tmp_path)

    assert (tmp_path / "look" / found["inspection"]["posters"][0]["name"]).is_file()
    assert made["renditions"][0]["facts"]["frames"] == 30
    assert scores["measurements"]


@pytest.mark.media
def test_a_file_name_in_gb18030_is_inspected_into_valid_json(clip: Path, tmp_path: Path) -> None:
    """The record names it as people read it; its bytes are no UTF-8."""
    path = tmp_path / os.fsdecode("磁带.mp4".encode("gb18030"))
    path.write_bytes(clip.read_bytes())

    record = answer("inspect", path)
    shown = kapok("inspect", path)

    assert Path(record["path"]).name == "磁带.mp4"
    assert "磁带.mp4" in shown.stdout, shown.stderr


@pytest.mark.media
def test_sigterm_leaves_no_scratch(clip: Path, tmp_path: Path) -> None:
    """`kill` ends an encode as Ctrl-C does: exit status 130 and a clean folder."""
    words = [sys.executable, "-m", "kapok.cli", "encode", clip, "-o", tmp_path / "out"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while not list((tmp_path / "out").glob(".kapok-*/inspection")):
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 130, errors
    assert list((tmp_path / "out").iterdir()) == []


def test_a_result_gets_its_name_after_its_record(tmp_path: Path) -> None:
    """Where the record cannot be written, no file stands there as if it had been proven."""
    made, path = tmp_path / "made.mp4", tmp_path / "a.mobile-540p.mp4"
    made.touch()
    path.with_name(f"{path.name}.json").mkdir()

    with pytest.raises(OSError, match=r"mobile-540p\.mp4\.json"):
        settle(made, path, {})

    assert not path.exists()


@pytest.mark.parametrize(("letters", "fits"), [(234, True), (235, False)])
def test_a_name_that_is_too_long_is_refused_before_the_work(
    tmp_path: Path, letters: int, *, fits: bool
) -> None:
    """The record's is longer than the file's, and hours had been encoded when it was written."""
    path = tmp_path / f"{'m' * letters}.mobile-540p.mp4"
    if fits:
        made = tmp_path / "made.mp4"
        made.touch()
        _refuse_long(path)
        settle(made, path, {})
    else:
        with pytest.raises(Usage, match="shorten the source's name"):
            _refuse_long(path)


def test_a_result_never_takes_the_place_of_another(tmp_path: Path) -> None:
    """The file there may be the only one of its master, and its record its only proof."""
    made, path = tmp_path / "made.mkv", tmp_path / "dpx.archive-ffv1.mkv"
    made.write_text("new")
    path.write_text("old")

    with pytest.raises(Usage, match="is there already"):
        settle(made, path, {})

    assert path.read_text() == "old"
    assert not path.with_name(f"{path.name}.json").exists()


def test_what_is_overwritten_stays_until_the_new_file_takes_its_place(tmp_path: Path) -> None:
    """A new one that does not come through leaves the old one and its record."""
    made, path = tmp_path / "gone.mkv", tmp_path / "tape.archive-ffv1.mkv"
    proof = path.with_name(f"{path.name}.json")
    path.write_text("old")
    proof.write_text("old proof")

    with pytest.raises(FileNotFoundError):
        settle(made, path, {}, overwrite=True)
    assert (path.read_text(), proof.read_text()) == ("old", "old proof")

    made.write_text("new")
    settle(made, path, {"proof": "new"}, overwrite=True)
    assert path.read_text() == "new"
    assert json.loads(proof.read_text()) == {"proof": "new"}
    assert sorted(one.name for one in tmp_path.iterdir()) == [path.name, proof.name]


@pytest.mark.media
def test_an_encode_over_an_earlier_one_is_refused_unless_it_is_asked_for(
    clip: Path, tmp_path: Path
) -> None:
    """Folders of reels are often named alike: each would replace the one before."""
    there = tmp_path / f"{clip.stem}.review-proxy.mp4"
    there.write_text("of another reel")
    words = ("encode", clip, "--profile", "review-proxy", "--no-scores", "-o", tmp_path)

    refused = kapok(*words)

    assert refused.returncode == USAGE
    assert f"{there} is there already" in refused.stderr
    assert "inspecting" not in refused.stderr  # of a programme that takes an hour
    assert [path.name for path in tmp_path.iterdir()] == [there.name]
    assert there.read_text() == "of another reel"

    answer(*words, "--overwrite")

    assert probe(there).picture is not None
    assert json.loads(there.with_name(f"{there.name}.json").read_text())["facts"]["frames"] == 30


def test_a_folder_of_nothing_is_said_to_be_one(tmp_path: Path) -> None:
    done = kapok("inspect", tmp_path)

    assert done.returncode == FAILED
    assert "there are no numbered images" in done.stderr
    assert kapok("measure", tmp_path, tmp_path).returncode == 4


@pytest.mark.media
def test_a_refused_profile_is_an_error_when_nothing_is_left(clip: Path, tmp_path: Path) -> None:
    done = kapok("encode", clip, "--profile", "cn4k-hevc-hlg", "-o", tmp_path)

    assert done.returncode == 1
    assert "nothing_to_encode" in done.stderr
    assert "never upscales" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_profile_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_bytes(b"x")

    done = kapok("profile", "show", "cn16k")

    assert done.returncode == 2
    assert "cn4k-hevc-hlg" in done.stderr


def test_a_text_file_is_no_media(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_text("no media")

    done = kapok("inspect", tmp_path / "a.mov")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:][0] == "error: unsupported_media"


@pytest.mark.media
def test_chunks_of_a_local_encode_are_one_rendition(tmp_path: Path) -> None:
    """Encoded apart, joined, verified and scored like any other."""
    clip = generate("stereo_30000_1001", tmp_path, seconds=4, height=180)
    words = ("encode", clip, "--profile", "mobile-540p", "--chunk-min-s", "1", "-o", tmp_path)

    (made,) = answer(*words)["renditions"]

    pieces = [argv for argv in made["commands"] if "-copyts" in argv]
    assert len(pieces) > 1
    assert made["facts"]["frames"] == 120
    assert {score["metric"] for score in made["measurements"]} == {"vmaf", "xpsnr"}


@pytest.mark.media
def test_one_programme_of_a_transport_stream_is_encoded(tmp_path: Path) -> None:
    """Pictures, sound and scores are those of the programme that was asked for."""
    source = clips.two_programmes(tmp_path)
    words = ("encode", source, "--programme", "101", "--profile", "mobile-540p", "-o", tmp_path)
    record = answer(*words, "--chunk-min-s", "1")
    (made,) = record["renditions"]
    assert record["decisions"][0] == (
        'programme 101 "SD-ONE" is taken (as asked) of 101 "SD-ONE", 102 "CCTV-4K"'
    )
    assert clips.size(Path(made["path"])) == (160, 90)
    assert clips.tone_hz(Path(made["path"])) == pytest.approx(440, abs=2)
    assert {score["metric"]: score["mean"] for score in made["measurements"]}["ssim"] > 0.9


@pytest.mark.media
def test_a_programme_that_is_not_there_is_refused_with_a_list(tmp_path: Path) -> None:
    source = clips.two_programmes(tmp_path)
    done = kapok("plan", source, "--programme", "5", "--lang", "zh")
    assert done.returncode == FAILED
    assert "没有这个节目号" in done.stderr
    assert '101 "SD-ONE", 102 "CCTV-4K"' in done.stderr
