"""Assets and what is made of them, through real HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import api_world
import httpx

from pipelines.media import Programme
from pipelines.planning.plan import plan
from pipelines.profiles.profile import profile
from pipelines.records import to_json
from storage import schema
from storage.catalogue import jobs
from tests.pipelines.sources import UHD, described


def test_an_asset_shows_what_its_source_really_is(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Claims of the file joined with what was measured; rationals as text, units in names."""
    asset = org.asset()
    answer = admin.get(f"/v1/assets/{asset.id}")
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"1"'
    body = answer.json()
    assert body["state"] == "ready"
    assert body["sha256"] == api_world.sha256(b"essence")
    assert body["created_at"].endswith("Z")
    source = body["source"]
    assert (source["width"], source["height"], source["frame_rate"]) == (3840, 2160, "50/1")
    assert (source["frames"], source["duration_s"], source["dynamic_range"]) == (150, 3.0, "hlg")
    assert source["colour"]["transfer"] == "arib-std-b67"
    assert source["audio"][0]["channels"] == 6
    assert body["inspection"]["shots"] == [
        {
            "start_frame": 0,
            "start_timecode": "10:00:00:00",
            "end_frame": 150,
            "end_timecode": "10:00:03:00",
            "complexity": 0.1,
            "detail": 0.0,
            "coded_bytes": None,
        }
    ]


def test_an_asset_shows_its_programme_and_a_job_may_choose_another(
    org: api_world.Organisation, api: api_world.Running, admin: httpx.Client
) -> None:
    """The number goes into the job's request; a second programme has to wait for the first."""
    asset = org.asset()
    news, film = Programme(101, "News", (0, 1)), Programme(102, None, (2, 3))
    info, _ = described(UHD)
    info = replace(info, programmes=(news, film), programme=102)
    with api.database.begin() as session:
        session.get_one(schema.Asset, asset.id).media = to_json(info)
    source = admin.get(f"/v1/assets/{asset.id}").json()["source"]
    named = [{"number": 101, "name": "News"}, {"number": 102, "name": None}]
    assert (source["programme"], source["programmes"]) == (102, named)
    path = f"/v1/assets/{asset.id}/jobs"
    begun = admin.post(path, json={"profiles": ["archive-ffv1"], "programme": 101})
    assert begun.status_code == 202
    assert begun.json()["request"] == {"profiles": ["archive-ffv1"], "programme": 101}
    refused = admin.post(path, json={"profiles": ["archive-ffv1"], "programme": 102})
    assert (refused.status_code, refused.json()["code"]) == (409, "job_conflict")
    assert begun.json()["id"] in refused.json()["detail"]


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["data"]]


