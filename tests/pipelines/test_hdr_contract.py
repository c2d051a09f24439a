"""Each conversion through the whole chain: planned, encoded, joined, read back and scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import clips
import numpy as np
import pytest

from pipelines.colour.source_colour import wants_light
from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.facts import Verified
from pipelines.inspection.inspect import inspect
from pipelines.media import Hdr10
from pipelines.planning.plan import Chunk, Plan
from pipelines.planning.plan import plan as plan_for
from pipelines.planning.plan_colour import NOMINAL_DISPLAY
from pipelines.profiles.profile import DynamicRange, Profile, profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from pipelines.sources.probe import probe
from pipelines.verification.mp4_boxes import picture_entry
from pipelines.verification.readback import read_back
from tests.pipelines.made import made_of
from tests.pipelines.sources import call, smaller, verified

pytestmark = pytest.mark.media

TAGS = {
    "sdr": "color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv",
    "hlg": "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv",
    "pq": "color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv",
}


@dataclass(frozen=True, slots=True)
class Made:
    source: Path
    plan: Plan
    path: Path


def in_range(wanted: DynamicRange) -> Profile:
    """The 4K profile, small and quick, for any range and from any."""
    made = profile("cn4k-hevc-hlg")
    assert made.video is not None
    video = replace(
        made.video,
        width=320,
        height=180,
        dynamic_range=wanted,
        from_sdr="map",
        preset="ultrafast",
        crf=16,
    )
    return replace(made, video=video, audio=())


def source_of(folder: Path, kind: str, picture: str = "testsrc2=s=320x180:r=50:d=0.6") -> Path:
    """Without HDR10's metadata, nearly lossless."""
    chain = f"{picture},format=yuv420p10le,setparams={TAGS[kind]}"
    x265 = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "4", "-x265-params", "log-level=1")
    return clips.make(folder / f"{kind}.mp4", *clips.generated(chain), *x265)


def rendition(source: Path, wanted: Profile, folder: Path, seam: int | None = None) -> Made:
    """In one piece, or in two chunks that meet at a frame."""
    info, seen = probe(source), folder / "inspection"
    seen.mkdir()
    looking = inspect(source, info, seen, measure_light=wants_light(info, [wanted]))
    plan = plan_for(info, finish(looking), [wanted])
    if seam:
        plan = replace(plan, chunks=(Chunk(0, 0, seam), Chunk(1, seam, plan.frames)))
    rung, files = plan.rungs[0], []
    for chunk in plan.chunks:
        own = folder / f"chunk-{chunk.index}"
        own.mkdir()
        files.append(finish(encode_chunk(source, plan, chunk, own)).files[rung.profile])
    path = folder / f"joined.{rung.container}"
    finish(join(rung, files, [], path, plan))
    return Made(source, plan, path)


def proven(made: Made) -> Verified:
    return verified(made.path, made.plan.rungs[0], made.plan, made.source)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("hlg", "pq"), ("pq", "hlg"), ("sdr", "hlg"), ("sdr", "pq"), ("pq", "pq"), ("hlg", "hlg")],
)
def test_a_conversion_is_verified_and_scored(
    kind: str, wanted: DynamicRange, tmp_path: Path
) -> None:
    """Frames stand where they should, the file says what the plan says, and scores are high."""
    made = rendition(source_of(tmp_path, kind), in_range(wanted), tmp_path)
    rung = made.plan.rungs[0]
    assert rung.video is not None
    assert rung.video.conversion == ("none" if kind == wanted else f"{kind}_to_{wanted}")
    facts = proven(made).facts
    assert (facts.colour.dynamic_range, facts.pix_fmt) == (wanted, "yuv420p10le")
    scored = finish(measure(made.source, [(rung, made.path)], made.plan, tmp_path))
    means = {one.metric: one.mean or 0 for one in scored.of(rung.profile).measurements}
    assert means["ssim"] > 0.98
    assert means["xpsnr"] > 36


