"""Jobs: what their steps make of them, cancelling, and running again only what failed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import Session
from worlds import WRONG, World, at_once

from pipelines.profiles.profile import profile
from storage.catalogue import assets, events, jobs, renditions, steps, uploads
from storage.catalogue.profiles import add_profile
from storage.catalogue.steps import NewStep
from storage.clock import now
from storage.errors import InvalidCursor, JobConflict, JobNotFound
from storage.schema import Asset, Job

RUNGS = [
    {"profile": "mobile-1080p", "profile_version": 1, "container": "mp4"},
    {"profile": "mobile-720p", "profile_version": 1, "container": "mp4"},
]
PLAN = {"refused": [{"profile": "cn4k-hevc-hlg", "code": "would_upscale", "reason": "small"}]}
FACTS = {"sha256": "cd" * 32, "size_bytes": 1000}
SEEN = {
    "frames": 1,
    "thumbs": None,
    "data_channels": [],
    "later": [],
    "track_gaps": False,
    "held_s": "0/1",
}
INSPECTED, AGAIN = ["plan the renditions"], ["inspect the source", "plan the renditions"]


def planned(world: World, *more: NewStep) -> tuple[Job, dict[str, str]]:
    """An asset's job with two joins after one encode, and `more`; step ids by name."""
    asset = world.asset()
    [job] = world.read(
        lambda session: jobs.list_jobs(session, world.organisation_id, asset_id=asset.id)
    ).data
    world.finish(_ready(world, job)[0])
    claimed = world.claim(_ready(world, job)[0])
    follow = [
        NewStep("encode", "encode", {}),
        NewStep("join", "join mobile-1080p", {"profile": "mobile-1080p"}, after=("encode",)),
        NewStep("join", "join mobile-720p", {"profile": "mobile-720p"}, after=("encode",)),
        NewStep("package", "package", {}, after=("join",)),
        *more,
    ]

    def finish(session: Session) -> None:
        jobs.record_plan(session, job, PLAN, RUNGS)
        steps.finish_step(session, claimed, result={}, new_steps=follow)

    world.write(finish)
    return job, {step.name: step.id for step in follow}


def _ready(world: World, job: Job) -> list[str]:
    return [step.id for step in world.read(lambda session: jobs.ready_steps(session, job.id))]


def rendition_states(world: World, job: Job) -> dict[str, str]:
    return world.read(
        lambda session: {row.profile: row.state for row in renditions.of_job(session, job.id)}
    )


def make_renditions_ready(world: World, job: Job) -> None:
    for row in world.read(lambda session: renditions.of_job(session, job.id)):
        world.write(
            lambda session, row=row: renditions.mark_ready(
                session, row.id, key=f"k/{row.id}", facts=FACTS, commands=[["ffmpeg"]], tools={}
            )
        )


def test_a_job_is_done_when_every_step_is(world: World) -> None:
    """And then its asset is ready."""
    job, _ = planned(world)
    make_renditions_ready(world, job)
    world.finish_all(job.id)
    done = world.read(lambda session: jobs.get_job(session, world.organisation_id, job.id))
    assert (done.state, done.error) == ("done", None)
    assert done.finished_at is not None
    assert world.asset_state(str(done.asset_id)) == "ready"


def test_a_failed_step_fails_its_job_after_the_others_have_run(world: World) -> None:
    """One rendition failed: the other is made, the package never, and nothing is hidden."""
    job, ids = planned(world)
    world.finish(ids["encode"])
    world.fail(ids["join mobile-720p"], WRONG)
    assert world.job_state(job.id) == "running"
    world.finish(ids["join mobile-1080p"])
    failed = world.read(lambda session: jobs.get_job(session, world.organisation_id, job.id))
    assert (failed.state, failed.error) == ("failed", WRONG)
    assert world.states(job.id)["package"] == "waiting"
    assert world.asset_state(str(failed.asset_id)) == "failed"


