"""What an encode will hold is known before it runs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.encoding.cut import LocalFile
from pipelines.encoding.encode import encode_part
from pipelines.inspection.inspect import inspect
from pipelines.planning.memory import encode_bytes
from pipelines.planning.plan import Chunk
from pipelines.planning.prediction import predict
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.sources.probe import probe
from tests.pipelines.sources import call, planned

pytestmark = pytest.mark.media

TAGS = "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"


def sized(name: str, width: int, height: int) -> Profile:
    base = profile(name)
    assert base.video is not None
    return replace(base, audio=(), video=replace(base.video, width=width, height=height))


@pytest.mark.parametrize("frames", [12, 60])
def test_an_encode_holds_what_was_foreseen(frames: int, tmp_path: Path) -> None:
    """Within a quarter: two rungs of a short chunk, and of one longer than all lookaheads."""
    path = tmp_path / "clip.mov"
    picture = f"testsrc2=s=1280x720:r=50,noise=alls=8:allf=t,format=yuv420p10le,setparams={TAGS}"
    fast = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
    call("-f", "lavfi", "-i", picture, *fast, "-frames:v", "72", "-y", path)
    profiles = [sized("cn4k-hevc-hlg", 1280, 720), sized("hd-avc-sdr", 960, 540)]
    plan = planned(path, profiles, tmp_path)
    chunk = Chunk(1, 12, 12 + frames)
    encoded = finish(encode_part(LocalFile(path), plan, chunk, tmp_path))
    picture_track = probe(path).picture
    assert picture_track is not None
    cores = len(os.sched_getaffinity(0))
    foreseen = encode_bytes(picture_track, plan, chunk, cores)
    assert foreseen == pytest.approx(encoded.peak_bytes, rel=0.25)
    # What is told before anything runs is of the step that holds most: here the whole encode.
    info, seen = probe(path), finish(inspect(path, probe(path), tmp_path))
    whole = encode_bytes(picture_track, plan, plan.chunks[0], cores)
    assert predict(plan, info, seen, cores).memory_bytes == whole
