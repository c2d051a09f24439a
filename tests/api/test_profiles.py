"""Profiles: whether somebody can do one, and why not; a job of none that can be done is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from api_world import Organisation, Running

from api.models.profiles import PROFILE_EXAMPLE
from pipelines.profiles.profile import load_profiles, read_profile
from pipelines.profiles.profile_key import profile_key
from pipelines.records import to_json
from pipelines.words import Words
from storage.catalogue import steps, workers
from storage.catalogue.steps import NewStep
from storage.catalogue.workers import Verdict
from storage.schema import Step

HEVC, AVC = "cn4k-hevc-hlg", "mobile-540p"
WHY, WHY_ZH = "libx265 is not in this ffmpeg", "此 ffmpeg 没有 libx265"


@contextmanager
def worker(api: Running, name: str, memory_bytes: int = 0, **reasons: str | None) -> Iterator[None]:
    """A living worker with these verdicts: what is against a profile, by its name with `_`."""
    verdicts = []
    for word, reason in reasons.items():
        profile = load_profiles()[word.replace("_", "-")]
        why = None if reason is None else Words(reason, WHY_ZH)
        verdicts.append(Verdict(profile_key(profile), profile.name, profile.version, why))
    with api.database.begin() as session:
        queues = ["encode", "package"]
        workers.register(
            session,
            name,
            host="node",
            queues=queues,
            tools={},
            memory_bytes=memory_bytes,
            verdicts=verdicts,
        )
    try:
        yield
    finally:
        with api.database.begin() as session:
            workers.retire(session, name)


def availability(client: httpx.Client, name: str, language: str = "en") -> dict[str, object]:
    headers = {"Accept-Language": language}
    answer = client.get("/v1/profiles", headers=headers).json()
    listed = {one["name"]: one for one in answer["data"]}
    shown = client.get(f"/v1/profiles/{name}", headers=headers).json()
    assert listed[name] == shown
    found: dict[str, object] = shown["availability"]
    return found


def test_a_profile_says_by_how_many_workers_it_can_be_made(
    api: Running, admin: httpx.Client
) -> None:
    """Or why by none; without a verdict of every worker nothing is claimed."""
    unproven = {"state": "unproven", "workers": 0, "reason": None}
    assert availability(admin, HEVC) == unproven
    with worker(api, "one", cn4k_hevc_hlg=WHY, mobile_540p=None):
        assert availability(admin, AVC) == {"state": "available", "workers": 1, "reason": None}
        assert availability(admin, HEVC) == {"state": "unavailable", "workers": 0, "reason": WHY}
        with worker(api, "two", mobile_540p=None):
            assert availability(admin, AVC)["workers"] == 2
            assert availability(admin, HEVC) == unproven
        with worker(api, "two", cn4k_hevc_hlg="no room"):
            told = availability(admin, HEVC)["reason"]
            assert told == f"none of 2 workers can do it: {WHY}"
            told = availability(admin, HEVC, "zh-CN")["reason"]
            assert told == f"2 个工作进程都不能做：{WHY_ZH}"
    assert availability(admin, AVC) == unproven


@pytest.mark.parametrize("wish", [{"profiles": [HEVC]}, {"ladder": "cn-uhd-zone"}])
def test_what_nobody_can_do_is_refused_with_every_reason(
    api: Running, org: Organisation, admin: httpx.Client, wish: dict[str, object]
) -> None:
    """Before a byte is sent, by name or by ladder; nothing of it is kept."""
    asset = org.asset()
    before = admin.get("/v1/uploads").json()["data"]
    declared = {"title": "x", "file_name": "x.mp4", "size_bytes": 10}
    everything = {name.replace("-", "_"): WHY for name in load_profiles()}
    with worker(api, "one", **everything):
        for path, body in (
            ("/v1/uploads", {**declared, **wish}),
            (f"/v1/assets/{asset.id}/jobs", wish),
        ):
            answer = admin.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "profile_unavailable")
            assert f"{HEVC}: {WHY}" in answer.json()["detail"]
    assert admin.get("/v1/uploads").json()["data"] == before
    assert admin.post("/v1/uploads", json={**declared, **wish}).status_code == 201


def test_what_somebody_can_do_in_part_is_taken(api: Running, admin: httpx.Client) -> None:
    """The plan tells the rest, and why."""
    body = {"title": "x", "file_name": "x.mp4", "size_bytes": 10, "profiles": [HEVC, AVC]}
    with worker(api, "one", cn4k_hevc_hlg=WHY, mobile_540p=None):
        assert admin.post("/v1/uploads", json=body).status_code == 201


OWN = "own-listening-copy"
TOML = str(PROFILE_EXAMPLE["toml"])
SECOND = TOML.replace("version = 1", "version = 2").replace("96000", "128000")


def names(client: httpx.Client) -> set[str]:
    return {one["name"] for one in client.get("/v1/profiles").json()["data"]}


def add(client: httpx.Client, toml: str) -> httpx.Response:
    return client.post("/v1/profiles", json={"toml": toml})


def test_an_organisations_profile_is_its_own_alone(
    admin: httpx.Client, other_org: Organisation
) -> None:
    """Another one neither sees it nor can ask for it, and may give its own the same name."""
    other = other_org.client("admin")
    answer = add(admin, TOML)
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/profiles/{OWN}")
    assert (answer.json()["own"], answer.json()["availability"]["state"]) == (True, "unproven")
    assert names(admin) == {*load_profiles(), OWN}
    assert admin.get(f"/v1/profiles/{OWN}").json() == answer.json()
    assert names(other) == set(load_profiles())
    refused = (
        other.get(f"/v1/profiles/{OWN}"),
        other.delete(f"/v1/profiles/{OWN}"),
        other.post("/v1/uploads", json=declared(OWN)),
        other.post("/v1/zones", json={"name": "z", "title": "z", "required_profiles": [OWN]}),
    )
    assert {one.json()["code"] for one in refused} == {"unknown_profile"}
    assert all(OWN not in one.json()["detail"].partition("choose")[2] for one in refused)
    assert add(other, SECOND).status_code == 201
    assert admin.get(f"/v1/profiles/{OWN}").json()["version"] == 1


def declared(*profiles: str) -> dict[str, object]:
    return {"title": "x", "file_name": "x.mp4", "size_bytes": 10, "profiles": list(profiles)}


def test_an_own_profile_may_be_asked_for_by_jobs_and_zones(
    org: Organisation, admin: httpx.Client
) -> None:
    """By its name, as any other."""
    add(admin, TOML)
    assert admin.post("/v1/uploads", json=declared(OWN, AVC)).status_code == 201
    asset = org.asset()
    assert admin.post(f"/v1/assets/{asset.id}/jobs", json={"profiles": [OWN]}).status_code == 202
    zone = {"name": "listeners", "title": "Listeners", "required_profiles": [OWN]}
    assert admin.post("/v1/zones", json=zone).json()["required_profiles"] == [OWN]


def test_a_changed_profile_is_a_new_version(admin: httpx.Client) -> None:
    """What was added never changes; a lower or equal version is refused, a higher one is shown."""
    assert add(admin, TOML).status_code == 201
    again = add(admin, TOML.replace("96000", "128000"))
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    assert "version 2" in again.json()["detail"]
    assert add(admin, SECOND).json()["version"] == 2
    shown = admin.get(f"/v1/profiles/{OWN}").json()
    assert (shown["version"], shown["audio"][0]["bitrate_bps"]) == (2, 128_000)


def test_a_withdrawn_profile_is_not_there_any_more(admin: httpx.Client) -> None:
    """Its versions stay taken, so that a plan's version always means one thing."""
    add(admin, TOML)
    assert admin.delete(f"/v1/profiles/{OWN}").status_code == 204
    assert OWN not in names(admin)
    assert admin.delete(f"/v1/profiles/{OWN}").json()["code"] == "unknown_profile"
    assert admin.post("/v1/uploads", json=declared(OWN)).json()["code"] == "unknown_profile"
    assert add(admin, TOML).json()["code"] == "name_taken"
    assert add(admin, SECOND).status_code == 201
    types = [one["type"] for one in admin.get("/v1/events").json()["data"]]
    wanted = ["profile.added", "profile.withdrawn", "profile.added"]
    assert [one for one in types if one.startswith("profile.")] == wanted


