"""Renditions, packages, zones and publications: what a centre pulls, and what it proves."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import inspect, select, text
from sqlalchemy.orm import Session
from worlds import WRONG, World, at_once, statements

from pipelines.errors import GateClosed
from storage.catalogue import events, jobs, packages, publications, renditions, zones
from storage.errors import (
    AlreadyPublished,
    DraftChanged,
    InvalidCursor,
    NameTaken,
    NotPublished,
    PackageNotFound,
    PublicationNotFound,
    ReceiptMismatch,
    RenditionNotFound,
    ZoneNotFound,
)
from storage.publishing import Draft, confirm, draft
from storage.schema import Asset, Job, Publication, Receipt, Rendition

SHA = "cd" * 32
FILE = {"rendition_id": "ren_1", "key": "k", "path": "hd.mp4", "sha256": SHA, "size_bytes": 1000}
SCORE = {"metric": "vmaf", "model": "vmaf_v1", "mean": 93.5, "frames": 10}


def planned_rendition(world: World) -> Rendition:
    asset = world.asset()
    [job] = world.read(
        lambda session: jobs.list_jobs(session, world.organisation_id, asset_id=asset.id)
    ).data
    rung = {"profile": "hd-avc-sdr", "profile_version": 1, "container": "mp4"}
    world.write(lambda session: jobs.record_plan(session, job, {"refused": []}, [rung]))
    [rendition] = world.read(lambda session: renditions.of_job(session, job.id))
    return rendition


def publish(world: World, asset: Asset, zone_name: str = "hd") -> Publication:
    return world.write(lambda session: put_in(world, session, asset, zone_name))


def put_in(
    world: World, session: Session, asset: Asset, zone_name: str = "hd", *, replace: bool = False
) -> Publication:
    zone, manifest = zones.get_zone(session, world.organisation_id, zone_name), {"files": [FILE]}
    return publications.publish(
        session, asset, zone, manifest, "m.json", "key_test", replace=replace
    )


def feed(world: World, centre: str = "foshan", since: str = "0") -> publications.FeedPage:
    return world.read(
        lambda session: publications.feed(session, world.organisation_id, centre, since, 10)
    )


def test_a_verified_rendition_is_ready_with_all_that_proves_it(world: World) -> None:
    """Facts, exact commands, tools and the winning key."""
    planned = planned_rendition(world)
    world.write(
        lambda session: renditions.mark_ready(
            session,
            planned.id,
            key="assets/a/renditions/r/2/hd.mp4",
            facts={"sha256": SHA, "size_bytes": 1000, "frames": 100},
            commands=[["ffmpeg", "-i", "in"]],
            tools={"ffmpeg": "9.0.2"},
        )
    )
    row = world.read(
        lambda session: renditions.get_rendition(session, world.organisation_id, planned.id)
    )
    assert (row.state, row.sha256, row.size_bytes) == ("ready", SHA, 1000)
    assert row.key == "assets/a/renditions/r/2/hd.mp4"
    assert (row.commands, row.tools) == ([["ffmpeg", "-i", "in"]], {"ffmpeg": "9.0.2"})


def test_a_rendition_that_disagrees_with_its_plan_keeps_its_own_error(world: World) -> None:
    """Also after its job gave up on everything that was planned."""
    planned = planned_rendition(world)
    world.write(lambda session: renditions.mark_failed(session, planned.id, WRONG))
    row = world.read(
        lambda session: renditions.get_rendition(session, world.organisation_id, planned.id)
    )
    assert (row.state, row.error) == ("failed", WRONG)


def test_a_newer_score_replaces_the_older_of_the_same_model(world: World) -> None:
    """A measure step that is redone leaves one score, not two."""
    planned = planned_rendition(world)
    for mean in (93.5, 94.0):
        score = {**SCORE, "mean": mean}
        other = {"metric": "xpsnr", "model": None, "mean": 40.0, "frames": 10}
        world.write(
            lambda session, scores=(score, other): renditions.add_measurements(
                session, planned.id, scores
            )
        )
    rows = world.read(lambda session: renditions.measurements(session, planned.id))
    assert [(row.metric, row.values["mean"]) for row in rows] == [("vmaf", 94.0), ("xpsnr", 40.0)]
    [(listed, scores)] = world.read(
        lambda session: renditions.list_renditions(session, world.organisation_id, planned.asset_id)
    )
    assert (listed.id, [score.id for score in scores]) == (planned.id, [row.id for row in rows])


def test_the_command_that_gave_a_score_joins_those_of_the_rendition(world: World) -> None:
    """Every number can be traced, also where one command scored several renditions."""
    planned = planned_rendition(world)
    argv = ("ffmpeg", "-lavfi", "libvmaf")
    world.write(lambda session: renditions.add_measurements(session, planned.id, [SCORE], argv))
    row = world.read(
        lambda session: renditions.get_rendition(session, world.organisation_id, planned.id)
    )
    assert row.commands == [list(argv)]


def done_job(world: World, asset: Asset, request: dict[str, Any], *names: str) -> Job:
    """The asset's newest job, done, with a ready rendition of each profile."""
    job = world.jobs_of(asset)[0]
    if job.state == "done":
        job = world.write(
            lambda session: jobs.start_job(
                session, session.get_one(Asset, asset.id), request, "key_test"
            )
        )
    make_ready(world, job, request, *names)
    world.finish_all(job.id)
    return job


