"""What the sweeper finds in the catalogue and in the store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest
from engine_bench import Bench, eventually
from small_steps import payload
from sqlalchemy.orm import Session

from storage.catalogue import jobs, keys, publications, renditions, steps, uploads, zones
from storage.catalogue.steps import NewStep
from storage.clock import now
from storage.database import Database
from storage.errors import CatalogueUnavailable, MultipartNotFound, StoreRefused, StoreUnavailable
from storage.ids import new_id
from storage.objects import ObjectStore
from storage.objects_local import LocalStore
from storage.schema import Asset, Job, Upload
from workers import sweeper as sweeper_module
from workers.asset_objects import tidy_assets
from workers.broker import QUEUES, enqueue, messages_waiting
from workers.sweeper import Sweeper
from workers.work_objects import Attempt, Standing, may_be_needed, sweep_work


def _sweeper(
    bench: Bench, resend_after_s: float | None = None, *, steady_s: float = 0.0
) -> Sweeper:
    settings = bench.settings
    if resend_after_s is not None:
        settings = replace(settings, resend_after_s=resend_after_s)
    return Sweeper(settings, bench.database, bench.objects, bench.broker, steady_s=steady_s)


def _age_messages(bench: Bench, job_id: str, seconds: float) -> None:
    with bench.database.begin() as session:
        moment = now(session) - timedelta(seconds=seconds)
    for step in bench.steps(job_id).values():
        bench.change(step.id, sent_at=moment)


def _expired_upload(bench: Bench) -> tuple[str, str]:
    """Ids of an upload whose time is over: the store's and the catalogue's."""
    with bench.database.begin() as session:
        store_id = bench.objects.create_multipart("k", size_bytes=9, part_size_bytes=9)
        upload = uploads.create_upload(
            session,
            organisation_id=bench.organisation_id,
            title="clip",
            file_name="clip.mp4",
            size_bytes=9,
            part_size_bytes=9,
            key="k",
            declared={},
            request={"subtitles": [{"key": "assets/ast_x/subtitles/1"}]},
            expires_at=now(session) - timedelta(seconds=1),
            actor="test",
        )
        uploads.begin_in_store(session, upload, store_id)
    return store_id, upload.id


class _Catalogue(Database):
    """A catalogue whose server can be away."""

    away = False

    @contextmanager
    def begin(self) -> Iterator[Session]:
        self._answer()
        with super().begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        self._answer()
        with super().read() as session:
            yield session

    def _answer(self) -> None:
        if self.away:
            raise CatalogueUnavailable("no answer")


class _Away:
    """A store whose server is stopped."""

    def __getattr__(self, call: str) -> NoReturn:
        raise StoreUnavailable(f"no answer to {call}")


def test_what_was_never_sent_is_sent_once(embedded: Bench) -> None:
    """A crash between commit and send leaves exactly this."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    sweeper = _sweeper(embedded)
    sweeper.sweep()
    sweeper.sweep()
    assert messages_waiting(embedded.broker, "encode") == 1
    assert embedded.steps(job)["one"].sent_at is not None


def test_a_lost_message_is_sent_again(embedded: Bench) -> None:
    """It was sent long ago, the step is still ready, and the queue is empty."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    sweeper = _sweeper(embedded, resend_after_s=30.0)
    sweeper.sweep()
    embedded.broker.flush("encode")
    sweeper.sweep()
    assert messages_waiting(embedded.broker, "encode") == 0
    _age_messages(embedded, job, 60)
    sweeper.sweep()
    assert messages_waiting(embedded.broker, "encode") == 1


def test_a_long_queue_is_not_made_longer(embedded: Bench) -> None:
    """Ten steps have waited for an hour because the workers are busy: their messages are there."""
    job = embedded.job(*(NewStep("encode", f"{n}", payload("encode")) for n in range(10)))
    sweeper = _sweeper(embedded)
    sweeper.sweep()
    _age_messages(embedded, job, 3600)
    sweeper.sweep()
    assert messages_waiting(embedded.broker, "encode") == 10


def test_a_new_process_sends_at_once_what_its_predecessor_had_queued(embedded: Bench) -> None:
    """The embedded queue dies with its process; its successor must not wait to notice."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    _age_messages(embedded, job, 0.1)
    _sweeper(embedded).sweep()
    assert messages_waiting(embedded.broker, "encode") == 1


