"""Uploads: every state has one way in, and none becomes an asset by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session
from worlds import WRONG, World, at_once

from pipelines.errors import HashMismatch
from storage.catalogue import assets, events, jobs, uploads
from storage.clock import now
from storage.errors import JobConflict, UploadConflict, UploadNotFound
from storage.schema import Upload

MIB = 1024 * 1024
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (0, 64 * MIB),
        (1, 64 * MIB),
        (9_000 * 64 * MIB, 64 * MIB),
        (9_000 * 64 * MIB + 1, 64 * MIB + 1),
        (5 * 1024**4, 610_839_794),
    ],
)
def test_part_size_is_64_mib_or_a_nine_thousandth(size_bytes: int, expected: int) -> None:
    """So that S3's 10,000 parts are enough for its largest object."""
    assert uploads.part_size(size_bytes) == expected
    assert uploads.part_count(size_bytes, expected) <= 9_000


def test_completing_begins_a_job_whose_first_step_proves_the_bytes(world: World) -> None:
    """The upload knows its job, and the asset is not there yet."""
    upload = world.upload(request={"profiles": ["archive-ffv1"], "zone": "heritage"})
    job = world.write(lambda session: uploads.complete_upload(session, upload, "key_test"))
    assert job.request == {"profiles": ["archive-ffv1"], "zone": "heritage"}
    assert (job.state, job.asset_id, job.upload_id) == ("queued", None, upload.id)
    [step] = world.read(lambda session: jobs.job_steps(session, job.id))
    assert (step.kind, step.queue, step.state) == ("fixity", "inspect", "ready")
    found = reread(world, upload)
    assert (found.state, found.job_id) == ("complete", job.id)
    assert found.completed_at is not None


def reread(world: World, upload: Upload) -> Upload:
    return world.read(lambda session: uploads.get_upload(session, world.organisation_id, upload.id))


def test_of_ten_completes_at_once_exactly_one_begins_a_job(world: World) -> None:
    """The others get a conflict, and there is one job."""
    upload = world.upload()

    def complete() -> str:
        try:
            world.write(lambda session: uploads.complete_upload(session, upload, "key_test"))
        except UploadConflict as error:
            return error.code
        return "begun"

    found = at_once([complete] * 10)
    assert sorted(found) == ["begun"] + ["upload_not_open"] * 9
    listed = world.read(lambda session: jobs.list_jobs(session, world.organisation_id))
    assert len(listed.data) == 1


def _abort(session: Session, upload: Upload) -> object:
    return uploads.abort_upload(session, upload, "key_test")


def _expire(session: Session, upload: Upload) -> object:
    return uploads.expire_upload(session, upload, upload.expires_at + timedelta(seconds=1))


def _reject(session: Session, upload: Upload) -> object:
    return uploads.reject_upload(session, upload, WRONG)


@pytest.mark.parametrize(
    ("end", "state"), [(_abort, "aborted"), (_expire, "expired"), (_reject, "rejected")]
)
def test_an_upload_that_ended_is_not_completed_or_aborted(
    world: World, end: Callable[[Session, Upload], object], state: str
) -> None:
    """The answer names the state; the store's leftovers are listed until they are gone."""
    upload = world.upload()
    world.write(lambda session: end(session, upload))
    for act in (uploads.complete_upload, uploads.abort_upload):
        with pytest.raises(UploadConflict, match=f"is {state}"):
            world.write(lambda session, act=act: act(session, upload, "key_test"))
    [dead] = to_clean(world)
    assert dead.id == upload.id
    world.write(lambda session: uploads.mark_cleaned(session, dead))
    assert to_clean(world) == []


def to_clean(world: World, after: timedelta = timedelta(0)) -> list[Upload]:
    return world.read(lambda session: uploads.uploads_to_clean(session, now(session) + after))