def make_ready(world: World, job: Job, request: dict[str, Any], *names: str) -> None:
    """Give the job a plan and a ready rendition of each profile."""
    rungs = [{"profile": name, "profile_version": 1, "container": "mp4"} for name in names]
    plan = {"refused": [], "programme": request.get("programme")}
    ids = world.write(lambda session: jobs.record_plan(session, job, plan, rungs))
    facts = {"sha256": SHA, "size_bytes": 1000}
    for one in ids:
        world.write(
            lambda session, one=one: renditions.mark_ready(
                session, one, key=f"assets/a/{one}/hd.mp4", facts=facts, commands=[], tools={}
            )
        )


def drafted(world: World, asset: Asset, job: Job | None = None) -> dict[str, str]:
    """What a publication in the zone for mobiles would hold: the job by the profile."""

    def look(session: Session) -> dict[str, str]:
        zone = zones.get_zone(session, world.organisation_id, "mobile")
        row = session.get_one(Asset, asset.id)
        files = draft(session, row, zone, job_id=job.id if job else None).files
        return {
            file["profile"]: session.get_one(Rendition, file["rendition_id"]).job_id
            for file in files
        }

    return world.read(look)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"programme": 101}, {"programme": 102}),
        ({}, {"source_colour": "pq"}),
        ({"source_colour": "sdr"}, {"source_colour": "pq"}),
    ],
)
def test_a_publication_is_of_one_reading_of_the_source(
    before: dict[str, Any], after: dict[str, Any], world: World
) -> None:
    """Two programmes of a stream are two assets to who watches, and so is a wrong colour."""
    asset = world.asset(request=before)
    first = done_job(world, asset, before, "mobile-1080p", "mobile-720p")
    assert drafted(world, asset) == {"mobile-1080p": first.id, "mobile-720p": first.id}
    second = done_job(world, asset, after, "mobile-720p")
    assert drafted(world, asset) == {"mobile-720p": second.id}
    third = done_job(world, asset, before, "mobile-540p")
    both = {"mobile-540p": third.id, "mobile-1080p": first.id, "mobile-720p": first.id}
    assert drafted(world, asset) == both
    assert drafted(world, asset, second) == {"mobile-720p": second.id}


def begun_job(world: World, asset: Asset, request: dict[str, Any]) -> Job:
    return world.write(
        lambda session: jobs.start_job(
            session, session.get_one(Asset, asset.id), request, "key_test"
        )
    )


def test_nothing_is_left_out_for_a_reading_that_is_still_being_made(world: World) -> None:
    """A correction whose first rung is ready would take the place of two, and centres lose one."""
    asset = world.asset(request={})
    done_job(world, asset, {}, "mobile-1080p", "mobile-720p")
    second = begun_job(world, asset, {"source_colour": "pq"})
    make_ready(world, second, {}, "mobile-720p")
    rung = {"profile": "mobile-1080p", "profile_version": 1, "container": "mp4"}
    (planned,) = world.write(lambda session: renditions.plan_renditions(session, second, [rung]))
    with pytest.raises(GateClosed, match=r"not done for zone mobile \(mobile-1080p\)"):
        drafted(world, asset)
    assert drafted(world, asset, second) == {"mobile-720p": second.id}
    world.write(lambda session: renditions.mark_failed(session, planned, {"code": "tool_failed"}))
    assert drafted(world, asset) == {"mobile-720p": second.id}