@pytest.mark.services
def test_each_broker_counts_its_waiting_messages(distributed: Bench) -> None:
    """The count decides whether messages were lost, so it must be the real queue's."""
    sent = [("stp_1", "encode"), ("stp_2", "encode"), ("stp_3", "measure")]
    assert enqueue(distributed.broker, sent) == ["stp_1", "stp_2", "stp_3"]
    waiting = [messages_waiting(distributed.broker, queue) for queue in QUEUES]
    assert dict(zip(QUEUES, waiting, strict=True)) == {
        "inspect": 0,
        "encode": 2,
        "measure": 1,
        "package": 0,
        "deliver": 0,
    }


def test_a_copy_that_a_kill_cut_short_is_swept_after_a_day(embedded: Bench) -> None:
    """It may be hundreds of gigabytes, and no row or key names it."""
    left = embedded.stored("assets/x").parents[2] / "incoming" / "put_1"
    left.write_bytes(b"half of it")
    _sweeper(embedded).sweep()
    assert left.exists()
    moment = time.time() - 100_000
    os.utime(left, (moment, moment))
    _sweeper(embedded).sweep()
    assert not left.exists()


def test_an_expired_upload_leaves_nothing_in_the_store(embedded: Bench) -> None:
    """Parts of gigabytes are not kept for a client that went away."""
    store_id, upload_id = _expired_upload(embedded)
    embedded.objects.put_bytes(b"words", "assets/ast_x/subtitles/1")
    _sweeper(embedded).sweep()
    with embedded.database.read() as session:
        row = session.get_one(Upload, upload_id)
    assert (row.state, row.clean_again_at is not None) == ("expired", True)
    with pytest.raises(MultipartNotFound):
        embedded.objects.list_parts("k", store_id)
    assert embedded.keys("assets/") == []


def test_no_upload_expires_before_the_clock_has_been_steady(embedded: Bench) -> None:
    """A machine may start with a clock that is days ahead, until the network tells it the time."""
    _, upload_id = _expired_upload(embedded)
    _sweeper(embedded, steady_s=60).sweep()
    with embedded.database.read() as session:
        assert session.get_one(Upload, upload_id).state == "open"