@pytest.mark.parametrize("failed_first", [True, False])
def test_what_is_there_is_scored_though_a_join_failed(world: World, *, failed_first: bool) -> None:
    """As soon as each join is done or has failed, and once more for what a retry joins."""
    job, ids = planned(world, NewStep("measure", "measure", {}, after=("join",)))
    world.finish(ids["encode"])
    if failed_first:
        assert world.fail(ids["join mobile-720p"], WRONG).ready == []
        ready = world.finish(ids["join mobile-1080p"])
    else:
        assert world.finish(ids["join mobile-1080p"]) == []
        ready = world.fail(ids["join mobile-720p"], WRONG).ready
    assert [step.id for step in ready] == [ids["measure"]]
    assert world.job_state(job.id) == "running"
    world.finish(ids["measure"])
    assert world.job_state(job.id) == "failed"

    again = world.write(lambda session: jobs.retry_job(session, job, "key_test"))
    assert [step.id for step in again] == [ids["join mobile-720p"]]
    assert world.states(job.id)["measure"] == "waiting"
    ready = world.finish(ids["join mobile-720p"])
    assert sorted(step.id for step in ready) == sorted([ids["measure"], ids["package"]])
    world.finish_all(job.id)
    assert world.job_state(job.id) == "done"


def test_nothing_is_measured_where_every_join_failed(world: World) -> None:
    """The job has failed; a retry of it can still measure."""
    job, ids = planned(world, NewStep("measure", "measure", {}, after=("join",)))
    world.finish(ids["encode"])
    for name in ("join mobile-1080p", "join mobile-720p"):
        assert world.fail(ids[name], WRONG).ready == []
    assert world.states(job.id)["measure"] == "waiting"
    assert world.job_state(job.id) == "failed"
    world.write(lambda session: jobs.retry_job(session, job, "key_test"))
    world.finish_all(job.id)
    assert world.job_state(job.id) == "done"


def test_a_retry_measures_nothing_again_where_every_join_is_done(world: World) -> None:
    """It was the package that failed."""
    job, ids = planned(world, NewStep("measure", "measure", {}, after=("join",)))
    for name in ("encode", "join mobile-1080p", "join mobile-720p", "measure"):
        world.finish(ids[name])
    world.fail(ids["package"], WRONG)
    again = world.write(lambda session: jobs.retry_job(session, job, "key_test"))
    assert [step.id for step in again] == [ids["package"]]
    assert world.states(job.id)["measure"] == "done"


def test_what_is_there_is_measured_though_the_workers_of_a_join_died(world: World) -> None:
    """A step that is given up for good holds back no more than one that failed."""
    job, ids = planned(world, NewStep("measure", "measure", {}, after=("join",)))
    world.finish(ids["encode"])
    world.finish(ids["join mobile-1080p"])
    for _ in range(4):
        world.claim(ids["join mobile-720p"], lease_s=-1)
        world.write(lambda session: steps.free_expired(session, now(session)))
    assert world.states(job.id)["join mobile-720p"] == "failed"
    assert world.states(job.id)["measure"] == "ready"


def test_what_a_failed_job_still_planned_has_failed(world: World) -> None:
    """No rendition stays `planned` for ever."""
    job, ids = planned(world)
    world.fail(ids["encode"], WRONG)
    assert rendition_states(world, job) == {"mobile-1080p": "failed", "mobile-720p": "failed"}


def test_cancel_stops_what_waits_and_asks_what_runs(world: World) -> None:
    """The running step confirms; only then is the job cancelled."""
    job, ids = planned(world)
    claimed = world.claim(ids["encode"])
    world.write(lambda session: jobs.request_cancel(session, job, "key_test"))
    assert world.job_state(job.id) == "cancelling"
    assert world.states(job.id)["package"] == "cancelled"
    world.write(lambda session: steps.cancel_step(session, claimed))
    assert world.job_state(job.id) == "cancelled"
    assert world.asset_state(str(job.asset_id)) == "cancelled"
    assert set(rendition_states(world, job).values()) == {"cancelled"}