def test_what_is_ready_waits_for_no_other_job_of_its_reading(world: World) -> None:
    asset = world.asset(request={})
    first = done_job(world, asset, {}, "mobile-1080p")
    second = begun_job(world, asset, {})
    rung = {"profile": "mobile-720p", "profile_version": 1, "container": "mp4"}
    world.write(lambda session: renditions.plan_renditions(session, second, [rung]))
    assert drafted(world, asset) == {"mobile-1080p": first.id}


def test_a_draft_that_changed_meanwhile_is_not_published(world: World) -> None:
    """While the store was asked for its files a later job ended, or the zone was narrowed."""
    asset = world.asset(request={})
    done_job(world, asset, {}, "mobile-1080p", "mobile-720p")

    def looked(session: Session) -> Draft:
        zone = zones.get_zone(session, world.organisation_id, "mobile")
        return draft(session, session.get_one(Asset, asset.id), zone)

    def confirmed(session: Session, ready: Draft) -> None:
        zone = zones.get_zone(session, world.organisation_id, "mobile")
        confirm(session, session.get_one(Asset, asset.id), zone, ready)

    first = world.read(looked)
    world.write(lambda session: confirmed(session, first))
    done_job(world, asset, {}, "mobile-720p")
    with pytest.raises(DraftChanged, match="publish again"):
        world.write(lambda session: confirmed(session, first))
    second = world.read(looked)
    narrower = {"required_profiles": ["mobile-720p"]}

    def narrow(session: Session) -> None:
        zone = zones.get_zone(session, world.organisation_id, "mobile")
        zones.edit_zone(session, zone, narrower, actor="key_test")

    world.write(narrow)
    with pytest.raises(DraftChanged, match="publish again"):
        world.write(lambda session: confirmed(session, second))


def test_tags_that_are_said_to_be_right_are_the_reading_without_a_word(world: World) -> None:
    asset = world.asset(request={})
    first = done_job(world, asset, {}, "mobile-1080p")
    second = done_job(world, asset, {"source_colour": "as-tagged"}, "mobile-720p")
    assert drafted(world, asset) == {"mobile-1080p": first.id, "mobile-720p": second.id}


def test_a_job_publishes_nothing_of_another_reading(world: World) -> None:
    """Where it made nothing that the zone accepts, the gate is closed to it."""
    asset = world.asset(request={"programme": 101})
    done_job(world, asset, {"programme": 101}, "mobile-720p")
    second = done_job(world, asset, {"programme": 102}, "archive-ffv1")
    with pytest.raises(GateClosed, match="needs a rendition of mobile"):
        drafted(world, asset, second)


def test_a_job_publishes_what_it_made_though_a_later_job_was_quicker(world: World) -> None:
    """A test of the same profile without subtitles, begun later, is not what the zone was promised.

    Of the later job only the profile that this one lacks comes with it.
    """
    asset = world.asset(request={})
    first = world.jobs_of(asset)[0]
    world.finish_all(first.id)
    later = done_job(world, asset, {}, "mobile-1080p", "mobile-720p")
    make_ready(world, first, {}, "mobile-1080p")
    assert drafted(world, asset) == {"mobile-1080p": later.id, "mobile-720p": later.id}
    both = {"mobile-1080p": first.id, "mobile-720p": later.id}
    assert drafted(world, asset, first) == both


