"""The real steps in their real order, on a clip of two seconds: from an upload to a publication."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import pytest
from engine_bench import Bench, eventually
from sqlalchemy import select
from uploaded import clip as _clip
from uploaded import uploaded as _upload

from pipelines.errors import DiskFull
from pipelines.progress import finish
from pipelines.running.tools import ffmpeg
from pipelines.sources.many_files import parts_of
from pipelines.sources.wrap import wrap
from pipelines.verification.readback import read_back
from sample_media.generate import generate
from storage.catalogue import jobs, packages, publications, renditions, zones
from storage.objects import ObjectFacts, ObjectStore, never
from storage.objects_local import LocalStore
from storage.schema import Asset, Rendition, Upload
from tests.pipelines.subtitle_samples import subtitled, words
from workers.engine import Engine
from workers.kinds import KINDS
from workers.sweeper import Sweeper

pytestmark = [pytest.mark.media, pytest.mark.slow]
ONE_OF_BOTH = 78_000_000  # bytes: too little to encode two small rungs from one decode
CUE = ("00:00:01,000", "00:00:01,500", "木棉")


def test_an_upload_becomes_verified_renditions_and_a_publication(
    bench: Bench, tmp_path: Path
) -> None:
    """Every kind of step runs; what is published is what was verified, by its hash."""
    clip = _clip(tmp_path / "clip.mp4")
    sha256 = hashlib.sha256(clip.read_bytes()).hexdigest()
    with bench.database.begin() as session:
        zones.create_zone(
            session,
            bench.organisation_id,
            name="vault",
            title="Vault",
            required_profiles=["archive-ffv1"],
            actor="test",
        )
    request = {"profiles": ["archive-ffv1", "mobile-540p", "cn4k-hevc-hlg"], "zone": "vault"}
    job_id = _upload(bench, clip, request, sha256=sha256)
    bench.service(KINDS)
    assert bench.settled(job_id, within_s=180) == "done", bench.row(job_id).error
    kinds = [step.kind for step in bench.steps(job_id).values()]
    assert kinds == [
        *("fixity", "inspect", "plan", "encode", "audio"),
        *("join", "join", "measure", "package", "publish"),
    ]
    with bench.database.read() as session:
        asset = session.get_one(Asset, bench.row(job_id).asset_id)
        made = {row.profile: row for row in renditions.of_job(session, job_id)}
        scores = {
            name: [score.metric for score in renditions.measurements(session, row.id)]
            for name, row in made.items()
        }
        (published,) = publications.list_publications(session, bench.organisation_id).data
        package = packages.newest_package(session, bench.organisation_id, asset.id)
    assert (asset.state, asset.sha256) == ("ready", sha256)
    assert {name: row.state for name, row in made.items()} == {
        "archive-ffv1": "ready",
        "mobile-540p": "ready",
    }
    assert scores["archive-ffv1"] == ["framemd5"]
    assert "vmaf" in scores["mobile-540p"]
    (file,) = published.manifest["files"]
    stored = b"".join(bench.objects.open_range(file["key"], 0, file["size_bytes"]))
    assert hashlib.sha256(stored).hexdigest() == file["sha256"] == made["archive-ffv1"].sha256
    document = json.loads(bench.objects.read_bytes(published.manifest_key, 1 << 20))
    assert [one["sha256"] for one in document["files"]] == [file["sha256"]]
    assert bench.objects.stat(f"{package.prefix}{package.hls}").size_bytes > 0
    assert [one["profile"] for one in (bench.row(job_id).plan or {})["refused"]] == [
        "cn4k-hevc-hlg"
    ]


def test_a_job_that_its_zone_would_not_let_in_encodes_nothing(
    embedded: Bench, tmp_path: Path
) -> None:
    """The plan refuses what the zone asks for, with the reason of the profile; or the asset is
    there already, unless the job may take its place.
    """
    clip = _clip(tmp_path / "clip.mp4")
    wanted = {"profiles": ["mobile-540p", "cn4k-hevc-hlg"], "zone": "uhd-4k"}
    job_id = _upload(embedded, clip, wanted)
    embedded.service(KINDS)
    assert embedded.settled(job_id, within_s=60) == "failed"
    error = embedded.row(job_id).error or {}
    assert error["code"] == "gate_closed"
    assert "cn4k-hevc-hlg never upscales" in error["detail"]
    assert "encode" not in {step.kind for step in embedded.steps(job_id).values()}

    def another(**more: object) -> str:
        with embedded.database.begin() as session:
            asset = session.get_one(Asset, embedded.row(job_id).asset_id)
            request = {"profiles": ["audio-access-aac"], "zone": "audio", **more}
            return jobs.start_job(session, asset, request, "key_test").id

    for more, state in (({}, "done"), ({}, "failed"), ({"replace": True}, "done")):
        last = another(**more)
        assert embedded.settled(last, within_s=60) == state, embedded.row(last).error
        if state == "failed":
            assert (embedded.row(last).error or {})["code"] == "already_published"
            assert "audio" not in {step.kind for step in embedded.steps(last).values()}
    with embedded.database.read() as session:
        found = publications.list_publications(session, embedded.organisation_id).data
    assert [one.state for one in found] == ["published", "withdrawn"]


def test_a_job_publishes_no_file_that_the_store_has_lost(embedded: Bench, tmp_path: Path) -> None:
    """Its last step fails with the name of the file, and what is in the zone stays there."""
    wanted = {"profiles": ["audio-access-aac"], "zone": "audio"}
    job_id = _upload(embedded, _clip(tmp_path / "clip.mp4"), wanted)
    embedded.service(KINDS)
    assert embedded.settled(job_id, within_s=60) == "done", embedded.row(job_id).error
    with embedded.database.begin() as session:
        asset = session.get_one(Asset, embedded.row(job_id).asset_id)
        (former,) = publications.list_publications(session, embedded.organisation_id).data
        embedded.objects.delete(former.manifest["files"][0]["key"])
        again = {"profiles": ["mobile-540p"], "zone": "audio", "replace": True}
        second = jobs.start_job(session, asset, again, "key_test").id
    assert embedded.settled(second, within_s=60) == "failed"
    error = embedded.row(second).error or {}
    assert error["code"] == "gate_closed"
    assert "audio-access-aac" in error["detail"]
    assert "gone from the object store" in error["detail"]
    with embedded.database.read() as session:
        (still,) = publications.list_publications(session, embedded.organisation_id).data
    assert (still.id, still.state) == (former.id, "published")


def test_a_mistagged_source_waits_for_a_person(embedded: Bench, tmp_path: Path) -> None:
    """Nothing is made of PQ that is tagged BT.709; a job that states it converts it from PQ."""
    clip = clips.pq_codes(tmp_path, "bt709")
    first = _upload(embedded, clip, {"profiles": ["mobile-540p"]})
    embedded.service(KINDS)
    assert embedded.settled(first, within_s=120) == "failed"
    error = embedded.row(first).error or {}
    assert error["code"] == "nothing_to_encode"
    assert "--source-colour" in error["detail"]
    (refused,) = (embedded.row(first).plan or {})["refused"]
    assert (refused["profile"], refused["code"]) == ("mobile-540p", "colour_in_doubt")
    stated = {"profiles": ["mobile-540p"], "source_colour": "pq"}
    with embedded.database.begin() as session:
        asset = session.get_one(Asset, embedded.row(first).asset_id)
        second = jobs.start_job(session, asset, stated, "key_test").id
    assert embedded.settled(second, within_s=120) == "done", embedded.row(second).error
    plan = embedded.row(second).plan or {}
    assert plan["rungs"][0]["video"]["conversion"] == "pq_to_sdr"
    assert plan["decisions"][0]["en"] == (
        "the job states the source's colour: pq; its tags say bt2020/bt709/bt2020nc"
    )


def test_a_job_may_choose_the_programme(embedded: Bench, tmp_path: Path) -> None:
    """Without a choice the largest picture is taken; a second job makes the other programme."""
    clip, wanted = clips.two_programmes(tmp_path), {"profiles": ["mobile-540p"]}
    first = _upload(embedded, clip, wanted)
    embedded.service(KINDS)
    assert embedded.settled(first, within_s=120) == "done", embedded.row(first).error
    with embedded.database.begin() as session:
        asset = session.get_one(Asset, embedded.row(first).asset_id)
        second = jobs.start_job(session, asset, {**wanted, "programme": 101}, "key_test").id
    assert embedded.settled(second, within_s=120) == "done", embedded.row(second).error
    sizes, tones = [], []
    for job_id in (first, second):
        made = _made(embedded, job_id)["mobile-540p"]
        stored = embedded.stored(made.key)
        sizes.append(clips.size(stored))
        tones.append(clips.tone_hz(stored))
    assert sizes == [(320, 180), (160, 90)]
    assert tones == pytest.approx([880, 440], abs=2)


def test_a_plan_is_not_made_of_another_programmes_inspection(
    embedded: Bench, tmp_path: Path
) -> None:
    """Whoever had it inspected in between, the renditions would not be what was asked for."""
    clip = clips.two_programmes(tmp_path)
    job_id = _upload(embedded, clip, {"profiles": ["mobile-540p"]})
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    embedded.closing.callback(engine.close)
    _run_ready(embedded, engine, job_id, but="plan")
    with embedded.database.begin() as session:
        asset = session.get_one(Asset, embedded.row(job_id).asset_id)
        asset.media = {**(asset.media or {}), "programme": 101, "programme_asked": True}
    _run_ready(embedded, engine, job_id)
    error = embedded.row(job_id).error or {}
    assert (embedded.state(job_id), error["code"]) == ("failed", "job_conflict")
    assert "inspected for another programme" in error["detail"]
    assert embedded.row(job_id).plan is None


def test_subtitles_come_with_their_renditions(embedded: Bench, tmp_path: Path) -> None:
    """Encoded once, joined, packaged."""
    texts = [words(tmp_path / f"{name}.srt", [CUE]) for name in ("zh", "en")]
    languages = ("-metadata:s:s:0", "language=chi", "-metadata:s:s:1", "language=eng")
    master = subtitled(tmp_path / "a.mkv", texts, "-c:s", "copy", *languages, seconds=2)
    beside = "1\n00:00:00,500 --> 00:00:01,000\n旁白\n".encode("gbk")
    sha256 = hashlib.sha256(beside).hexdigest()
    given = {"language": "yue", "codec": "subrip", "sha256": sha256, "key": f"given/{sha256}"}
    embedded.objects.put_bytes(beside, f"given/{sha256}")
    request = {"profiles": ["mobile-540p"], "scores": False, "subtitles": [given]}
    job_id = _upload(embedded, master, request)
    embedded.service(KINDS)
    assert embedded.settled(job_id, within_s=120) == "done", embedded.row(job_id).error
    (made,) = _made(embedded, job_id).values()
    stored = embedded.stored(made.key)
    said = [(one.codec, one.language) for one in finish(read_back(stored)).subtitles]
    assert said == [("mov_text", "zho"), ("mov_text", "eng"), ("mov_text", "yue")]
    argv = [ffmpeg(), "-v", "error", "-i", str(stored), "-map", "0:s:2", "-f", "srt", "-"]
    assert "旁白" in subprocess.run(argv, check=True, capture_output=True).stdout.decode()
    with embedded.database.read() as session:
        asset_id = str(embedded.row(job_id).asset_id)
        package = packages.newest_package(session, embedded.organisation_id, asset_id)
    playlist = embedded.objects.read_bytes(f"{package.prefix}{package.hls}", 1 << 20).decode()
    assert playlist.count("TYPE=SUBTITLES") == 3


def test_an_uploaded_sequence_is_preserved(embedded: Bench, tmp_path: Path) -> None:
    """The one file that is made of a folder of images is a master like any other."""
    scan = generate("dpx_sequence", tmp_path, seconds=1, height=96)
    one = finish(wrap(parts_of(scan, Fraction(24)), tmp_path / "scan.mov")).path
    job_id = _upload(embedded, one, {"profiles": ["archive-ffv1"]})
    embedded.service(KINDS)
    assert embedded.settled(job_id, within_s=240) == "done", embedded.row(job_id).error
    made = _made(embedded, job_id)["archive-ffv1"]
    with embedded.database.read() as session:
        (proof,) = renditions.measurements(session, made.id)
    assert (made.state, proof.metric) == ("ready", "framemd5")
    assert (made.rung["video"]["frames"], made.rung["video"]["pix_fmt"]) == (24, "gbrp10le")


def test_a_rendition_that_cannot_be_scored_leaves_the_others_their_scores(
    embedded: Bench, tmp_path: Path
) -> None:
    """The job says so; its retry scores what is left, and each score has its command.

    The machine has too little memory to encode both from one decode.
    """
    embedded.settings = replace(embedded.settings, cores=2, memory_bytes=ONE_OF_BOTH)
    clip, request = _clip(tmp_path / "clip.mp4"), {"profiles": ["mobile-540p", "review-proxy"]}
    job_id = _upload(embedded, clip, request)
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    embedded.closing.callback(engine.close)
    name = "measure mobile-540p, review-proxy"
    _run_ready(embedded, engine, job_id, but="measure")
    encodes = [step.name for step in embedded.steps(job_id).values() if step.kind == "encode"]
    assert [word.partition(": ")[2] for word in encodes] == ["mobile-540p", "review-proxy"]
    step = embedded.steps(job_id)[name]
    key = str(_made(embedded, job_id)["review-proxy"].key)
    stored = embedded.stored(key)
    whole = stored.rename(tmp_path / "whole.mp4")
    stored.write_bytes(b"no media")
    engine.run_step(step.id)
    assert embedded.steps(job_id)[name].state == "failed"
    assert embedded.state(job_id) == "failed"
    assert (embedded.steps(job_id)[name].error or {})["detail"].startswith("review-proxy: ")
    assert _scores(embedded, job_id) == {"mobile-540p": ["vmaf", "xpsnr"], "review-proxy": []}
    assert {row.state for row in _made(embedded, job_id).values()} == {"ready"}

    whole.replace(stored)
    embedded.retry(job_id)
    _run_ready(embedded, engine, job_id)
    done = embedded.steps(job_id)[name]
    assert (done.state, list((done.result or {})["measurements"])) == ("done", ["review-proxy"])
    assert embedded.state(job_id) == "done"
    assert set(map(tuple, _scores(embedded, job_id).values())) == {("vmaf", "xpsnr")}
    for profile, row in _made(embedded, job_id).items():
        (scoring,) = [command for command in row.commands or () if "libvmaf" in str(command)]
        assert f"/{profile}-vmaf.log" in str(scoring)


def test_a_join_that_fails_leaves_the_others_their_scores(embedded: Bench, tmp_path: Path) -> None:
    """The job says so; its retry joins what failed, and then scores what is left."""
    clip, request = _clip(tmp_path / "clip.mp4"), {"profiles": ["mobile-540p", "review-proxy"]}
    job_id = _upload(embedded, clip, request)
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    embedded.closing.callback(engine.close)
    _run_ready(embedded, engine, job_id, but="join")
    (encoded,) = (one for one in embedded.steps(job_id).values() if one.kind == "encode")
    key = str((encoded.result or {})["files"]["review-proxy"])
    stored = embedded.stored(key)
    whole = stored.rename(tmp_path / "whole")
    stored.write_bytes(b"no media")
    _run_ready(embedded, engine, job_id)
    assert embedded.state(job_id) == "failed"
    assert embedded.steps(job_id)["measure mobile-540p, review-proxy"].state == "done"
    assert _scores(embedded, job_id) == {"mobile-540p": ["vmaf", "xpsnr"], "review-proxy": []}

    whole.replace(stored)
    embedded.retry(job_id)
    _run_ready(embedded, engine, job_id)
    assert embedded.state(job_id) == "done"
    assert set(map(tuple, _scores(embedded, job_id).values())) == {("vmaf", "xpsnr")}
    assert len(_scores(embedded, job_id)) == 2


def _run_ready(bench: Bench, engine: Engine, job_id: str, but: str = "") -> None:
    """Run what is ready, one after another, until only steps of the kind `but` are."""
    while ready := [
        step for step in bench.steps(job_id).values() if step.state == "ready" and step.kind != but
    ]:
        engine.run_step(ready[0].id)


def _made(bench: Bench, job_id: str) -> dict[str, Rendition]:
    """The job's renditions by their profile."""
    with bench.database.read() as session:
        return {row.profile: row for row in renditions.of_job(session, job_id)}