def test_assets_are_found_by_text_state_and_date(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Text is looked for in title, file name and metadata; Chinese and parts of words too."""
    spring = org.asset(title="岭南春早 第一集")
    tape = org.asset(title="Tape 7", file_name="museum-0007.mov")
    dance = org.asset(title="舞狮", request={"metadata": {"creator": "佛山祖庙"}})
    every = [dance.id, tape.id, spring.id]
    for params, expected in [
        ({}, every),
        ({"text": "春早"}, [spring.id]),
        ({"text": "TAPE"}, [tape.id]),
        ({"text": "useum"}, [tape.id]),
        ({"text": "祖庙"}, [dance.id]),
        ({"text": "nothing"}, []),
        ({"state": "ready"}, every),
        ({"state": "failed"}, []),
        ({"created_after": "2020-01-01T00:00:00+08:00"}, every),
        ({"created_before": "2020-01-01T00:00:00Z"}, []),
        ({"created_after": tape.created_at.isoformat()}, [dance.id, tape.id]),
    ]:
        assert ids(admin.get("/v1/assets", params=params)) == expected, params


def test_pages_of_assets_join_without_a_seam(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    made = [org.asset(title=f"第 {number} 集").id for number in range(5)]
    for text in ("", "集"):
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            params: dict[str, Any] = {"limit": 2, "cursor": cursor, "text": text}
            answer = admin.get("/v1/assets", params=params)
            found += ids(answer)
            cursor = answer.json()["next_cursor"]
        assert found == made[::-1]


def test_an_edit_needs_the_version_that_was_read(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """The first of two editors wins; the second is told to read again."""
    path = f"/v1/assets/{org.asset().id}"
    etag = admin.get(path).headers["etag"]
    first = admin.patch(path, json={"title": "新标题"}, headers={"If-Match": etag})
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    second = admin.patch(path, json={"title": "x"}, headers={"If-Match": etag})
    assert (second.status_code, second.json()["code"]) == (412, "version_conflict")
    for wrong in ('"x"', "nonsense", "1" * 5000, '"' + "1" * 19 + '"'):
        answer = admin.patch(path, json={"title": "x"}, headers={"If-Match": wrong})
        assert answer.status_code == 412
    blind = admin.patch(path, json={"metadata": {"year": 2026}})
    assert (blind.json()["version"], blind.json()["title"]) == (3, "新标题")
    assert blind.json()["metadata"] == {"year": 2026}
    assert ids(admin.get("/v1/assets", params={"text": "新标题"})) == [path.rpartition("/")[2]]


def test_an_edit_of_nothing_changes_nothing(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """No new version, no new time, no event; a version that is not the asset's is still refused."""
    path = f"/v1/assets/{org.asset().id}"
    before = admin.get(path)
    known = admin.get("/v1/events", params={"limit": 1000}).json()["data"]
    for empty in ({}, {"title": None}):
        answer = admin.patch(path, json=empty, headers={"If-Match": '"1"'})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
        assert answer.json() == before.json()
    assert admin.get("/v1/events", params={"limit": 1000}).json()["data"] == known
    stale = admin.patch(path, json={}, headers={"If-Match": '"2"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")


def test_the_source_is_signed_for_who_may_have_it(
    org: api_world.Organisation, anonymous: httpx.Client
) -> None:
    asset = org.asset(b"the master", file_name="岭南 春早.mxf")
    link = org.client("uploader").get(f"/v1/assets/{asset.id}/source").json()
    answer = anonymous.get(link["url"])
    assert api_world.sha256(answer.content) == link["sha256"] == asset.sha256
    assert "%E5%B2%AD" in answer.headers["content-disposition"]
    assert org.client("publisher").get(f"/v1/assets/{asset.id}/source").status_code == 403


def test_what_an_older_version_did_not_read_back_is_empty(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Renditions that were made before an upgrade are shown after it."""
    made = org.rendition(org.asset())
    newer = ("timecode", "captions", "subtitles")
    with org.running.database.begin() as session:
        row = session.get_one(schema.Rendition, made.id)
        row.facts = {name: fact for name, fact in (row.facts or {}).items() if name not in newer}
    facts = admin.get(f"/v1/renditions/{made.id}").json()["facts"]
    assert [facts[name] for name in newer] == [None, [], []]


def test_a_rendition_carries_its_proof(
    org: api_world.Organisation, admin: httpx.Client, anonymous: httpx.Client
) -> None:
    """Facts, scores with their model, the exact command and tools, and a URL with a hash."""
    asset = org.asset()
    made = org.rendition(asset)
    path = f"/v1/assets/{asset.id}/renditions"
    (listed,) = admin.get(path).json()["data"]
    shown = admin.get(f"/v1/renditions/{made.id}").json()
    assert {**shown, "commands": None} == listed  # those of ten hours are megabytes
    assert (shown["state"], shown["profile"]) == ("ready", "mobile-540p")
    facts = shown["facts"]
    assert (facts["frame_rate"], facts["duration_s"], facts["frames"]) == ("25/1", 3.0, 75)
    assert facts["audio"][0]["loudness_lkfs"] == -23.9
    (subtitle,) = facts["subtitles"]
    assert (subtitle["language"], facts["timecode"]) == ("eng", "10:00:00:00")
    (score,) = shown["measurements"]
    assert (score["metric"], score["model"], score["p5"]) == ("vmaf", "vmaf_v1.0.16_3d0h", 90.2)
    assert shown["commands"] == [["ffmpeg", "-i", "source"]]
    assert shown["tools"] == {"ffmpeg": "9.0.2"}
    link = admin.get(f"/v1/renditions/{made.id}/download").json()
    content = anonymous.get(link["url"]).content
    assert (api_world.sha256(content), len(content)) == (link["sha256"], link["size_bytes"])


def test_plans_and_renditions_say_what_becomes_of_colour(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Typed, with numbers and with methods in the reader's language; null for sound alone."""
    made = plan(*described(UHD), [profile("hd-avc-sdr")])
    job = org.job_of(org.asset())
    with org.running.database.begin() as session:
        row = jobs.get_job(session, org.id, job.id)
        rungs = [to_json(rung) for rung in made.rungs]
        (rendition_id,) = jobs.record_plan(session, row, to_json(made), rungs)
    (rung,) = admin.get(f"/v1/jobs/{job.id}").json()["plan"]["rungs"]
    planned = rung["video"]["colour_decision"]
    kinds = (planned["action"], planned["source"], planned["target"])
    assert kinds == ("convert", "hlg", "sdr-709")
    assert planned["parameters"][0] == {"name": "display_peak_cd_m2", "value": 1000.0}
    shown = admin.get(f"/v1/renditions/{rendition_id}").json()
    assert shown["colour_decision"] == planned
    chinese = admin.get(f"/v1/jobs/{job.id}", headers={"Accept-Language": "zh-CN"}).json()
    told = chinese["plan"]["rungs"][0]["video"]["colour_decision"]["methods"]
    assert planned["methods"][0] == "BT.2446 method C, ended at the peak signal"
    assert told[0] == "BT.2446 方法 C，止于峰值信号"
    sound = org.planned(org.asset())
    assert admin.get(f"/v1/renditions/{sound}").json()["colour_decision"] is None


def test_an_unfinished_rendition_has_no_download(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    asset = org.asset()
    made = org.planned(asset)
    assert admin.get(f"/v1/renditions/{made}").json()["facts"] is None
    answer = admin.get(f"/v1/renditions/{made}/download")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_made_yet")


def test_profiles_cite_their_basis(admin: httpx.Client) -> None:
    """The recipe as data, rationals as text; an unknown name lists the known ones."""
    listed = {profile["name"]: profile for profile in admin.get("/v1/profiles").json()["data"]}
    assert {"cn4k-hevc-hlg", "hd-avc-sdr", "archive-ffv1"} <= set(listed)
    one = admin.get("/v1/profiles/cn4k-hevc-hlg").json()
    assert one == listed["cn4k-hevc-hlg"]
    video = one["video"]
    assert (video["width"], video["height"], video["dynamic_range"]) == (3840, 2160, "hlg")
    assert "/" in video["gop_s"]
    assert one["basis"][0]["certainty"] in {"V", "?", "P"}
    answer = admin.get("/v1/profiles/betamax")
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_profile")
    assert "mobile-540p" in answer.json()["detail"]
    ladders = {ladder["name"]: ladder for ladder in admin.get("/v1/ladders").json()["data"]}
    assert ladders["cn-uhd-zone"]["profiles"][0] == "cn4k-hevc-hlg"