def test_a_package_is_listed_with_its_asset(world: World) -> None:
    """Paths are relative to its prefix."""
    planned = planned_rendition(world)
    given: dict[str, Any] = {
        "organisation_id": world.organisation_id,
        "asset_id": planned.asset_id,
        "job_id": planned.job_id,
        "prefix": "assets/a/packages/p/1/",
        "hls": "master.m3u8",
        "dash": "manifest.mpd",
        "files": [{"path": "master.m3u8", "sha256": SHA, "size_bytes": 10}],
    }
    made = world.write(lambda session: packages.add_package(session, **given))
    where = (world.organisation_id, planned.asset_id)
    [listed] = world.read(
        lambda session: packages.list_packages(session, *where, cursor=None, limit=50)
    ).data
    assert (listed.id, listed.hls) == (made.id, "master.m3u8")
    assert inspect(listed).unloaded == {"files"}
    newest = world.read(lambda session: packages.newest_package(session, *where))
    assert newest is not None
    assert (newest.id, inspect(newest).unloaded) == (made.id, {"files"})
    whole = world.read(lambda session: packages.get_package(session, *where, made.id))
    assert whole.files == given["files"]
    with pytest.raises(PackageNotFound):
        world.read(lambda session: packages.get_package(session, "org_other", where[1], made.id))


def test_an_organisation_begins_with_the_usual_zones(world: World) -> None:
    """Each with the profiles that its gate asks for."""
    found = world.read(lambda session: zones.list_zones(session, world.organisation_id))
    assert {zone.name: zone.required_profiles for zone in found} == {
        "uhd-4k": ["cn4k-hevc-hlg"],
        "hd": ["hd-avc-sdr", "mobile-1080p"],
        "heritage": ["archive-ffv1"],
        "mobile": ["mobile-1080p", "mobile-720p", "mobile-540p"],
        "audio": ["audio-access-aac"],
    }


def test_a_zone_has_its_name_for_itself(world: World) -> None:
    """And an unknown one names those that there are."""
    with pytest.raises(NameTaken, match="'hd'"):
        world.write(
            lambda session: zones.create_zone(
                session,
                world.organisation_id,
                name="hd",
                title="HD",
                required_profiles=[],
                actor="key_test",
            )
        )
    with pytest.raises(ZoneNotFound, match="audio, hd, heritage, mobile, uhd-4k"):
        world.read(lambda session: zones.get_zone(session, world.organisation_id, "8k"))


def test_the_trail_says_for_whom_a_zone_was_opened(world: World) -> None:
    def made(session: Session) -> None:
        zones.create_zone(
            session,
            world.organisation_id,
            name="secret",
            title="Secret",
            required_profiles=[],
            centres=["foshan"],
            actor="key_test",
        )

    world.write(made)
    told = world.read(lambda session: events.read(session, world.organisation_id, 0, 99))[-1]
    assert (told.type, told.payload["centres"]) == ("zone.created", ["foshan"])
    assert told.payload["title"] == "Secret"


def test_two_edits_of_a_zone_undo_nothing_of_each_other(world: World) -> None:
    """The event of the later one tells both, as the zone then is."""
    for turn in range(5):
        changes: tuple[dict[str, Any], ...] = ({"title": f"{turn}"}, {"centres": [f"c{turn}"]})

        def edit(changed: dict[str, Any]) -> None:
            def change(session: Session) -> None:
                zone = zones.get_zone(session, world.organisation_id, "hd")
                zones.edit_zone(session, zone, changed, actor="key_test")

            world.write(change)

        at_once([partial(edit, changed) for changed in changes])
        zone = world.read(lambda session: zones.get_zone(session, world.organisation_id, "hd"))
        assert (zone.title, zone.centres) == (f"{turn}", [f"c{turn}"])
        *_, last = world.read(lambda session: events.read(session, world.organisation_id, 0, 1000))
        told = {"name": "hd", "required_profiles": zone.required_profiles}
        assert last.type == "zone.edited"
        assert last.payload == told | {"title": f"{turn}", "centres": [f"c{turn}"]}


def test_a_published_asset_is_in_the_feed_of_every_centre(world: World) -> None:
    """With its exact files; the cursor then shows nothing more."""
    asset = world.asset()
    made = publish(world, asset)
    page = feed(world)
    [entry] = page.data
    assert (entry.publication.id, entry.publication.asset_id) == (made.id, asset.id)
    assert (entry.title, entry.zone.name) == (asset.title, "hd")
    assert entry.publication.manifest == {"files": [FILE]}
    assert page.next_cursor == entry.cursor
    assert feed(world, since=page.next_cursor) == publications.FeedPage(
        [], page.next_cursor, has_more=False
    )