def test_cancel_without_a_running_step_is_immediate_and_may_be_repeated(world: World) -> None:
    """Asking twice is no error."""
    job, _ = planned(world)
    for _ in range(2):
        row = world.write(lambda session: jobs.request_cancel(session, job, "key_test"))
        assert row.state == "cancelled"


def test_a_done_job_cannot_be_cancelled(world: World) -> None:
    """There is nothing left to cancel, and the answer says so."""
    job, _ = planned(world)
    world.finish_all(job.id)
    with pytest.raises(JobConflict, match="is done"):
        world.write(lambda session: jobs.request_cancel(session, job, "key_test"))


def test_a_transient_failure_in_a_cancelling_job_is_not_tried_again(world: World) -> None:
    """What would be ready again is cancelled."""
    job, ids = planned(world)
    claimed = world.claim(ids["encode"])
    world.write(lambda session: jobs.request_cancel(session, job, "key_test"))
    error = {"code": "tool_failed", "detail": "x", "retryable": True}
    world.write(lambda session: steps.fail_step(session, claimed, error))
    assert world.step(ids["encode"]).state == "cancelled"
    assert world.job_state(job.id) == "cancelled"


def test_steps_that_a_plan_adds_while_its_job_is_cancelled_wait_for_a_retry(world: World) -> None:
    """The graph is complete, so that a retry finds every step that is needed."""
    step = NewStep("plan", "plan", {})
    job = world.job(step)
    claimed = world.claim(step.id)
    world.write(lambda session: jobs.request_cancel(session, job, "key_test"))
    world.write(
        lambda session: steps.finish_step(
            session, claimed, result={}, new_steps=[NewStep("encode", "e", {})]
        )
    )
    assert world.states(job.id) == {"plan": "done", "e": "cancelled"}
    assert world.job_state(job.id) == "cancelled"
    world.write(lambda session: jobs.retry_job(session, job, "key_test"))
    assert world.states(job.id) == {"plan": "done", "e": "ready"}


def test_a_retry_runs_what_failed_and_what_waited_but_nothing_that_is_done(world: World) -> None:
    """Attempts begin anew; the finished join is left alone."""
    job, ids = planned(world)
    world.finish(ids["encode"])
    world.finish(ids["join mobile-1080p"])
    world.fail(ids["join mobile-720p"], WRONG)
    ready = world.write(lambda session: jobs.retry_job(session, job, "key_test"))
    assert ready == [(ids["join mobile-720p"], "package")]
    row = world.step(ids["join mobile-720p"])
    assert (row.attempts, row.error, row.epoch) == (0, None, 1)
    assert world.asset_state(str(job.asset_id)) == "processing"
    assert set(rendition_states(world, job).values()) == {"planned"}
    world.finish_all(job.id)
    assert world.job_state(job.id) == "done"
    assert world.step(ids["join mobile-1080p"]).epoch == 1


def test_a_retry_after_its_work_was_deleted_encodes_again(world: World) -> None:
    """Chunks are gone, so whatever still needs them has them made again."""
    job, ids = planned(world)
    world.finish(ids["encode"])
    world.fail(ids["join mobile-720p"], WRONG)
    world.finish(ids["join mobile-1080p"])
    world.write(lambda session: jobs.mark_work_deleted(session, job.id))
    ready = world.write(lambda session: jobs.retry_job(session, job, "key_test"))
    assert ready == [(ids["encode"], "encode")]
    assert world.states(job.id)["join mobile-720p"] == "waiting"
    assert world.states(job.id)["join mobile-1080p"] == "done"


def test_a_retry_after_an_object_was_missing_encodes_again(world: World) -> None:
    """Its work went without anybody saying so; the same join would miss it for ever."""
    job, ids = planned(world)
    world.finish(ids["encode"])
    world.fail(ids["join mobile-720p"], {**WRONG, "code": "object_missing"})
    world.finish(ids["join mobile-1080p"])
    ready = world.write(lambda session: jobs.retry_job(session, job, "key_test"))
    assert ready == [(ids["encode"], "encode")]