def test_a_built_in_profile_is_nobodys_to_withdraw(admin: httpx.Client) -> None:
    """And none has a name that an organisation could give."""
    assert admin.delete(f"/v1/profiles/{AVC}").json()["code"] == "unknown_profile"
    assert AVC in names(admin)
    assert not [name for name in load_profiles() if name.startswith("own-")]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"own-listening-copy"', '"mobile-540p"', "begin with 'own-'"),
        ('"own-listening-copy"', '"own-../../etc"', "name is"),
        ("version = 1", "version = 99999999999999999999", "version is"),
        ('codec = "aac"', 'codec = "aac -f hls"', "audio"),
        ("bitrate_bps = 96000", 'arguments = "-y"', "unknown fields"),
        ('certainty = "P"', 'certainty = "P', "is not TOML"),
        ("title_zh", "title_xx", "unknown fields"),
    ],
)
def test_a_profile_is_validated_whole_before_it_is_kept(
    admin: httpx.Client, old: str, new: str, told: str
) -> None:
    """No arguments of tools, no name of another's, nothing misspelt; the field is named."""
    assert old in TOML
    answer = add(admin, TOML.replace(old, new))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_profile")
    assert told in answer.json()["detail"]
    assert names(admin) == set(load_profiles())


def test_the_example_of_the_documentation_is_valid() -> None:
    assert read_profile(TOML.encode()).name == OWN