def test_what_is_dead_is_cleaned_once_more_an_hour_later(world: World) -> None:
    """The store may have ended a completion in between; of two sweepers at once neither counts as
    the second time.
    """
    upload = world.upload()
    world.write(lambda session: _abort(session, upload))
    for found in [*to_clean(world), *to_clean(world)]:
        world.write(lambda session, found=found: uploads.mark_cleaned(session, found))
    assert to_clean(world, timedelta(minutes=59)) == []
    [again] = to_clean(world, timedelta(minutes=61))
    assert (again.id, again.cleaned_at) == (upload.id, None)
    world.write(lambda session: uploads.mark_cleaned(session, again))
    assert to_clean(world, timedelta(days=999)) == []


def test_uploads_that_cannot_be_cleaned_hide_none(world: World) -> None:
    """Nor do late ones that cannot be ended: a sweep takes some, and not always the same."""
    dead = [world.upload() for _ in range(4)]
    for upload in dead:
        world.write(lambda session, one=upload: _abort(session, one))
    late = {upload.id for upload in [world.upload() for _ in range(4)]}
    late |= {_failed_before_there_was_an_asset(world).id for _ in range(4)}
    ended = world.read(now) + timedelta(days=365)
    cleaned, expired = set[str](), set[str]()
    for _ in range(200):
        found = world.read(lambda s: uploads.uploads_to_clean(s, ended, 2))
        cleaned |= {one.id for one in found}
        found = world.read(lambda s: uploads.late_uploads(s, ended, DAY_S, 2))
        expired |= {one.id for one in found}
    assert cleaned == {upload.id for upload in dead}
    assert expired == late


def test_only_open_uploads_whose_time_is_over_expire(world: World) -> None:
    """A complete one waits for its worker as long as it takes."""
    late, complete, young = (world.upload() for _ in range(3))
    moment = world.read(now)

    def age(session: Session) -> None:
        for upload in (late, complete):
            row = uploads.get_upload(session, world.organisation_id, upload.id)
            row.expires_at = moment - timedelta(seconds=1)

    world.write(age)
    world.write(lambda session: uploads.complete_upload(session, complete, "key_test"))
    found = world.read(lambda session: uploads.late_uploads(session, moment, DAY_S))
    assert [upload.id for upload in found] == [late.id]
    for upload in (late, complete, young):
        world.write(lambda session, one=upload: uploads.expire_upload(session, one, moment))
    states = [reread(world, upload).state for upload in (late, complete, young)]
    assert states == ["expired", "complete", "open"]


def test_hashes_that_the_client_learnt_are_kept_in_lower_case(world: World) -> None:
    """Museums write MD5 in capitals."""
    upload = world.upload(declared={"md5": "AB" * 16})
    world.write(
        lambda session: uploads.complete_upload(session, upload, "k", {"sha256": "CD" * 32})
    )
    assert reread(world, upload).declared == {"md5": "ab" * 16, "sha256": "cd" * 32}


def test_a_hash_that_contradicts_the_first_is_refused(world: World) -> None:
    """And the upload stays open."""
    upload = world.upload(declared={"sha256": "ab" * 32})
    with pytest.raises(HashMismatch):
        world.write(
            lambda session: uploads.complete_upload(session, upload, "k", {"sha256": "cd" * 32})
        )
    assert reread(world, upload).state == "open"


def test_proven_bytes_become_an_asset_with_what_the_upload_said(world: World) -> None:
    """Its id was reserved when the upload began."""
    upload = world.upload(request={"metadata": {"creator": "广东广播电视台"}})
    job = world.write(lambda session: uploads.complete_upload(session, upload, "key_test"))

    def prove(session: Session) -> None:
        assets.create_asset(
            session,
            uploads.get_upload(session, world.organisation_id, upload.id),
            jobs.get_job(session, world.organisation_id, job.id),
            sha256="ab" * 32,
        )

    world.write(prove)
    asset = world.read(
        lambda session: assets.get_asset(session, world.organisation_id, upload.asset_id)
    )
    assert (asset.state, asset.sha256, asset.source_key) == ("processing", "ab" * 32, upload.key)
    assert asset.metadata_ == {"creator": "广东广播电视台"}
    assert reread(world, upload).state == "verified"