def test_work_of_a_running_job_cannot_be_marked_deleted(world: World) -> None:
    """It is still needed."""
    job, _ = planned(world)
    with pytest.raises(JobConflict):
        world.write(lambda session: jobs.mark_work_deleted(session, job.id))


def test_a_running_job_is_not_retried(world: World) -> None:
    """Only a failed or cancelled one is."""
    job, _ = planned(world)
    with pytest.raises(JobConflict, match="only a failed or cancelled"):
        world.write(lambda session: jobs.retry_job(session, job, "key_test"))


def test_an_ingest_whose_upload_was_rejected_is_not_retried(world: World) -> None:
    """Its bytes are gone: the way out is another upload."""
    upload = world.upload()
    job = world.write(lambda session: uploads.complete_upload(session, upload, "key_test"))
    world.fail(_ready(world, job)[0], WRONG)
    world.write(lambda session: uploads.reject_upload(session, upload, WRONG))
    with pytest.raises(JobConflict, match="upload the file again"):
        world.write(lambda session: jobs.retry_job(session, job, "key_test"))


def test_a_ready_asset_stays_ready_when_a_later_job_fails(world: World) -> None:
    """What was finished once is still good; the failed job shows itself."""
    job, _ = planned(world)
    world.finish_all(job.id)
    asset = world.read(
        lambda session: assets.get_asset(session, world.organisation_id, str(job.asset_id))
    )
    second = world.write(lambda session: jobs.start_job(session, asset, {}, "key_test"))
    assert world.asset_state(asset.id) == "ready"
    world.fail(_ready(world, second)[0], WRONG)
    assert world.job_state(second.id) == "failed"
    assert world.asset_state(asset.id) == "ready"


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        (SEEN, INSPECTED),
        ({"frames": 1}, AGAIN),
        ({"frames": 1, "thumbs": None}, AGAIN),
        ({name: one for name, one in SEEN.items() if name != "track_gaps"}, AGAIN),
    ],
    ids=[
        "inspected",
        "by a version without thumbnails",
        "by one that took data for sound",
        "by one that took a pause for a jump",
    ],
)
def test_another_job_of_an_inspected_asset_begins_with_its_plan(
    seen: dict[str, object], steps: list[str], world: World
) -> None:
    """One decode of the source is enough, if it kept all that is needed now."""
    asset = world.asset()
    first = world.write(lambda session: jobs.start_job(session, asset, {}, "key_test"))
    assert list(world.states(first.id)) == ["inspect the source", "plan the renditions"]

    def inspected(session: Session) -> Job:
        row = assets.get_asset(session, world.organisation_id, asset.id)
        assets.record_inspection(session, row, {"format": "mxf"}, seen, "p/")
        return jobs.start_job(session, row, {"profiles": ["archive-ffv1"]}, "key_test")

    second = world.write(inspected)
    assert list(world.states(second.id)) == steps
    assert second.request == {"profiles": ["archive-ffv1"]}


MEASURED = {"max_cll_cd_m2": 900, "max_fall_cd_m2": 300}


@pytest.mark.parametrize(
    ("request_made", "light", "steps"),
    [
        ({"profiles": ["cn4k-hevc-pq"]}, None, AGAIN),
        ({"profiles": ["mobile-540p", "cn4k-hevc-pq-ts"]}, None, AGAIN),
        ({"profiles": ["cn4k-hevc-pq"]}, MEASURED, INSPECTED),
        ({"profiles": ["cn4k-hevc-hlg"]}, None, INSPECTED),
        ({"ladder": "archive"}, None, INSPECTED),
    ],
)
def test_pq_has_its_light_measured_where_no_inspection_has(
    request_made: dict[str, object],
    light: dict[str, int] | None,
    steps: list[str],
    world: World,
) -> None:
    """Its MaxCLL would be missing; what needs none is not inspected again."""
    asset = world.asset()

    def inspected(session: Session) -> Job:
        row = assets.get_asset(session, world.organisation_id, asset.id)
        seen = {**SEEN, "light": light}
        assets.record_inspection(session, row, {"format": "mxf"}, seen, "p/")
        return jobs.start_job(session, row, request_made, "key_test")

    assert list(world.states(world.write(inspected).id)) == steps


