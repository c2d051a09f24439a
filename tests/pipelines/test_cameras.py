"""Cameras' and phones' files: their essence is taken, and what nobody reads is named."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.media import VideoTrack
from pipelines.planning.plan import plan
from pipelines.profiles.profile import profile
from pipelines.sources.probe import probe
from tests.pipelines import cameras
from tests.pipelines.sources import HD, described

pytestmark = pytest.mark.media


def picture_of(path: Path) -> VideoTrack:
    found = probe(path).picture
    assert found
    return found


def test_prores_4444_xq_keeps_its_depth_and_says_its_transparency(tmp_path: Path) -> None:
    """Decoders give 12 bits; the timecode track is carried, so nothing is left out."""
    info = probe(cameras.prores_xq(tmp_path))
    assert info.picture
    assert (info.picture.codec_profile, info.picture.pix_fmt) == ("XQ", "yuva444p12le")
    assert (info.timecode, info.left_out) == ("01:00:00:00", ())
    _, seen = described(info.picture, frames=25)
    made = plan(info, seen, [profile("mobile-540p"), profile("archive-ffv1")])
    assert "the picture is partly transparent: only preservation keeps how" in made.decisions
    kept = {rung.profile: rung.video and rung.video.pix_fmt for rung in made.rungs}
    assert kept == {"mobile-540p": "yuv420p", "archive-ffv1": "yuva444p12le"}


def test_an_opaque_picture_is_not_called_transparent() -> None:
    info, seen = described(replace(HD, pix_fmt="yuv444p12le"))
    made = plan(info, seen, [profile("mobile-540p")])
    assert not [text for text in made.decisions if "transparent" in text]


def test_hevc_422_and_intra_h264_are_read_with_their_sound(tmp_path: Path) -> None:
    """10 bits of 4:2:2 beside PCM, in MOV and in MP4."""
    hevc, avc = probe(cameras.hevc_422(tmp_path)), probe(cameras.xavc_s(tmp_path))
    assert hevc.picture
    assert (hevc.picture.codec, hevc.picture.pix_fmt) == ("hevc", "yuv422p10le")
    assert hevc.picture.colour.dynamic_range == "hlg"
    assert (hevc.audio[0].codec, hevc.timecode) == ("pcm_s24le", "01:00:00:00")
    assert avc.picture
    assert (avc.picture.codec_profile, avc.picture.pix_fmt) == (
        "High 4:2:2 Intra",
        "yuv422p10le",
    )
    assert avc.audio[0].codec == "pcm_s16be"


def test_a_phones_hlg_is_turned_as_it_asks(tmp_path: Path) -> None:
    picture = picture_of(cameras.phone(tmp_path))
    assert (picture.rotation_deg, picture.display_size) == (90, (180, 320))
    assert picture.colour.dynamic_range == "hlg"


@pytest.mark.parametrize(
    ("kind", "handler", "named"),
    [
        (b"mebx", b"meta", 'data track 2 (no decoder, "SoundHandler")'),
        (b"gpmd", b"meta", 'data track 2 (no decoder, "SoundHandler")'),
        (b"djmd", b"meta", 'data track 2 (no decoder, "SoundHandler")'),
        (b"rtmd", b"meta", 'data track 2 (no decoder, "SoundHandler")'),
        (b"auxl", b"auxv", 'data track 2 (no decoder, "SoundHandler")'),
        (b"apac", b"soun", "sound track 2 (no decoder)"),
    ],
)
def test_tracks_that_nobody_decodes_are_named_and_break_nothing(
    kind: bytes, handler: bytes, named: str, tmp_path: Path
) -> None:
    """Motion, lens and position of cameras, a phone's spatial sound and depth."""
    path = cameras.with_track(tmp_path, cameras.plain(tmp_path), kind, handler)
    info = probe(path)
    assert info.picture
    assert info.left_out == (named,)
    assert [track.codec for track in info.audio] == ["aac"]
    _, seen = described(info.picture, info.audio, frames=25, first_picture_s=Fraction(0))
    made = plan(info, seen, [profile("mobile-540p")])
    assert f"{named} is in no rendition" in made.decisions
    assert (made.video_track, made.audio_tracks) == (0, (1,))