@pytest.mark.parametrize("seam", [None, 15])
def test_static_metadata_stands_in_stream_and_container(seam: int | None, tmp_path: Path) -> None:
    """A converted PQ file states the display of its plan in both, to the digit."""
    made = rendition(source_of(tmp_path, "hlg"), in_range("pq"), tmp_path, seam)
    video, entry = made.plan.rungs[0].video, picture_entry(made.path)
    assert entry is not None
    assert video is not None
    assert video.content_light is not None
    assert 900 < video.content_light.max_cll_cd_m2 <= 1000
    assert entry.hdr10 == Hdr10(NOMINAL_DISPLAY, video.content_light)
    stream = finish(read_back(made.path)).picture
    assert stream is not None
    assert stream.hdr10_in_stream == entry.hdr10
    proven(made)


def test_metadata_that_only_one_of_them_has_is_a_fault(tmp_path: Path) -> None:
    """Players disagree about whom to believe."""
    made = rendition(source_of(tmp_path, "hlg"), in_range("pq"), tmp_path)
    copied = ("-c", "copy", "-tag:v", "hvc1", "-video_track_timescale", "10000")
    other = ("-content_light:v:0", "1,1", "-i", str(made.path))
    changed = clips.make(tmp_path / "changed.mp4", *other, *copied)
    with pytest.raises(VerificationFailed, match="content light in the container is") as wrong:
        proven(replace(made, path=changed))
    assert "in the stream" not in str(wrong.value)


def wave(folder: Path, chroma_location: str) -> Path:
    """HLG whose colour goes up and down with a period of 45 lines, wherever its samples stand."""
    out = folder / f"{chroma_location}.mp4"
    colours = "geq=lum='0.6*lum(X,Y)':cb='32768+8000*sin(2*PI*Y/45)':cr=32768"
    tags = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
    picture = f"testsrc2=s=960x540:r=50:d=0.4,format=yuv444p16le,{colours},{tags}"
    stored = f"zscale=chromal={chroma_location},format=yuv420p10le"
    words = ("-c:v", "libx265", "-x265-params", "lossless=1:log-level=none", "-tag:v", "hvc1")
    call("-f", "lavfi", "-i", f"{picture},{stored}", *words, out)
    return out


def line_of_colour(path: Path, width: int, height: int) -> float:
    """At which line of the source, up to a whole period, the first line of colour stands."""
    raw = call("-i", path, "-frames:v", "1", "-pix_fmt", "yuv420p10le", "-f", "rawvideo", "-")
    first = np.frombuffer(raw, np.uint16)[width * height :][: width * height // 4]
    blue = first.reshape(height // 2, width // 2)[:, width // 4].astype(float)
    lines = np.arange(len(blue)) * 540 / len(blue)
    spun = np.exp(-2j * np.pi * lines / 45) @ (blue - blue.mean())
    return float((np.angle(spun) / (2 * np.pi) + 0.25) * 45)


def test_colour_stands_where_it_stood(tmp_path: Path) -> None:
    """BT.2020 has its samples of colour on the first of two lines, as its renditions say, BT.709
    between them: what is not moved is shown half a line off.
    """
    sizes = {"cn4k-hevc-hlg": (960, 540), "mobile-540p": (640, 360)}
    wanted = [smaller(profile(name), *size) for name, size in sizes.items()]
    found = {}
    for location in ("left", "topleft"):
        folder = tmp_path / location
        folder.mkdir()
        source = wave(folder, location)
        made, files = made_of(source, folder, wanted)
        assert made.source_chroma_location == (None if location == "left" else "topleft")
        found[location] = {name: line_of_colour(files[name], *size) for name, size in sizes.items()}
    stored = line_of_colour(tmp_path / "left" / "left.mp4", 960, 540)
    assert abs(line_of_colour(tmp_path / "topleft" / "topleft.mp4", 960, 540) - stored + 0.5) < 0.05
    assert abs(found["left"]["cn4k-hevc-hlg"] - stored + 0.5) < 0.1, found
    for name in sizes:
        assert abs(found["topleft"][name] - found["left"][name]) < 0.1, found