@pytest.mark.parametrize(("programme", "kept"), [(101, MEASURED), (102, None)])
def test_an_inspection_without_light_takes_none_away(
    programme: int, kept: dict[str, int] | None, world: World
) -> None:
    """What another job had measured of the same programme is not measured again for it."""
    asset = world.asset()

    def inspected(session: Session) -> None:
        row = assets.get_asset(session, world.organisation_id, asset.id)
        before = {**SEEN, "light": MEASURED, "light_colour": {"transfer": "smpte2084"}}
        assets.record_inspection(session, row, {"programme": 101}, before, "p/")
        after = {**SEEN, "light": None, "light_colour": None}
        assets.record_inspection(session, row, {"programme": programme}, after, "q/")

    world.write(inspected)
    found = world.read(lambda session: assets.get_asset(session, world.organisation_id, asset.id))
    seen = found.inspection or {}
    assert (seen["light"], found.inspection_prefix) == (kept, "q/")
    assert (seen["light_colour"] is None) == (kept is None)


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        (SEEN, AGAIN),
        ({**SEEN, "active_picture": None}, INSPECTED),
    ],
)
def test_bars_that_are_to_be_cropped_are_measured_where_no_inspection_has(
    seen: dict[str, object], steps: list[str], world: World
) -> None:
    """A record from before they were measured says nothing of them, and is not read as none."""
    asset, base = world.asset(), profile("mobile-720p")
    assert base.video is not None
    cropping = replace(base, name="own-bars", video=replace(base.video, crop="bars"))

    def inspected(session: Session) -> Job:
        add_profile(session, world.organisation_id, cropping, "key_test")
        row = assets.get_asset(session, world.organisation_id, asset.id)
        assets.record_inspection(session, row, {"format": "mxf"}, seen, "p/")
        return jobs.start_job(session, row, {"profiles": ["own-bars"]}, "key_test")

    assert list(world.states(world.write(inspected).id)) == steps


@pytest.mark.parametrize(
    "request_made", [{"source_colour": "pq"}, {"profiles": ["archive-ffv1"], "source_colour": "pq"}]
)
def test_a_colour_that_a_person_states_is_looked_at_and_written_down(
    request_made: dict[str, object], world: World
) -> None:
    """The source is inspected as what it is said to be; who said so stands in the event."""
    asset = world.asset()

    def stated(session: Session) -> Job:
        row = assets.get_asset(session, world.organisation_id, asset.id)
        assets.record_inspection(session, row, {"format": "mxf"}, SEEN, "p/")
        return jobs.start_job(session, row, request_made, "key_test")

    after = world.read(events.head)
    made = world.write(stated)
    assert list(world.states(made.id)) == ["inspect the source", "plan the renditions"]
    found = world.read(lambda session: events.read(session, world.organisation_id, after, 50))
    (queued,) = [event for event in found if event.type == "job.queued"]
    assert (queued.payload["source_colour"], queued.actor) == ("pq", "key_test")


@pytest.mark.parametrize(
    ("media", "asked", "first"),
    [
        ({"programme": 102, "programme_asked": False}, None, "plan the renditions"),
        ({"programme": 102, "programme_asked": False}, 102, "plan the renditions"),
        ({"programme": 102, "programme_asked": False}, 101, "inspect the source"),
        ({"programme": 101, "programme_asked": True}, None, "inspect the source"),
        ({"programme": 101, "programme_asked": True}, 101, "plan the renditions"),
        ({}, 7, "inspect the source"),
    ],
)
def test_another_programme_is_inspected_anew(
    media: dict[str, object], asked: int | None, first: str, world: World
) -> None:
    """What was inspected for one programme tells nothing of another."""
    asset = world.asset()
    world.finish_all(world.jobs_of(asset)[0].id)

    def again(session: Session) -> Job:
        row = assets.get_asset(session, world.organisation_id, asset.id)
        assets.record_inspection(session, row, media, SEEN, "p/")
        request = {"profiles": ["archive-ffv1"], "programme": asked}
        return jobs.start_job(session, row, request, "key_test")

    assert next(iter(world.states(world.write(again).id))) == first