def test_uploads_are_listed_by_state_newest_first(world: World) -> None:
    """As an uploader looks for what is still open."""
    made = [world.upload().id for _ in range(3)]
    aborted = world.upload()
    world.write(lambda session: uploads.abort_upload(session, aborted, "key_test"))
    page = world.read(
        lambda session: uploads.list_uploads(session, world.organisation_id, state="open")
    )
    assert [upload.id for upload in page.data] == made[::-1]


def test_another_organisations_upload_is_not_found(world: World) -> None:
    """Its existence is not even told."""
    upload = world.upload()
    with pytest.raises(UploadNotFound):
        world.read(lambda session: uploads.get_upload(session, "org_other", upload.id))


def test_every_end_of_an_upload_is_in_the_events(world: World) -> None:
    """With the actor who asked for it."""
    after = world.read(events.head)
    upload = world.upload()
    world.write(lambda session: uploads.abort_upload(session, upload, "key_alice"))
    found = world.read(lambda session: events.read(session, world.organisation_id, after, 10))
    assert [(event.type, event.actor) for event in found] == [
        ("upload.created", "key_test"),
        ("upload.aborted", "key_alice"),
    ]


def _failed_before_there_was_an_asset(world: World) -> Upload:
    """Its first step failed for a reason that says nothing about the bytes."""
    upload = world.upload()
    job = world.write(lambda session: uploads.complete_upload(session, upload, "key_test"))
    [(step_id, _)] = world.read(lambda session: jobs.ready_steps(session, job.id))
    world.fail(step_id, {**WRONG, "code": "disk_full"})
    return reread(world, upload)


def test_an_upload_whose_job_failed_waits_for_a_retry_and_then_goes(world: World) -> None:
    """The master is not deleted because a disk was full; nor is it kept for ever."""
    upload = _failed_before_there_was_an_asset(world)

    def expire(after: timedelta) -> list[Upload]:
        moment = world.read(now) + after
        found = world.read(lambda session: uploads.late_uploads(session, moment, DAY_S))
        for late in found:
            world.write(lambda session, late=late: uploads.expire_upload(session, late, moment))
        return found

    assert expire(timedelta(hours=23)) == []
    assert [late.id for late in expire(timedelta(hours=25))] == [upload.id]
    assert [dead.id for dead in to_clean(world)] == [upload.id]
    with pytest.raises(JobConflict, match="its bytes are gone"):
        world.write(
            lambda session: jobs.retry_job(
                session, jobs.get_job(session, world.organisation_id, str(upload.job_id)), "key"
            )
        )


def test_an_upload_whose_job_failed_may_be_aborted_but_not_while_it_is_retried(
    world: World,
) -> None:
    """Whoever does not want to retry it frees its room at once."""
    upload = _failed_before_there_was_an_asset(world)

    def retry(session: Session) -> object:
        job = jobs.get_job(session, world.organisation_id, str(upload.job_id))
        return jobs.retry_job(session, job, "key_test")

    world.write(retry)
    with pytest.raises(UploadConflict, match="is complete"):
        world.write(lambda session: _abort(session, upload))
    [(step_id, _)] = world.read(lambda session: jobs.ready_steps(session, str(upload.job_id)))
    world.fail(step_id, WRONG)
    world.write(lambda session: _abort(session, upload))
    assert reread(world, upload).state == "aborted"


def test_two_who_begin_an_upload_in_the_store_agree_on_one(world: World) -> None:
    """The second learns the id of the first, and drops its own."""
    upload = world.upload()
    found = at_once(
        [
            lambda name=name: world.write(
                lambda session: uploads.begin_in_store(session, upload, name).store_upload_id
            )
            for name in ("mpu_a", "mpu_b")
        ]
    )
    assert found[0] == found[1]
    assert found[0] in {"mpu_a", "mpu_b"}
