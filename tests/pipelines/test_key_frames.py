"""How far key frames lie apart where an encoder cannot have them everywhere."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.media import Inspection, VideoTrack
from pipelines.planning.plan import plan
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.sources.probe import probe
from tests.pipelines.sources import HD, call, described, smaller, verified

AVS2, UPCONVERT = profile("avs2-8bit-sdr"), profile("uhd-upconvert-hlg")
TAGS = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"


def gops(picture: VideoTrack, *profiles: Profile) -> list[int]:
    info, seen = described(picture)
    return [rung.video.gop_frames for rung in plan(info, seen, profiles).rungs if rung.video]


@pytest.mark.parametrize(
    ("rate", "frames"),
    [("25", 24), ("30", 32), ("50", 48), ("60000/1001", 60)],
)
def test_key_frames_of_avs2_lie_whole_mini_gops_apart(rate: str, frames: int) -> None:
    """Of four frames: where a key frame came within one, libdavs2 gave up reading."""
    assert gops(replace(HD, frame_rate=Fraction(rate)), AVS2) == [frames]


def test_hevc_has_pictures_between_its_key_frames() -> None:
    """Of a source of one frame a second too: of key frames alone x265 writes another profile."""
    assert gops(replace(HD, frame_rate=Fraction(1)), UPCONVERT) == [2]


def test_a_package_of_hevc_has_its_key_frames_at_the_same_moments_all_the_same() -> None:
    """Where H.264 beside it could have one with every frame."""
    small = profile("mobile-720p")
    assert small.video is not None
    hevc = replace(small.video, codec="hevc", encoder="libx265", codec_profile="main", level=None)
    own = replace(small, name="own-x", video=replace(hevc, preset="fast", width=640, height=360))
    assert gops(replace(HD, frame_rate=Fraction(1)), small, own) == [2, 2]


def test_key_frames_of_avs2_lie_so_beside_every_other_rung() -> None:
    """One that keeps every fifth frame would have had 50 in place of 48."""
    fifth = smaller(profile("mobile-720p"), 1280, 720)
    assert fifth.video is not None
    slow = replace(fifth, video=replace(fifth.video, max_frame_rate=Fraction(10)))
    assert gops(replace(HD, frame_rate=Fraction(50)), AVS2, slow) == [40, 10]


@pytest.mark.media
def test_avs2_of_25_frames_a_second_is_verified(tmp_path: Path) -> None:
    """By the profile's own preset, with which a key frame each 25 frames ended libdavs2."""
    rate, frames, source = Fraction(25), 60, tmp_path / "source.mkv"
    picture = f"testsrc2=s=320x180:r={rate},noise=alls=60:allf=t:all_seed=1,format=yuv420p,{TAGS}"
    call("-f", "lavfi", "-i", picture, "-frames:v", str(frames), "-c:v", "ffv1", source)
    seen = Inspection(duration_s=frames / rate, frames=frames, frame_rate=rate)
    made = plan(probe(source), seen, [smaller(AVS2, 320, 180)])
    (rung,) = made.rungs
    (file,) = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files.values()
    finish(join(rung, [file], [], out := tmp_path / "joined.ts", made))
    assert verified(out, rung, made, source).facts.frames == frames