def test_a_feed_reads_nothing_that_was_measured_of_its_assets(world: World) -> None:
    """Megabytes each: 200 assets of long programmes were 885 MiB for their titles."""
    publish(world, world.asset())
    with statements(world) as asked:
        assert [entry.title for entry in feed(world).data]
    (query,) = [text for text in asked if "JOIN assets" in text]
    assert "assets.title" in query
    for column in ("media", "inspection", "metadata", "search_text"):
        assert f"assets.{column}" not in query


def test_a_cursor_belongs_to_one_feed(world: World) -> None:
    """Places are one chain for all: another organisation's, another service's, or one from before
    a restore would skip in silence what has changed before it.
    """
    made = publish(world, world.asset())
    cursor, newest = feed(world).next_cursor, world.read(events.head)
    seq = str(made.event_seq)
    assert cursor.startswith(f"{seq}-")
    assert feed(world, since=seq) == feed(world, since=cursor)  # as they were once
    for wrong in (f"{seq}-{'0' * 16}", f"{newest + 1}{cursor[len(seq) :]}", str(newest + 1), "1"):
        with pytest.raises(InvalidCursor, match=r"not of this feed.*backup.*--since 0.*again"):
            feed(world, since=wrong)
    for its_own in (cursor, seq):
        with pytest.raises(InvalidCursor, match="another service or organisation"):
            world.read(
                lambda session, one=its_own: publications.feed(
                    session, "org_other", "foshan", one, 10
                )
            )


def test_an_asset_is_in_a_zone_once(world: World) -> None:
    """Also when eight publish it at the same moment; after a withdrawal it may come again."""
    asset = world.asset()

    def attempt() -> str:
        try:
            return publish(world, asset).id
        except AlreadyPublished as error:
            return error.code

    found = at_once([attempt] * 8)
    assert found.count("already_published") == 7
    [made] = [one for one in found if one != "already_published"]
    row = world.read(
        lambda session: publications.get_publication(session, world.organisation_id, made)
    )
    world.write(lambda session: publications.withdraw(session, row, "key_test"))
    assert publish(world, asset).state == "published"


def test_what_replaces_a_publication_is_told_before_that_is_withdrawn(world: World) -> None:
    """In one change, so that no centre is without the programme in between."""
    asset = world.asset()
    former = publish(world, asset)
    cursor = feed(world).next_cursor

    def change(session: Session) -> Publication:
        return put_in(world, session, asset, replace=True)

    new = world.write(change)
    found = [
        (entry.publication.id, entry.publication.state) for entry in feed(world, since=cursor).data
    ]
    assert found == [(new.id, "published"), (former.id, "withdrawn")]
    assert world.write(change).state == "published"  # again, and where nothing was there:
    asset = world.asset()
    assert world.write(change).state == "published"


@pytest.mark.services
@pytest.mark.parametrize("replaces", [True, False])
def test_who_may_replace_is_never_told_to(postgresql_world: World, *, replaces: bool) -> None:
    """Also while somebody else publishes the asset, or replaces what is there: it waits for that.

    SQLite has one writer at a time.
    """
    world, asset = postgresql_world, postgresql_world.asset()
    if replaces:
        publish(world, asset)

    def replaced() -> Publication:
        return world.write(lambda session: put_in(world, session, asset, replace=True))

    with ThreadPoolExecutor(1) as pool:
        with world.database.begin() as session:
            quicker = put_in(world, session, asset, replace=replaces)
            later = pool.submit(replaced)
            until_somebody_waits_for_a_lock(world)
        new = later.result(30)
    found = {entry.publication.id: entry.publication.state for entry in feed(world).data}
    assert (found[quicker.id], found[new.id]) == ("withdrawn", "published")


def until_somebody_waits_for_a_lock(world: World) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + 20
    while not world.read(lambda session: session.scalar(waiting)):
        assert time.monotonic() < deadline, "nobody waits for a lock"
        time.sleep(0.01)


def test_a_withdrawal_comes_after_the_cursor_of_who_has_pulled(world: World) -> None:
    """So that a centre learns that it must remove the files; twice is an error."""
    made = publish(world, world.asset())
    cursor = feed(world).next_cursor
    world.write(lambda session: publications.withdraw(session, made, "key_test"))
    [entry] = feed(world, since=cursor).data
    assert (entry.publication.id, entry.publication.state) == (made.id, "withdrawn")
    with pytest.raises(NotPublished):
        world.write(lambda session: publications.withdraw(session, made, "key_test"))