def _scores(bench: Bench, job_id: str) -> dict[str, list[str]]:
    """The metrics of each of them."""
    with bench.database.read() as session:
        return {
            row.profile: sorted(one.metric for one in renditions.measurements(session, row.id))
            for row in renditions.of_job(session, job_id)
        }


class Watched:
    """A store that notes how its objects are read."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.fetched: list[str] = []
        self.ranged: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def fetch(self, key: str, *arguments: Any) -> AbstractContextManager[Path]:
        self.fetched.append(key)
        return self._store.fetch(key, *arguments)

    def open_range(self, key: str, start: int, end: int) -> Iterator[bytes]:
        self.ranged[key] += end - start
        return self._store.open_range(key, start, end)


def test_chunks_read_only_their_own_part_and_are_joined_into_one(
    bench: Bench, tmp_path: Path
) -> None:
    """Four chunks of a master of 30 MB and more, in both modes; every frame is there once."""
    _read_in_parts(bench, tmp_path / "clip.mov", 2, "-c:v", "prores_ks", "-profile:v", "3")


@pytest.mark.parametrize(("name", "times"), [("clip.mp4", 2), ("clip.ts", 3)])
def test_chunks_of_long_gops_read_only_their_own_part(
    embedded: Bench, name: str, times: int, tmp_path: Path
) -> None:
    """With frames that are coded out of order, an index at the end, or none: of a stream each chunk
    reads some 5 MB at its beginning, too, once or twice.
    """
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "1", "-bf", "3", "-g", "12")
    _read_in_parts(embedded, tmp_path / name, times, *coding, "-pix_fmt", "yuv420p")


def _read_in_parts(bench: Bench, clip: Path, times: int, *coding: str) -> None:
    """In all, chunks read less than so many times the master."""
    picture = "testsrc2=s=640x360:r=25:d=8,noise=alls=6:allf=t,negate=enable='lt(mod(t,4),2)'"
    argv = [ffmpeg(), "-v", "error", "-f", "lavfi", "-i", picture, *coding]
    subprocess.run([*argv, "-y", str(clip)], check=True)
    size_bytes = clip.stat().st_size
    assert size_bytes > 30_000_000, "blocks of 1 MiB are read: a small file would be read whole"
    bench.settings = replace(bench.settings, chunk_min_s=2.0)
    job_id = _upload(bench, clip, {"profiles": ["mobile-540p"], "scores": False})
    store = Watched(bench.objects)
    engine = Engine(bench.settings, bench.database, store, bench.broker)
    bench.closing.callback(engine.close)
    _run_ready(bench, engine, job_id, but="encode")
    store.fetched.clear()
    store.ranged.clear()
    _run_ready(bench, engine, job_id, but="join")
    (source,) = store.ranged
    assert source.endswith(clip.name)
    assert store.fetched == []
    assert store.ranged[source] < times * size_bytes, "four would have read all of it each"

    _run_ready(bench, engine, job_id)
    steps = [step for step in bench.steps(job_id).values() if step.kind == "encode"]
    chunks = [(step.payload["chunk"]["start_frame"], step.log_tail) for step in steps]
    assert chunks == [(0, None), (50, None), (100, None), (150, None)]
    assert bench.state(job_id) == "done", bench.row(job_id).error
    facts = _made(bench, job_id)["mobile-540p"].facts or {}
    assert facts["frames"] == 200


def test_a_master_with_one_key_frame_is_encoded_in_one_piece(
    embedded: Bench, tmp_path: Path
) -> None:
    """Chunks would each decode it from its beginning; the plan says so."""
    clip = tmp_path / "clip.mp4"
    argv = [ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=2:d=90"]
    argv += ["-c:v", "libx264", "-g", "9999", "-sc_threshold", "0", "-y", str(clip)]
    subprocess.run(argv, check=True)
    embedded.settings = replace(embedded.settings, chunk_min_s=5.0)
    job_id = _upload(embedded, clip, {"profiles": ["mobile-540p"], "scores": False})
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    embedded.closing.callback(engine.close)
    _run_ready(embedded, engine, job_id, but="encode")
    encodes = [step.name for step in embedded.steps(job_id).values() if step.kind == "encode"]
    assert encodes == ["encode chunk 1 of 1"]
    plan = embedded.row(job_id).plan or {}
    assert plan["decisions"][-1]["en"].startswith("encoded in one piece: key frames are so rare")


def test_a_machine_with_too_little_memory_says_so(embedded: Bench, tmp_path: Path) -> None:
    """Where no larger one lives it is said at once, and nothing was begun."""
    embedded.settings = replace(embedded.settings, memory_bytes=10_000_000)
    job_id = _upload(embedded, _clip(tmp_path / "clip.mp4"), {"profiles": ["mobile-540p"]})
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    embedded.closing.callback(engine.close)
    _run_ready(embedded, engine, job_id, but="encode")
    (encode,) = (step for step in embedded.steps(job_id).values() if step.kind == "encode")
    engine.run_step(encode.id)
    step = embedded.steps(job_id)[encode.name]
    assert (step.error or {})["code"] == "too_little_memory"
    assert "KAPOK_MEMORY_BYTES" in (step.error or {})["detail"]
    assert (step.state, step.attempts) == ("failed", 1)


def test_a_target_is_probed_once_for_the_same_bytes(embedded: Bench, tmp_path: Path) -> None:
    """The plan has its findings; a second upload of the same file has them without a search."""
    embedded.settings = replace(embedded.settings, search_share=100.0)
    clip, request = _clip(tmp_path / "clip.mp4"), {"profiles": ["mobile-540p"], "scores": False}
    plans = []
    for _ in range(2):
        job_id = _upload(embedded, clip, request)
        engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
        embedded.closing.callback(engine.close)
        for kind in ("fixity", "inspect", "plan"):
            (step,) = (one for one in embedded.steps(job_id).values() if one.kind == kind)
            engine.run_step(step.id)
        plans.append(embedded.row(job_id).plan or {})
    (choice,) = plans[0]["choices"]
    assert choice["basis"] == "probed"
    assert choice["crf"] == plans[0]["rungs"][0]["video"]["crf"]
    assert plans[0]["findings"]["probes"]
    assert plans[1]["findings"] == plans[0]["findings"]  # its seconds too: nothing was sought


def test_chunks_wait_for_the_scores_of_the_first_ones(embedded: Bench, tmp_path: Path) -> None:
    """No sample fits, two windows do: the others are encoded at the CRF that these led to."""
    clip = _four_shots(tmp_path / "clip.mp4")
    embedded.settings = replace(embedded.settings, chunk_min_s=2.0, search_share=0.9)
    job_id = _upload(embedded, clip, {"profiles": ["mobile-540p"], "scores": False})
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    embedded.closing.callback(engine.close)
    _run_ready(embedded, engine, job_id, but="encode")
    plan = embedded.row(job_id).plan or {}
    windows = [window["index"] for window in plan["steering"]["windows"]]
    assert len(windows) == 2

    waves = []
    while ready := [
        step
        for step in embedded.steps(job_id).values()
        if step.kind == "encode" and step.state == "ready"
    ]:
        waves.append({step.payload["chunk"]["index"] for step in ready})
        for step in ready:
            engine.run_step(step.id)
    assert waves == [{windows[0]}, {windows[1]}, set(range(4)) - set(windows)]

    encodes = [step for step in embedded.steps(job_id).values() if step.kind == "encode"]
    crfs = {step.payload["chunk"]["index"]: _crf_of(step.command or []) for step in encodes}
    planned = plan["rungs"][0]["video"]["crf"]
    assert crfs[windows[0]] == planned
    assert {crfs[at] for at in waves[2]}.isdisjoint({planned})
    scored = {step.payload["chunk"]["index"] for step in encodes if (step.result or {})["probes"]}
    assert scored == set(windows)
    _run_ready(embedded, engine, job_id)
    assert embedded.state(job_id) == "done", embedded.row(job_id).error
    assert (_made(embedded, job_id)["mobile-540p"].facts or {})["frames"] == 200


def test_rungs_without_a_target_wait_for_no_scores(embedded: Bench, tmp_path: Path) -> None:
    """As the 8K rung of its ladder: for want of memory a group of its own, and no CRF to find."""
    clip = _four_shots(tmp_path / "clip.mp4")
    embedded.settings = replace(
        embedded.settings, cores=2, chunk_min_s=2.0, search_share=0.9, memory_bytes=ONE_OF_BOTH
    )
    request = {"profiles": ["mobile-540p", "review-proxy"], "scores": False}
    job_id = _upload(embedded, clip, request)
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    embedded.closing.callback(engine.close)
    _run_ready(embedded, engine, job_id, but="encode")
    plan = embedded.row(job_id).plan or {}
    assert plan["together"] == [["mobile-540p"], ["review-proxy"]]
    assert plan["steering"]["profiles"] == ["mobile-540p"]

    encodes = [step for step in embedded.steps(job_id).values() if step.kind == "encode"]
    groups = {
        name: [step for step in encodes if step.name.endswith(f": {name}")]
        for name in request["profiles"]
    }
    assert [len(group) for group in groups.values()] == [4, 4]
    assert {step.state for step in groups["review-proxy"]} == {"ready"}
    assert sorted(step.state for step in groups["mobile-540p"]) == ["ready", *["waiting"] * 3]
    _run_ready(embedded, engine, job_id)
    assert embedded.state(job_id) == "done", embedded.row(job_id).error
    frames = {name: (row.facts or {})["frames"] for name, row in _made(embedded, job_id).items()}
    assert frames == {"mobile-540p": 200, "review-proxy": 200}


def _four_shots(path: Path) -> Path:
    """Eight seconds of 320x180 at 25 fps with grain; each two seconds are a shot."""
    picture = "testsrc2=s=320x180:r=25:d=8,noise=alls=6:allf=t,negate=enable='lt(mod(t,4),2)'"
    argv = [ffmpeg(), "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "libx264", "-g", "12"]
    subprocess.run([*argv, "-preset", "ultrafast", "-qp", "6", "-y", str(path)], check=True)
    return path


def _crf_of(argv: Sequence[str]) -> float:
    return float(argv[argv.index("-crf") + 1])


@pytest.mark.parametrize(("kind", "digits"), [("sha1", 40), ("sha256", 64), ("sha512", 128)])
def test_a_wrong_hash_never_becomes_an_asset(
    embedded: Bench, tmp_path: Path, kind: str, digits: int
) -> None:
    """There is an upload that was rejected, and nothing in the store."""
    clip = _clip(tmp_path / "clip.mp4")
    job_id = _upload(embedded, clip, {}, **{kind: "0" * digits})
    embedded.service(KINDS)
    assert embedded.settled(job_id) == "failed"
    assert (embedded.row(job_id).error or {})["code"] == "hash_mismatch"
    eventually(lambda: embedded.keys("assets/") == [])
    with embedded.database.read() as session:
        assert session.scalars(select(Asset)).all() == []
        assert session.scalars(select(Upload.state)).all() == ["rejected"]


class _BadLink(LocalStore):
    """A store behind a link that changes a bit of the first file that it brings."""

    bad = True

    @contextmanager
    def fetch(self, key: str, scratch: Path, check: Callable[[], None] = never) -> Iterator[Path]:
        with super().fetch(key, scratch, check) as path:
            if not self.bad:
                yield path
                return
            self.bad, changed = False, bytearray(path.read_bytes())
            changed[100] ^= 1
            (scratch / "changed").write_bytes(changed)
            yield scratch / "changed"


def test_a_master_is_not_thrown_away_for_one_reading(embedded: Bench, tmp_path: Path) -> None:
    """What differs once is read again, by a fresh fetch."""
    clip = _clip(tmp_path / "clip.mp4")
    sha256 = hashlib.sha256(clip.read_bytes()).hexdigest()
    job_id = _upload(embedded, clip, {}, sha256=sha256)
    (step,) = embedded.steps(job_id).values()
    store = _BadLink(embedded.settings.data / "objects", b"key", "http://kapok.test")
    engine = Engine(embedded.settings, embedded.database, store, embedded.broker)
    embedded.closing.callback(engine.close)
    engine.run_step(step.id)
    assert not store.bad
    with embedded.database.read() as session:
        assert session.scalars(select(Asset.sha256)).all() == [sha256]


class _Sizeless(LocalStore):
    """A store behind a proxy whose first answers to HEAD say 0 bytes."""

    answers = 0

    def stat(self, key: str) -> ObjectFacts:
        self.answers += 1
        return ObjectFacts(0) if self.answers < 3 else super().stat(key)


def test_a_master_is_not_thrown_away_for_a_size_that_nobody_counted(
    embedded: Bench, tmp_path: Path
) -> None:
    """Its bytes are all there; the step waits until the store says so."""
    job_id = _upload(embedded, _clip(tmp_path / "clip.mp4"), {})
    (step,) = embedded.steps(job_id).values()
    store = _Sizeless(embedded.settings.data / "objects", b"key", "http://kapok.test")
    engine = Engine(embedded.settings, embedded.database, store, embedded.broker)
    embedded.closing.callback(engine.close)
    engine.run_step(step.id)
    assert embedded.steps(job_id)[step.name].state == "done"


class _FullDisk(LocalStore):
    """A store beside a scratch disk without room."""

    def fetch(
        self, key: str, scratch: Path, check: Callable[[], None] = never
    ) -> AbstractContextManager[Path]:
        raise DiskFull("no room in the scratch folder")


def test_two_inspections_of_an_asset_keep_their_images_apart(
    embedded: Bench, tmp_path: Path
) -> None:
    """A second job came before the first had inspected: what fails removes only its own."""
    job_id = _upload(embedded, _clip(tmp_path / "clip.mp4"), {})
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    embedded.closing.callback(engine.close)
    engine.run_step(embedded.steps(job_id)["verify the upload"].id)
    with embedded.database.begin() as session:
        asset = session.get_one(Asset, embedded.row(job_id).asset_id)
        other_id = jobs.start_job(session, asset, {}, "test").id
    prefixes = []
    for one in (job_id, other_id):
        engine.run_step(embedded.steps(one)["inspect the source"].id)
        with embedded.database.read() as session:
            prefixes.append(session.get_one(Asset, asset.id).inspection_prefix)
    assert None not in prefixes
    assert prefixes[0] != prefixes[1]
    assert all(embedded.keys(str(prefix)) for prefix in prefixes)


def test_a_full_disk_keeps_the_upload_and_a_retry_makes_the_asset(
    embedded: Bench, tmp_path: Path
) -> None:
    """Only bytes that are proven wrong are deleted: a master may exist once."""
    clip = _clip(tmp_path / "clip.mp4")
    job_id = _upload(embedded, clip, {})
    (step,) = embedded.steps(job_id).values()
    embedded.change(step.id, attempts=step.max_attempts - 1)
    full = _FullDisk(embedded.settings.data / "objects", b"key", "http://kapok.test")
    engine = Engine(embedded.settings, embedded.database, full, embedded.broker)
    embedded.closing.callback(engine.close)
    engine.run_step(step.id)
    assert (embedded.state(job_id), (embedded.row(job_id).error or {})["code"]) == (
        "failed",
        "disk_full",
    )
    Sweeper(embedded.settings, embedded.database, embedded.objects, embedded.broker).sweep()
    assert len(embedded.keys("assets/")) == 1
    embedded.retry(job_id)
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    embedded.closing.callback(engine.close)
    engine.run_step(step.id)
    assert embedded.steps(job_id)["verify the upload"].state == "done"