def test_a_repeated_post_makes_one_profile(admin: httpx.Client) -> None:
    """With an Idempotency-Key, as everywhere."""
    headers = {"Idempotency-Key": "one"}
    first = admin.post("/v1/profiles", json={"toml": TOML}, headers=headers)
    again = admin.post("/v1/profiles", json={"toml": TOML}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotency-replayed"] == "true"


def waits(client: httpx.Client, job_id: str, language: str = "en") -> list[dict[str, object]]:
    answer = client.get(f"/v1/jobs/{job_id}", headers={"Accept-Language": language})
    found: list[dict[str, object]] = answer.json()["waiting"]
    return found


def test_a_job_says_that_nobody_who_lives_can_do_its_steps(
    api: Running, admin: httpx.Client, org: Organisation
) -> None:
    """Which profile and why, whether nobody serves or everybody lacks the tool."""
    job = org.job_of(org.asset())
    keys = {name: profile_key(load_profiles()[name]) for name in (HEVC, AVC)}
    with api.database.begin() as session:
        definitions = {key: to_json(load_profiles()[name]) for name, key in keys.items()}
        workers.keep_definitions(session, definitions)
        needs = [(keys[HEVC],), (keys[HEVC],), (keys[AVC],)]
        new = [NewStep("encode", f"chunk {at}", {}, needs=one) for at, one in enumerate(needs)]
        steps.add_steps(session, job, new)
    nobody = "no worker lives that takes such steps: start one"
    assert waits(admin, job.id) == [
        {"profiles": [HEVC], "reason": nobody, "steps": 2},
        {"profiles": [AVC], "reason": nobody, "steps": 1},
    ]
    chinese = "没有存活的工作进程承担此类步骤：请启动一个"
    assert {one["reason"] for one in waits(admin, job.id, "zh-CN")} == {chinese}
    with worker(api, "one", cn4k_hevc_hlg=WHY, mobile_540p=None):
        told = {"profiles": [HEVC], "reason": f"{HEVC}: {WHY}", "steps": 2}
        assert waits(admin, job.id) == [told]
        assert waits(admin, job.id, "zh-CN") == [{**told, "reason": f"{HEVC}：{WHY_ZH}"}]
        with worker(api, "two", cn4k_hevc_hlg=None):
            assert waits(admin, job.id) == []


def test_a_job_says_that_no_living_worker_is_large_enough_for_its_steps(
    api: Running, admin: httpx.Client, org: Organisation
) -> None:
    """The larger one, for which the smaller left it, has gone."""
    job, step = org.job_of(org.asset()), NewStep("encode", "chunk", {})
    with api.database.begin() as session:
        steps.add_steps(session, job, [step])
        session.get_one(Step, step.id).memory_bytes = 7_900_000_000
    with worker(api, "small", memory_bytes=3_200_000_000):
        reason = "none gives the 7.9 GB of memory: start a larger one"
        assert waits(admin, job.id) == [{"profiles": [], "reason": reason, "steps": 1}]
        (chinese,) = waits(admin, job.id, "zh-CN")
        assert chinese["reason"] == "没有工作进程能给出 7.9 GB 内存：请启动内存更大的"
        with worker(api, "large", memory_bytes=7_900_000_000):
            assert waits(admin, job.id) == []