def test_a_zone_for_some_centres_is_hidden_from_others(world: World) -> None:
    """The feed is the only way to a centre's files."""
    world.write(
        lambda session: zones.create_zone(
            session,
            world.organisation_id,
            name="foshan-only",
            title="佛山",
            required_profiles=[],
            centres=["foshan"],
            actor="key_test",
        )
    )
    publish(world, world.asset(), "foshan-only")
    assert len(feed(world, "foshan").data) == 1
    assert feed(world, "zhuhai").data == []


def test_a_feed_is_read_in_pages_in_the_order_of_changes(world: World) -> None:
    """Oldest first, and `has_more` says when to go on at once."""
    made = [publish(world, world.asset()).id for _ in range(3)]

    def page(since: str) -> publications.FeedPage:
        return world.read(
            lambda session: publications.feed(session, world.organisation_id, "foshan", since, 2)
        )

    first = page("0")
    second = page(first.next_cursor)
    found = [entry.publication.id for entry in (*first.data, *second.data)]
    assert (found, first.has_more, second.has_more) == (made, True, False)


def test_a_receipt_proves_what_was_published(world: World) -> None:
    """Another hash or another path is no proof; the same proof again is no other receipt."""
    made = publish(world, world.asset())

    def receive(path: str, sha256: str) -> list[dict[str, str]]:
        return world.write(
            lambda session: (
                publications.record_receipt(
                    session,
                    made,
                    centre="foshan",
                    files=[{"path": path, "sha256": sha256}],
                    actor="key_test",
                ).files
            )
        )

    assert receive("hd.mp4", SHA.upper()) == [{"path": "hd.mp4", "sha256": SHA}]
    for path, sha256 in (("hd.mp4", "00" * 32), ("other.mp4", SHA)):
        with pytest.raises(ReceiptMismatch, match="pull the file again"):
            receive(path, sha256)
    assert receive("hd.mp4", SHA) == [{"path": "hd.mp4", "sha256": SHA}]
    kept = world.read(lambda session: session.scalars(select(Receipt)).all())
    assert [(receipt.publication_id, receipt.centre) for receipt in kept] == [(made.id, "foshan")]


def test_a_centre_writes_no_more_receipts_than_a_publication_has_files(world: World) -> None:
    """Its key is an outsider's, and the chain of events forgets nothing."""
    paths = ["a.mp4", "b.mp4", "c.mp4"]
    asset = world.asset()

    def three(session: Session) -> Publication:
        zone = zones.get_zone(session, world.organisation_id, "hd")
        manifest = {"files": [{**FILE, "path": path} for path in paths]}
        return publications.publish(session, asset, zone, manifest, "m.json", "key_test")

    made = world.write(three)

    def receive(*named: str) -> str:
        files = [{"path": path, "sha256": SHA} for path in named]
        return world.write(
            lambda session: (
                publications.record_receipt(
                    session, made, centre="foshan", files=files, actor="key_test"
                ).id
            )
        )

    first, second = receive("b.mp4", "a.mp4"), receive("a.mp4", "c.mp4")
    assert first != second
    for named in (("a.mp4",), ("b.mp4", "a.mp4"), ("a.mp4", "b.mp4"), ("b.mp4",)):
        assert receive(*named) == first
    assert receive("c.mp4") == second
    assert receive("c.mp4", "b.mp4", "a.mp4") in (first, second)
    kept = world.read(lambda session: session.scalars(select(Receipt).order_by(Receipt.id)).all())
    assert [[file["path"] for file in one.files] for one in kept] == [
        ["a.mp4", "b.mp4"],
        ["a.mp4", "c.mp4"],
    ]


def test_nothing_of_another_organisation_is_found(world: World) -> None:
    """Rendition, publication, feed: all of it is not there."""
    planned = planned_rendition(world)
    made = publish(world, world.asset())
    for error, find, identifier in (
        (RenditionNotFound, renditions.get_rendition, planned.id),
        (PublicationNotFound, publications.get_publication, made.id),
    ):
        with pytest.raises(error):
            world.read(lambda session, find=find, one=identifier: find(session, "org_other", one))
    other = world.read(lambda session: publications.feed(session, "org_other", "foshan", "0", 10))
    assert other.data == []
