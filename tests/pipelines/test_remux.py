"""A copy keeps the dynamic metadata that no encode would, and nothing else passes for it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.graph import compose
from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.facts import Measurement
from pipelines.media import Inspection, VideoTrack
from pipelines.planning.plan import Plan, plan
from pipelines.profiles.profile import Profile, profile
from pipelines.profiles.vivid_sample import mark_vivid
from pipelines.progress import finish
from pipelines.running.tools import ffprobe
from pipelines.sources.probe import probe
from tests.pipelines.sources import HLG, PQ, UHD, call, described, smaller, verified

FRAMES, RATE = 30, Fraction(50)
VIVID = replace(UHD, hdr_vivid=True)


def made(track: VideoTrack, **inspected: Any) -> Plan:
    return plan(*described(track, **inspected), [profile("cn4k-hevc-vivid-remux")])


def test_a_source_with_hdr_vivid_is_copied_whole() -> None:
    """HLG or PQ, in one piece, with no frame encoded."""
    for colour in (HLG, PQ):
        planned = made(replace(VIVID, colour=colour), frames=4000)
        (rung,) = planned.rungs
        assert rung.video is not None
        assert (rung.video.encoder, rung.video.lossless) == ("copy", True)
        assert (rung.video.colour, rung.video.dynamic_metadata) == (colour, "hdr_vivid")
        assert len(planned.chunks) == 1
        argv = compose(Path("/in.mp4"), planned, planned.chunks[0], Path("/out"))
        assert argv[argv.index("-c:v") + 1] == "copy"
        assert "-filter_complex" not in argv


@pytest.mark.parametrize(
    ("track", "inspected", "code"),
    [
        (UHD, {}, "needs_dynamic_metadata"),
        (replace(VIVID, codec="av1"), {}, "needs_hevc"),
        (replace(VIVID, colour=replace(HLG, transfer="bt709")), {}, "needs_hdr"),
        (replace(VIVID, colour=replace(HLG, primaries="bt709")), {}, "needs_wide_gamut"),
        (replace(VIVID, pix_fmt="yuv422p10le"), {}, "bit_depth_too_low"),
        (replace(VIVID, width=1920, height=1080), {}, "raster_differs"),
        (replace(VIVID, frame_rate=Fraction(25)), {}, "frame_rate_too_low"),
        (VIVID, {"constant_frame_rate": False}, "variable_frame_rate"),
        (VIVID, {"clock_jumps": True}, "clock_jumps"),
        (replace(VIVID, rotation_deg=90), {}, "rotated"),
    ],
)
def test_what_a_copy_cannot_mend_is_refused(
    track: VideoTrack, inspected: dict[str, Any], code: str
) -> None:
    """Everything has to be right already, or the file would not be what its name says."""
    planned = made(track, **inspected)
    assert [one.code for one in planned.refused] == [code]


def vivid(folder: Path, frames: int = FRAMES) -> Path:
    """HLG in MP4 with B-frames, and a message of its own in each picture."""
    bare, path = folder / "bare.mp4", folder / "vivid.mp4"
    tags = "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
    picture = f"testsrc2=s=320x180:r={RATE}:d=4,format=yuv420p10le,setparams={tags}"
    words = "log-level=error:keyint=25:bframes=3:open-gop=0"
    call(
        *("-f", "lavfi", "-i", picture, "-frames:v", str(frames), "-c:v", "libx265"),
        *("-preset", "ultrafast", "-x265-params", words, bare),
    )
    mark_vivid(bare, path)
    return path


def small() -> list[Profile]:
    names = ("cn4k-hevc-vivid-remux", "cn4k-hevc-hlg")
    return [smaller(profile(name), 320, 180) for name in names]


def messages(path: Path) -> list[str]:
    """The mean that each picture's metadata says, in the order of display."""
    shown = ("-select_streams", "v", "-show_frames", "-of", "json")
    argv = [ffprobe(), "-v", "error", *shown, str(path)]
    frames = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)["frames"]
    held = (data for frame in frames for data in frame.get("side_data_list", []))
    return [str(data) for data in held if "Vivid" in data["side_data_type"]]


@pytest.mark.media
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_hdr_vivid_is_in_every_picture_of_the_copy(container: str, tmp_path: Path) -> None:
    """Beside a rung that is encoded; whatever the source's container rounds, the grid is even."""
    source = vivid(tmp_path)
    if container != "mp4":
        call("-i", source, "-c", "copy", other := tmp_path / f"source.{container}")
        source = other
    seen = Inspection(FRAMES / RATE, frames=FRAMES, frame_rate=RATE)
    planned = plan(info := probe(source), replace(seen, first_picture_s=info.start_s), small())
    assert len(planned.rungs) == 2
    files = finish(encode_chunk(source, planned, planned.chunks[0], tmp_path)).files
    rung = planned.rung("cn4k-hevc-vivid-remux")
    out = tmp_path / "joined.mp4"
    finish(join(rung, [files[rung.profile]], [], out, planned))
    proven = verified(out, rung, planned, source)
    assert proven.proofs == (Measurement("framemd5", None, None, None, None, FRAMES, equal=True),)
    assert len(messages(out)) == FRAMES
    assert messages(out) == messages(source)


@pytest.mark.media
def test_a_copy_that_lost_its_metadata_is_refused(tmp_path: Path) -> None:
    """All pictures are the source's, to the bit; and still it is not what was planned."""
    source = vivid(tmp_path)
    seen = Inspection(FRAMES / RATE, frames=FRAMES, frame_rate=RATE)
    planned = plan(probe(source), seen, small()[:1])
    (rung,) = planned.rungs
    out = tmp_path / "lost.mp4"
    without = "filter_units=remove_types=39"
    call("-i", source, "-map", "0:v", "-c", "copy", "-bsf:v", without, "-tag:v", "hvc1", out)
    with pytest.raises(VerificationFailed, match="dynamic metadata is None, hdr_vivid planned"):
        verified(out, rung, planned, source)


@pytest.mark.media
def test_another_pictures_metadata_is_not_the_sources(tmp_path: Path) -> None:
    """The first picture has its message, and a later one has another one's."""
    source = vivid(tmp_path)
    seen = Inspection(FRAMES / RATE, frames=FRAMES, frame_rate=RATE)
    planned = plan(probe(source), seen, small()[:1])
    (rung,) = planned.rungs
    twice, tagged = tmp_path / "twice.mp4", tmp_path / "tagged.mp4"
    mark_vivid(source, twice)
    call("-i", twice, "-c", "copy", "-tag:v", "hvc1", tagged)
    with pytest.raises(VerificationFailed, match="the metadata in the stream is not the source's"):
        verified(tagged, rung, planned, source)
