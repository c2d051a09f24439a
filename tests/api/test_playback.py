"""Playback: a short-lived signed prefix under which manifests, segments and pictures resolve."""

from __future__ import annotations

import time
from urllib.parse import urljoin

import api_world
import httpx
import pytest

from api.prefixes import key_under, open_prefix, sign_prefix
from pipelines.errors import KapokError
from storage.settings import data_signing_key

SEGMENT = bytes(range(256)) * 40
FILES = {
    "master.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo/540p.m3u8\n",
    "video/540p.m3u8": b"#EXTM3U\n#EXTINF:2.0,\nsegment-1.m4s\n#EXT-X-ENDLIST\n",
    "video/segment-1.m4s": SEGMENT,
    "manifest.mpd": b"<MPD/>",
}


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def last_line(playlist: str) -> str:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")][-1]


def test_a_player_finds_every_file_by_relative_urls(
    org: api_world.Organisation, admin: httpx.Client, anonymous: httpx.Client
) -> None:
    """Master playlist → media playlist → segment, without a key, with the right types."""
    asset = org.asset()
    package = org.package(asset, FILES)
    playback = admin.get(f"/v1/assets/{asset.id}/playback").json()
    assert playback["package_id"] == package.id
    master = anonymous.get(playback["hls"])
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert master.headers["access-control-allow-origin"] == "*"
    media_url = urljoin(playback["hls"], last_line(master.text))
    segment_url = urljoin(media_url, last_line(anonymous.get(media_url).text))
    segment = anonymous.get(segment_url)
    assert (segment.content, segment.headers["content-type"]) == (SEGMENT, "video/iso.segment")
    part = anonymous.get(segment_url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, SEGMENT[10:20])
    assert anonymous.get(playback["dash"]).headers["content-type"] == "application/dash+xml"
    assert anonymous.head(playback["dash"]).headers["content-length"] == "6"


