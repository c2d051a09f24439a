"""The demo's JSON object is what `check_demo.py` reads."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from real_service import Service
from rich.console import Console

from api.views.assets import asset
from kapok.client import Client
from kapok.demo import choose_zone
from kapok.demo_result import colour, compose, rendition, source
from kapok.demo_screen import closing
from pipelines.media import Colour, Inspection, MediaInfo, VideoTrack
from pipelines.records import to_json
from storage.schema import Asset

COLOUR = {"primaries": "bt2020", "transfer": "arib-std-b67", "matrix": "bt2020nc", "range": "tv"}
SOURCE: dict[str, Any] = {
    "codec": "hevc", "width": 3840, "height": 2160, "frame_rate": "50/1", "frames": 150,
    "pix_fmt": "yuv420p10le", "colour": COLOUR, "duration_s": 3.0, "audio": [{}, {}],
}  # fmt: skip
SOUND: dict[str, Any] = {
    "codec": "pcm_s24le", "width": None, "height": None, "frame_rate": None, "frames": None,
    "pix_fmt": None, "duration_s": 8.0, "audio": [{}],
    "colour": {"primaries": None, "transfer": None, "matrix": None, "range": None},
}  # fmt: skip


def test_colour_is_said_in_ffprobes_names() -> None:
    assert colour(COLOUR) == {
        "color_range": "tv",
        "color_primaries": "bt2020",
        "color_transfer": "arib-std-b67",
        "color_space": "bt2020nc",
    }
    assert set(colour(None).values()) == {None}


def test_the_source_counts_its_sound_tracks() -> None:
    found = source(Path("/a/b.mov"), SOURCE)

    assert (found["path"], found["audio_tracks"], found["frames"]) == ("/a/b.mov", 2, 150)


def test_sound_alone_has_no_picture_words() -> None:
    """The checker skips picture checks where `width` is null."""
    found = source(Path("/a.wav"), SOUND)

    assert found["width"] is None
    assert found["duration_s"] == 8.0


def test_a_rendition_keeps_its_commands_and_scores() -> None:
    facts = {**SOURCE, "bitrate_bps": 1000, "audio": [{"codec": "aac", "channels": 2}]}
    record = {
        "id": "ren_1", "profile": "p", "state": "ready", "path": "renditions/p.mp4",
        "sha256": "0", "size_bytes": 1, "facts": facts, "commands": [["ffmpeg"]], "tools": {},
        "measurements": [{"metric": "framemd5", "equal": True}],
    }  # fmt: skip

    made = rendition(record)

    assert made["command"] == [["ffmpeg"]]
    assert made["measurements"] == [{"metric": "framemd5", "equal": True}]
    assert made["color_transfer"] == "arib-std-b67"


def sound_result(keep: Path, title: str) -> dict[str, Any]:
    """A demo of an asset without a picture."""
    return compose(
        Path("/a.wav"),
        keep,
        {"id": "ast_1", "sha256": "0", "state": "ready", "title": title, "source": SOUND},
        (),
        {
            "renditions": [],
            "posters": [],
            "storyboard": None,
            "packages": {"hls": None, "dash": None},
        },
        {"id": "pub_1", "zone": "audio", "manifest_path": "publication/manifest.json"},
        [],
        {},
        {"total": 1.0},
    )


def test_an_audio_asset_has_null_packages_and_no_posters(tmp_path: Path) -> None:
    result = sound_result(tmp_path, title="a")

    assert result["packages"] == {"hls": None, "dash": None}
    assert (result["posters"], result["storyboard"]) == ([], None)
    assert result["keep"] == str(tmp_path)


def test_a_title_is_no_markup_in_the_frame_around_an_act(tmp_path: Path) -> None:
    """Rich reads the title of a panel as markup, whatever its console is told."""
    result = sound_result(tmp_path, title="Tape [/b] 7")
    out = io.StringIO()

    Console(file=out, width=100).print(closing(result))

    assert "Tape [/b] 7" in out.getvalue()


def test_the_closing_table_says_what_came_of_each_rendition(tmp_path: Path) -> None:
    """Profile, raster, codec, rate, size, sound and score; what was refused, and what agrees."""
    audio = [{"codec": "aac", "channels": 2, "loudness_lkfs": -23.04}]
    made = {
        "id": "ren_1", "profile": "cn4k-hevc-hlg", "state": "ready", "path": "renditions/a.mp4",
        "sha256": "0", "size_bytes": 13_500_000, "commands": [], "tools": {},
        "facts": {**SOURCE, "bitrate_bps": 36_000_000, "audio": audio},
        "measurements": [{"metric": "vmaf", "model": "vmaf_v1.0.16", "mean": 95.5}],
    }  # fmt: skip
    result = compose(
        Path("/a.mov"),
        tmp_path,
        {"id": "ast_1", "sha256": "0", "state": "ready", "title": "岭南", "source": SOURCE},
        [{"profile": "cn8k-hevc-hlg", "code": "would_upscale", "reason": "it is 4K"}],
        {
            "renditions": [made],
            "posters": [{"path": "posters/1.jpg", "width": 960, "height": 540, "time_s": 1.5}],
            "storyboard": {"vtt": "storyboard/s.vtt"},
            "packages": {"hls": "packages/a.m3u8", "dash": "packages/a.mpd"},
        },
        {"id": "pub_1", "zone": "uhd-4k", "manifest_path": "publication/manifest.json"},
        [{"path": "pulled/a.mp4", "sha256": "0", "verified": True}],
        {"md5": "0" * 32},
        {"total": 1.0},
    )
    out = io.StringIO()

    Console(file=out, width=160).print(closing(result))

    lines = {line.split()[1]: line for line in out.getvalue().splitlines() if len(line.split()) > 2}
    row = lines["cn4k-hevc-hlg"]
    for word in ("3840×2160", "hevc", "HLG", "36.00", "12.9 MiB", "aac 2ch -23.0", "95.5"):
        assert word in row, row
    assert "MD5 agrees" in lines["checksum"]
    assert "zone uhd-4k" in lines["published"]
    assert "SHA-256 agrees" in lines["pulled"]
    assert "cn8k-hevc-hlg: it is 4K" in lines["refused"]
    assert "packages/a.m3u8" in lines["HLS"]


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, service.key) as opened:
        yield opened


def test_the_best_rendition_decides_the_zone(client: Client) -> None:
    """A tape with a preservation master goes to heritage, though its access copy would open hd."""
    client.create_zone("access", required_profiles=["hd-avc-sdr"])

    assert choose_zone(client, [{"profile": "archive-ffv1"}, {"profile": "hd-avc-sdr"}]) == (
        "heritage"
    )


def test_a_rendition_that_no_zone_asks_for_gets_a_zone(client: Client) -> None:
    assert choose_zone(client, [{"profile": "review-proxy"}]) == "demo"
    made = {zone["name"]: zone["required_profiles"] for zone in client.zones()}
    assert made["demo"] == ["review-proxy"]


def test_a_source_of_varying_rate_does_not_claim_the_even_one() -> None:
    """37 frames in 2 s resampled to 25 fps: frame k of one is not frame k of the other."""
    track = VideoTrack(0, "h264", None, 320, 180, "yuv420p", 8, Fraction(25), Colour())
    info = MediaInfo("mov", 1, None, (track,), ())
    row = Asset(
        id="ast_1", state="ready", title="t", file_name="f", size_bytes=1, sha256="0",
        metadata_={}, version=1, created_at=datetime.now(UTC), updated_at=datetime.now(UTC),
        media=to_json(info),
        inspection=to_json(
            Inspection(Fraction(2), 37, frame_rate=Fraction(25), constant_frame_rate=False)
        ),
    )  # fmt: skip
    sent = asset(row).model_dump(mode="json")["source"]
    assert (sent["frame_rate"], sent["frames"]) == ("37/2", 37)
    assert source(Path("/a.mp4"), sent)["frame_rate"] == "37/2"