def test_a_clock_that_is_set_has_to_be_steady_anew(
    embedded: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the catalogue's own, which may be another machine's."""
    sweeper, real = _sweeper(embedded, steady_s=0.2), now

    def is_steady() -> bool:
        with embedded.database.read() as session:
            sweeper._moment(session)
        return sweeper._is_steady()

    assert not is_steady()
    time.sleep(0.3)
    assert is_steady()
    monkeypatch.setattr(sweeper_module, "now", lambda session: real(session) + timedelta(days=3))
    assert not is_steady()


@pytest.mark.parametrize("stall", ["before", "after"])
def test_a_slow_answer_is_no_clock_that_is_set(
    embedded: Bench, monkeypatch: pytest.MonkeyPatch, stall: str
) -> None:
    """A busy disk or network holds up the question or its answer; the clock went on evenly."""
    sweeper, real = _sweeper(embedded, steady_s=0.0), now
    ahead_s = 0.0

    def slowly(session: Session) -> datetime:
        if stall == "before":
            time.sleep(1.3)
        moment = real(session) + timedelta(seconds=ahead_s)
        if stall == "after":
            time.sleep(1.3)
        return moment

    def look() -> float:
        with embedded.database.read() as session:
            sweeper._moment(session)
        return sweeper._steady_since

    since = look()
    monkeypatch.setattr(sweeper_module, "now", slowly)
    assert look() == since
    ahead_s = 3.0  # set, and seen to be so, however slow the answer
    assert look() > since
    monkeypatch.setattr(sweeper_module, "now", lambda session: real(session) + timedelta(seconds=3))
    since = look()
    assert look() == since


def test_a_clock_that_is_set_takes_no_step_from_its_worker(
    embedded: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All leases looked over at once: their holders get the time to renew them first."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    with embedded.database.begin() as session:
        assert steps.claim_step(session, embedded.steps(job)["one"].id, "worker", 30.0)
    sweeper = _sweeper(embedded)
    sweeper.sweep()
    time.sleep(embedded.settings.lease_s / 2)
    monkeypatch.setattr(sweeper_module, "now", lambda session: now(session) + timedelta(minutes=1))

    def state() -> str:
        sweeper.sweep()
        return embedded.steps(job)["one"].state

    assert state() == "running"
    time.sleep(embedded.settings.lease_s / 2)
    assert state() == "ready"


def test_a_master_whose_completion_the_catalogue_lost_is_taken_not_deleted(bench: Bench) -> None:
    """A restored catalogue says `open`; only a client's `complete` put the object there."""
    store_id, upload_id = _expired_upload(bench)
    bench.objects.abort_multipart("k", store_id)
    bench.objects.put_bytes(b"123456789", "k")
    _sweeper(bench).sweep()
    with bench.database.read() as session:
        row = session.get_one(Upload, upload_id)
        [step] = jobs.job_steps(session, str(row.job_id))
    assert (row.state, row.clean_again_at) == ("complete", None)
    assert (step.kind, step.state) == ("fixity", "ready")
    assert bench.objects.stat("k").size_bytes == 9


def test_only_the_winner_and_the_runner_may_be_read() -> None:
    """Every other attempt's objects are what a dead or late worker left."""
    standing = Standing(
        "running", 0.0, work_deleted=False, steps={"done": ("done", 2), "runs": ("running", 3)}
    )
    assert may_be_needed(Attempt("job", "done", 2), standing)
    assert may_be_needed(Attempt("job", "runs", 3), standing)
    assert not may_be_needed(Attempt("job", "done", 1), standing)
    assert not may_be_needed(Attempt("job", "runs", 2), standing)
    assert not may_be_needed(Attempt("job", "gone", 1), standing)
    assert not may_be_needed(Attempt("job", "done", 2), None)


def test_the_work_of_a_failed_job_waits_for_a_retry_and_then_goes(
    embedded: Bench, tmp_path: Path
) -> None:
    """A retry that comes after that makes it again."""
    job = embedded.job(
        NewStep("encode", "one", payload("encode")),
        NewStep("join", "two", payload("fail", how="permanent"), after=("one",)),
    )
    engine = embedded.engine()
    for name in ("one", "two"):
        engine.run_step(embedded.steps(job)[name].id)
    assert embedded.state(job) == "failed"
    stray = f"work/{job}/{embedded.steps(job)['two'].id}/1/half.mp4"
    embedded.objects.put_bytes(b"half", stray)
    kept = embedded.keys("work/")
    sweep_work(embedded.database, embedded.objects, failed_ttl_s=3600)
    assert embedded.keys("work/") == [key for key in kept if key != stray]
    sweep_work(embedded.database, embedded.objects, failed_ttl_s=-1)
    assert embedded.keys("work/") == []
    embedded.retry(job)
    assert [step.state for step in embedded.steps(job).values()] == ["ready", "waiting"]


def test_what_another_catalogue_keeps_in_the_store_is_not_swept(
    embedded: Bench, tmp_path: Path
) -> None:
    """A second installation on one bucket knows none of the first one's jobs."""
    _sweeper(embedded).sweep()
    embedded.objects.put_bytes(b"chunk", "work/job_x/stp_x/1/chunk.mp4")
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.migrate()
    with other.begin() as session:
        keys.create_organisation(session, "other")
    Sweeper(embedded.settings, other, embedded.objects, embedded.broker).sweep()
    other.close()
    assert embedded.keys("work/") == ["work/job_x/stp_x/1/chunk.mp4"]


def test_the_work_of_a_done_job_goes_at_once(embedded: Bench) -> None:
    """Its renditions lie elsewhere; nobody reads its chunks again."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    embedded.engine().run_step(embedded.steps(job)["one"].id)
    assert embedded.keys("work/") == []
    with embedded.database.read() as session:
        assert session.get_one(Job, job).work_deleted_at is not None


def test_leases_are_not_freed_just_after_the_catalogue_was_away(embedded: Bench) -> None:
    """Everybody's leases ran out during the outage: the holders renew before they are judged."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    step = embedded.steps(job)["one"]
    with embedded.database.begin() as session:
        steps.claim_step(session, step.id, "holder", 30.0)
    database = _Catalogue(embedded.settings.database_url)
    sweeper = Sweeper(embedded.settings, database, embedded.objects, embedded.broker)
    time.sleep(embedded.settings.lease_s)  # a fresh sweeper's own patience is over
    embedded.let_lease_run_out(step.id)
    database.away = True
    sweeper.sweep()
    database.away = False
    sweeper.sweep()
    assert embedded.steps(job)["one"].state == "running"
    time.sleep(embedded.settings.lease_s / 2)
    sweeper.sweep()
    assert embedded.steps(job)["one"].state == "ready"
    database.close()


def test_a_store_that_is_away_does_not_keep_leases_from_being_freed(embedded: Bench) -> None:
    """Dead uploads wait to be cleaned all the while; that must not look like a silent catalogue."""
    _expired_upload(embedded)
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    with embedded.database.begin() as session:
        steps.claim_step(session, embedded.steps(job)["one"].id, "dead", 30.0)
    embedded.let_lease_run_out(embedded.steps(job)["one"].id)
    away = cast("ObjectStore", _Away())
    sweeper = Sweeper(embedded.settings, embedded.database, away, embedded.broker, steady_s=0.0)

    def freed() -> bool:
        sweeper.sweep()
        return embedded.steps(job)["one"].state == "ready"

    eventually(freed, within_s=5)


def test_a_message_lost_behind_a_long_queue_is_sent_again(embedded: Bench) -> None:
    """More encodes wait than one sweep looks at; the measurement is found all the same."""
    many = (NewStep("encode", f"{n}", payload("encode")) for n in range(sweeper_module.BATCH + 1))
    job = embedded.job(*many, NewStep("measure", "lost", payload("encode")))
    sweeper = _sweeper(embedded)
    sweeper.sweep()
    sweeper.sweep()
    embedded.broker.flush("measure")
    _age_messages(embedded, job, 3600)
    sweeper.sweep()
    assert messages_waiting(embedded.broker, "measure") == 1


def test_what_no_row_names_under_an_asset_goes_once_its_jobs_are_over(bench: Bench) -> None:
    """A worker that died left segments; a later attempt won, or none did."""
    job = bench.job(NewStep("encode", "one", payload("encode")))
    asset_id = str(bench.row(job).asset_id)
    kept, dead = (
        f"assets/{asset_id}/renditions/ren_1/2/a.mp4",
        (
            f"assets/{asset_id}/inspection/stp_1/1/poster-1.jpg",
            f"assets/{asset_id}/packages/pkg_1/1/segment.m4s",
            f"assets/{asset_id}/publications/pub_{'0' * 26}/1/manifest.json",
            f"assets/{asset_id}/renditions/ren_1/1/a.mp4",
        ),
    )
    source = f"assets/{asset_id}/source/upl_1"
    for key in (kept, source, *dead):
        bench.objects.put_bytes(b"x", key)
    with bench.database.begin() as session:
        rung = {"profile": "mobile-540p", "profile_version": 1}
        (rendition_id,) = renditions.plan_renditions(session, bench.row(job), [rung])
        facts = {"sha256": "ab" * 32, "size_bytes": 1}
        renditions.mark_ready(session, rendition_id, key=kept, facts=facts, commands=[], tools={})
    assert tidy_assets(bench.database, bench.objects) == []  # the job may still write there
    bench.engine().run_step(bench.steps(job)["one"].id)
    assert sorted(tidy_assets(bench.database, bench.objects)) == sorted(dead)
    assert bench.keys("assets/") == sorted((kept, source))
    assert tidy_assets(bench.database, bench.objects) == []


def test_files_of_strangers_and_what_cannot_be_deleted_hold_up_no_tidying(bench: Bench) -> None:
    """A desktop leaves its files where it was shown the folder; an object may be locked."""
    job = bench.job(NewStep("encode", "one", payload("encode")))
    bench.engine().run_step(bench.steps(job)["one"].id)
    base = f"assets/{bench.row(job).asset_id}"
    strangers = ["work/Thumbs.db", "work/a/Thumbs.db", f"{base}/publications/Thumbs.db/x"]
    dead = ["work/job_a/stp_a/1/a", "work/job_b/stp_b/1/b", f"{base}/renditions/ren_1/1/a.mp4"]
    for key in (*strangers, *dead):
        bench.objects.put_bytes(b"x", key)
    if isinstance(bench.objects, LocalStore):
        for name in (".DS_Store", "@eaDir", ".nfs0001"):
            (bench.stored(strangers[0]).parent / name).touch()
            (bench.stored(dead[2]).parent / name).touch()
    locked = cast("ObjectStore", _Locked(bench.objects, dead[0]))
    sweep_work(bench.database, locked, failed_ttl_s=3600)
    assert tidy_assets(bench.database, bench.objects) == [dead[2]]
    assert bench.row(job).tidied_at is not None
    left = [*bench.keys("assets/"), *bench.keys("work/")]
    assert left == [strangers[2], strangers[0], strangers[1], dead[0]]


class _Locked:
    """A store that refuses to delete one object."""

    def __init__(self, objects: ObjectStore, key: str) -> None:
        self._objects, self._key = objects, key

    def delete_prefix(self, prefix: str) -> None:
        if self._key.startswith(prefix):
            raise StoreRefused("it is locked")
        self._objects.delete_prefix(prefix)

    def __getattr__(self, call: str) -> Any:
        return getattr(self._objects, call)


def test_a_manifest_that_got_no_row_goes_after_an_hour(embedded: Bench) -> None:
    """Until then its row may yet come; one that a row names stays, also when it was withdrawn."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    embedded.engine().run_step(embedded.steps(job)["one"].id)
    asset_id = str(embedded.row(job).asset_id)
    young, old, named = (
        f"assets/{asset_id}/publications/{pub}/manifest.json"
        for pub in (new_id("pub"), f"pub_{'0' * 26}", f"pub_{'0' * 25}1")
    )
    for key in (young, old, named):
        embedded.objects.put_bytes(key.encode(), key)
    with embedded.database.begin() as session:
        zone = zones.get_zone(session, embedded.organisation_id, "hd")
        asset = session.get_one(Asset, asset_id)
        row = publications.publish(session, asset, zone, {"files": []}, named, "test")
        publications.withdraw(session, row, "test")
    assert tidy_assets(embedded.database, embedded.objects) == [old]
    assert embedded.row(job).tidied_at is None
    embedded.objects.delete(young)
    assert tidy_assets(embedded.database, embedded.objects) == []
    assert embedded.row(job).tidied_at is not None
    assert embedded.keys(f"assets/{asset_id}/publications/") == [named]


def test_subtitle_files_that_no_job_names_go_after_an_hour(embedded: Bench) -> None:
    """A request stored them and was refused; those of every job stay."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    base = f"assets/{embedded.row(job).asset_id}/subtitles"
    named, old = f"{base}/sub_{'0' * 26}/abc", f"{base}/sub_{'0' * 25}1/abc"
    young, before_ids = f"{base}/{new_id('sub')}/abc", f"{base}/abc"
    for key in (named, old, young, before_ids):
        embedded.objects.put_bytes(b"words", key)
    with embedded.database.begin() as session:
        session.get_one(Job, job).request = {"subtitles": [{"key": named}]}
    embedded.engine().run_step(embedded.steps(job)["one"].id)
    assert tidy_assets(embedded.database, embedded.objects) == [old]


def test_something_stored_with_an_asset_makes_its_newest_job_untidy(embedded: Bench) -> None:
    """So that the sweeper looks at the asset again."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    embedded.engine().run_step(embedded.steps(job)["one"].id)
    asset_id = str(embedded.row(job).asset_id)
    tidy_assets(embedded.database, embedded.objects)
    with embedded.database.begin() as session:
        jobs.mark_untidy(session, asset_id)
    assert embedded.row(job).tidied_at is None