def test_a_playback_url_lives_as_long_as_watching_it_twice(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """The signed hour and two times three seconds."""
    asset = org.asset()
    org.package(asset, FILES)
    expires = admin.get(f"/v1/assets/{asset.id}/playback").json()["expires_at"]
    left_s = api_world.moment(expires).timestamp() - time.time()
    assert 3600 < left_s < 3608


@pytest.mark.parametrize(
    "path",
    [
        "../../source/x",
        "%2e%2e/%2e%2e/source/x",
        "..%2f..%2fsource/x",
        "/etc/passwd",
        ".hidden",
        "video//segment-1.m4s",
        "video/",
        "",
        "a\\b",
        "none.m3u8",
        "video",
        pytest.param("x" * 3000, id="long name"),
        pytest.param("x/" * 1500 + "x", id="deep"),
        pytest.param("x" * 3000 + ".m3u8", id="long manifest"),
    ],
)
def test_a_path_cannot_leave_the_package(
    api: api_world.Running,
    org: api_world.Organisation,
    admin: httpx.Client,
    anonymous: httpx.Client,
    path: str,
) -> None:
    """Anything but a file of the package is a 404."""
    asset = org.asset()
    org.package(asset, FILES)
    hls = admin.get(f"/v1/assets/{asset.id}/playback").json()["hls"]
    url = httpx.URL(hls).copy_with(raw_path=f"{httpx.URL(hls).path[:-11]}{path}".encode())
    assert anonymous.get(url).status_code == 404


def test_altered_and_expired_tokens_open_nothing(
    api: api_world.Running, anonymous: httpx.Client
) -> None:
    key = data_signing_key(api.settings)
    expired = sign_prefix(key, "assets/x/packages/y/1/", int(time.time()) - 1)
    refused(anonymous.get(f"/v1/playback/{expired}/a.mpd"), 403, "url_expired")
    good = sign_prefix(key, "assets/x/packages/y/1/", int(time.time()) + 60)
    claim, mark = good.split(".")
    other = sign_prefix(b"another key", "assets/x/packages/y/1/", int(time.time()) + 60)
    for token in (claim, f"{claim}.", f"{claim}.{mark[:-2]}", f".{mark}", "....", other, "%ff.%ff"):
        refused(anonymous.get(f"/v1/playback/{token}/a.mpd"), 403, "invalid_signature")
    refused(anonymous.get(f"/v1/playback/{good}/a.mpd"), 404, "object_missing")


def test_a_token_names_one_prefix_and_one_end() -> None:
    token = sign_prefix(b"k", "assets/岭南/packages/", 1000)
    assert open_prefix(b"k", token, 999.9) == ("assets/岭南/packages/", 1000)
    assert key_under("assets/x/", "a/b-1.m4s") == "assets/x/a/b-1.m4s"
    with pytest.raises(KapokError, match="ask /v1/assets"):
        open_prefix(b"k", token, 1000)


def test_an_asset_without_a_package_says_why(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    asset = org.asset()
    refused(admin.get(f"/v1/assets/{asset.id}/playback"), 404, "package_not_found")
    nothing = {"data": [], "next_cursor": None, "has_more": False}
    path = f"/v1/assets/{asset.id}/packages"
    assert admin.get(path).json() == nothing
    refused(admin.get(f"{path}/pkg_x/files"), 404, "package_not_found")


def test_every_file_of_a_package_can_be_fetched_and_checked(
    org: api_world.Organisation, admin: httpx.Client, anonymous: httpx.Client
) -> None:
    asset = org.asset()
    org.package(asset, FILES)
    path = f"/v1/assets/{asset.id}/packages"
    (package,) = admin.get(path).json()["data"]
    assert (package["hls"], package["dash"]) == ("master.m3u8", "manifest.mpd")
    files = admin.get(f"{path}/{package['id']}/files").json()["data"]
    assert [file["path"] for file in files] == list(FILES)
    for file in files:
        content = anonymous.get(file["url"]).content
        assert (api_world.sha256(content), len(content)) == (file["sha256"], file["size_bytes"])


def test_files_of_a_package_come_in_pages(org: api_world.Organisation, admin: httpx.Client) -> None:
    """Ten hours are a hundred thousand; packages are listed, and played, without reading them."""
    asset = org.asset()
    former, newest = [org.package(asset, {f"{n}.m4s": b"" for n in range(5)}) for _ in range(2)]
    path = f"/v1/assets/{asset.id}/packages"
    pages = [admin.get(path, params={"limit": 1}).json()]
    pages.append(admin.get(path, params={"limit": 1, "cursor": pages[0]["next_cursor"]}).json())
    assert [page["data"][0]["id"] for page in pages] == [newest.id, former.id]
    assert admin.get(f"/v1/assets/{asset.id}/playback").json()["package_id"] == newest.id
    found, cursor = [], None
    for more in (True, True, False):
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = admin.get(f"{path}/{newest.id}/files", params=params).json()
        assert page["has_more"] is more
        found, cursor = [*found, *(file["path"] for file in page["data"])], page["next_cursor"]
    assert (found, cursor) == ([f"{n}.m4s" for n in range(5)], None)
    wrong = admin.get(f"{path}/{newest.id}/files", params={"cursor": "x"})
    refused(wrong, 400, "invalid_cursor")


def test_posters_storyboard_and_waveform_are_pictures_of_the_source(
    api: api_world.Running,
    org: api_world.Organisation,
    admin: httpx.Client,
    anonymous: httpx.Client,
) -> None:
    """The storyboard's cues name sprite sheets beside it, and that resolves."""
    asset = org.asset()
    made = {
        "poster-1.jpg": b"poster",
        "storyboard.vtt": b"WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nsprite-001.jpg#xywh=0,0,1,1\n",
        "sprite-001.jpg": b"sprite",
        "waveform.json": b"{}",
    }
    for name, content in made.items():
        api.objects.put_bytes(content, f"assets/{asset.id}/look/1/{name}")
    path = f"/v1/assets/{asset.id}"
    (poster,) = admin.get(f"{path}/posters").json()["data"]
    assert (poster["width"], poster["time_s"]) == (1920, 1.5)
    assert (poster["frame"], poster["timecode"]) == (75, "10:00:01:25")
    answer = anonymous.get(poster["url"])
    assert (answer.content, answer.headers["content-type"]) == (b"poster", "image/jpeg")
    board = admin.get(f"{path}/storyboard").json()
    cue = last_line(anonymous.get(board["vtt"]["url"]).text)
    assert anonymous.get(urljoin(board["vtt"]["url"], cue)).content == b"sprite"
    assert anonymous.get(board["images"][0]["url"]).content == b"sprite"
    assert board["vtt"]["name"] == "storyboard.vtt"
    waveform = admin.get(f"{path}/waveform").json()
    assert anonymous.get(waveform["url"]).json() == {}


def test_sound_alone_has_no_storyboard(org: api_world.Organisation) -> None:
    """Codes of things that will never be made, and of those that are not made yet."""
    admin = org.client()
    sound = org.asset(inspection={"duration_s": "3/1"})
    refused(admin.get(f"/v1/assets/{sound.id}/storyboard"), 404, "not_made_yet")
    refused(admin.get(f"/v1/assets/{sound.id}/waveform"), 404, "not_made_yet")
    assert admin.get(f"/v1/assets/{sound.id}/posters").json() == {"data": []}
    fresh = org.asset(inspection=None)
    refused(admin.get(f"/v1/assets/{fresh.id}/posters"), 404, "not_made_yet")
