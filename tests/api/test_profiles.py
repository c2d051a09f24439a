"""Profiles: whether somebody can do one, and why not; a job of none that can be done is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from api_world import Organisation, Running

from pipelines.profile import load_profiles
from pipelines.profile_key import profile_key
from storage.catalogue import workers
from storage.catalogue.workers import Verdict

HEVC, AVC = "cn4k-hevc-hlg", "mobile-540p"
WHY = "libx265 is not in this ffmpeg"


@contextmanager
def worker(api: Running, name: str, **reasons: str | None) -> Iterator[None]:
    """A living worker with these verdicts: what is against a profile, by its name with `_`."""
    verdicts = []
    for word, reason in reasons.items():
        profile = load_profiles()[word.replace("_", "-")]
        verdicts.append(Verdict(profile_key(profile), profile.name, profile.version, reason))
    with api.database.begin() as session:
        queues = ["encode", "package"]
        workers.register(session, name, host="node", queues=queues, tools={}, verdicts=verdicts)
    try:
        yield
    finally:
        with api.database.begin() as session:
            workers.retire(session, name)


def availability(client: httpx.Client, name: str) -> dict[str, object]:
    listed = {one["name"]: one for one in client.get("/v1/profiles").json()["data"]}
    shown = client.get(f"/v1/profiles/{name}").json()
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
    assert availability(admin, AVC) == unproven


@pytest.mark.parametrize("wish", [{"profiles": [HEVC]}, {"ladder": "uhd"}])
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