def test_an_asset_is_worked_on_for_one_programme_at_a_time(world: World) -> None:
    """Its inspection is one, and steps that read it must find the programme of their plan."""
    asset = world.asset()
    first = world.jobs_of(asset)[0]

    def begin(session: Session) -> Job:
        row = assets.get_asset(session, world.organisation_id, asset.id)
        return jobs.start_job(session, row, {"programme": 101}, "key_test")

    with pytest.raises(JobConflict, match=f"job {first.id} works on another programme"):
        world.write(begin)
    world.fail_job_of(asset)
    second = world.write(begin)
    with pytest.raises(JobConflict, match=f"job {second.id} works on another programme"):
        world.write(lambda session: jobs.retry_job(session, first, "key_test"))


def test_a_job_is_not_retried_with_another_programmes_inspection(world: World) -> None:
    """Its plan is of a programme that the asset was inspected for no longer."""
    asset = world.asset()
    job = world.jobs_of(asset)[0]
    world.fail_job_of(asset)

    def inspected_again(session: Session) -> None:
        row = assets.get_asset(session, world.organisation_id, asset.id)
        assets.record_inspection(session, row, {"programme": 101}, SEEN, "p/")
        jobs.record_plan(session, job, {"programme": 102}, [])

    world.write(inspected_again)
    with pytest.raises(JobConflict, match="inspected for another programme since"):
        world.write(lambda session: jobs.retry_job(session, job, "key_test"))


@pytest.mark.parametrize("retried", [False, True])
def test_of_two_programmes_that_begin_at_once_one_is_refused(
    world: World, *, retried: bool
) -> None:
    """The second waits until the first is there to be seen; else both would be inspected, and one
    be planned with the other's inspection.
    """
    asset = world.asset()
    old = world.jobs_of(asset)[0]
    world.fail_job_of(asset)

    def begin(session: Session, programme: int) -> None:
        row = assets.get_asset(session, world.organisation_id, asset.id)
        jobs.start_job(session, row, {"programme": programme}, "key_test")

    def second(session: Session) -> None:
        if retried:
            jobs.retry_job(session, session.get_one(Job, old.id), "key_test")
        else:
            begin(session, 102)

    with ThreadPoolExecutor(1) as pool:
        with world.database.begin() as session:
            begin(session, 101)
            session.flush()
            other = pool.submit(world.write, second)
            assert not wait([other], timeout=0.5).done
        with pytest.raises(JobConflict, match="works on another programme"):
            other.result(30)


def test_a_job_tells_its_story_in_events(world: World) -> None:
    """The audit trail of a failed and retried job, in order."""
    step = NewStep("encode", "encode", {})
    after = world.read(events.head)
    job = world.job(step)
    world.fail(step.id, WRONG)
    world.write(lambda session: jobs.retry_job(session, job, "key_test"))
    world.finish(step.id)
    found = world.read(lambda session: events.read(session, world.organisation_id, after, 50))
    assert [event.type for event in found] == [
        "job.queued",
        "step.started",
        "job.running",
        "step.failed",
        "job.failed",
        "job.retried",
        "step.started",
        "job.running",
        "step.done",
        "job.done",
    ]


def test_jobs_are_listed_newest_first_by_pages(world: World) -> None:
    """Every job once, whatever the page size."""
    made = [world.job(NewStep("encode", "encode", {})).id for _ in range(5)]
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = world.read(
            lambda session, cursor=cursor: jobs.list_jobs(
                session, world.organisation_id, cursor=cursor, limit=2
            )
        )
        found += [job.id for job in page.data]
        cursor = page.next_cursor
        assert page.has_more is (cursor is not None)
        if cursor is None:
            break
    assert found == made[::-1]


def test_a_page_of_jobs_does_not_read_their_plans(world: World) -> None:
    """A plan of ten hours names thousands of chunks."""
    planned(world)
    page = world.read(lambda session: jobs.list_jobs(session, world.organisation_id))
    assert [inspect(job).unloaded for job in page.data] == [{"plan"}]


@pytest.mark.parametrize("cursor", ["nonsense", "????", "MjAyNg", "é"])
def test_a_cursor_that_is_not_ours_is_refused(world: World, cursor: str) -> None:
    """It is an error that says what to do, not an empty page."""
    with pytest.raises(InvalidCursor, match="begin again"):
        world.read(lambda session: jobs.list_jobs(session, world.organisation_id, cursor=cursor))


def test_another_organisations_job_is_not_found(world: World) -> None:
    """Its existence is not even told."""
    job = world.job(NewStep("encode", "encode", {}))
    with pytest.raises(JobNotFound):
        world.read(lambda session: jobs.get_job(session, "org_other", job.id))


def start(world: World, asset: Asset) -> Job:
    """Another job for the asset."""
    return world.write(lambda session: jobs.start_job(session, asset, {}, "key_test"))


def test_a_job_that_is_cancelled_leaves_an_asset_to_the_one_that_runs(world: World) -> None:
    """Else the gate would close before the other one can publish."""
    asset = world.asset()
    other = start(world, asset)
    world.write(lambda session: jobs.request_cancel(session, other, "key_test"))
    assert world.job_state(other.id) == "cancelled"
    assert world.asset_state(asset.id) == "processing"
    world.finish_all(world.jobs_of(asset)[-1].id)
    assert world.asset_state(asset.id) == "ready"


def test_jobs_that_settle_at_once_leave_an_asset_with_a_done_job_ready(world: World) -> None:
    """Whoever writes last knows of both."""
    for _ in range(5):
        asset = world.asset()
        [first] = world.jobs_of(asset)
        second = start(world, asset)
        while len(ready := _ready(world, first)) == 1 and world.step(ready[0]).kind != "plan":
            world.finish(ready[0])
        claimed = world.claim(ready[0])
        at_once(
            [
                lambda claimed=claimed: world.write(
                    lambda session: steps.finish_step(session, claimed, result={})
                ),
                lambda second=second: world.write(
                    lambda session: jobs.request_cancel(session, second, "key_test")
                ),
            ]
        )
        assert (world.job_state(first.id), world.job_state(second.id)) == ("done", "cancelled")
        assert world.asset_state(asset.id) == "ready"


def test_plans_are_found_by_the_content_of_their_source(world: World) -> None:
    """Newest first, of every asset with these bytes, and of this organisation alone."""
    job, _ = planned(world)
    asset = world.read(lambda session: session.get_one(Asset, job.asset_id))

    def found(organisation_id: str, sha256: str) -> list[object]:
        return world.read(
            lambda session: [*jobs.plans_of_content(session, organisation_id, sha256)]
        )

    assert found(world.organisation_id, asset.sha256) == [PLAN]
    assert found("org_other", asset.sha256) == []
    assert found(world.organisation_id, "00" * 32) == []


def test_jobs_that_cannot_be_tidied_hide_none(world: World) -> None:
    """A sweep takes some of them, and not always the same."""
    made = [world.asset() for _ in range(4)]
    for asset in made:
        world.fail_job_of(asset)
    found = set[str | None]()
    for _ in range(200):
        taken = world.read(lambda session: jobs.untidy_jobs(session, 2))
        assert len(taken) == 2
        found |= {job.asset_id for job in taken}
    assert found == {asset.id for asset in made}
