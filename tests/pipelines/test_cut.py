"""A part of a source decodes to exactly the frames that it has in the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.encoding.cut import CutFailed, LocalFile
from pipelines.encoding.encode import encode, encode_chunk, encode_part, why_no_parts
from pipelines.planning.chunks import in_one_piece
from pipelines.planning.plan import Chunk, Plan
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from tests.pipelines.sources import call, framemd5, planned, read_back

pytestmark = pytest.mark.media

X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params")
OPEN_HEVC = (*X265, "log-level=error:open-gop=1:keyint=24:bframes=3:scenecut=0")
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-x264-params")
OPEN_AVC = (*X264, "open-gop=1:keyint=24:scenecut=0:bframes=3")
MPEG2 = ("-c:v", "mpeg2video", "-b:v", "4M", "-bf", "2", "-g", "12")
SOURCES = {
    "open_gop.ts": (*OPEN_HEVC, "-muxdelay", "5"),
    "open_gop.mkv": OPEN_HEVC,
    "open_gop.mp4": OPEN_AVC,
    "late.mp4": (*OPEN_HEVC, "-output_ts_offset", "3.7"),
    "fields.ts": (*X264, "interlaced=1:keyint=24", "-flags", "+ildct+ilme"),
    "mpeg2.ts": MPEG2,
    "mpeg2.mxf": (*MPEG2, "-s", "352x288"),
    "prores.mov": ("-c:v", "prores_ks"),
    "prores4444.mov": ("-c:v", "prores_ks", "-profile:v", "4", "-pix_fmt", "yuv444p10le"),
    "ffv1.mkv": ("-c:v", "ffv1", "-g", "1"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime", "-g", "24"),
    "av1.mp4": ("-c:v", "libsvtav1", "-preset", "12", "-g", "24"),
}
FRAMES = 90
EDGES = (0, 30, 61, 90)


@dataclass
class Watched:
    """A file that notes how much of it was read."""

    path: Path
    read_bytes: int = 0
    whole: LocalFile = field(init=False)

    def __post_init__(self) -> None:
        self.whole = LocalFile(self.path)

    @property
    def size_bytes(self) -> int:
        return self.whole.size_bytes

    def read(self, start: int, end: int) -> bytes:
        self.read_bytes += end - start
        return self.whole.read(start, end)


def made(
    path: Path,
    options: Sequence[str],
    rate: str = "25",
    frames: int = FRAMES,
    size: str = "192x108",
) -> Path:
    """Moving detail and grain, with sound between its packets; small, as each is coded often."""
    pattern = f"testsrc2=s={size}:r={rate},noise=alls=20:allf=t"
    sound = ("-f", "lavfi", "-i", "sine=r=48000:d=60")
    lengths = ("-frames:v", str(frames), "-shortest")
    call("-f", "lavfi", "-i", pattern, *sound, *options, *lengths, "-y", path)
    return path


def lossless() -> Profile:
    """A delivery recipe whose pictures are kept as they come out of the graph, without sound."""
    base = profile("mobile-540p")
    assert base.video is not None
    video = replace(base.video, codec="ffv1", encoder="ffv1")
    return replace(base, container="mkv", video=video, audio=())


def chunked(plan: Plan, edges: Sequence[int]) -> list[Chunk]:
    assert plan.frames == edges[-1]
    return [Chunk(index, *edge) for index, edge in enumerate(pairwise(edges))]


def parts_of(path: Path, plan: Plan, edges: Sequence[int], folder: Path) -> list[str]:
    """The MD5 of every frame of the plan's only rung, chunk after chunk."""
    (rung,) = plan.rungs
    found: list[str] = []
    for chunk in chunked(plan, edges):
        own = folder / f"chunk-{chunk.index}"
        own.mkdir()
        files = finish(encode_part(LocalFile(path), plan, chunk, own)).files
        found += framemd5(files[rung.profile])
        assert not list(own.glob("frames-*")), "the part is not needed any more"
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_the_parts_of_a_source_are_its_frames(name: str, tmp_path: Path) -> None:
    """Open GOPs, fields, late starts and stamps of a millisecond: not one frame is off."""
    path = made(tmp_path / name, SOURCES[name])
    plan = planned(path, [lossless()], tmp_path)
    whole = finish(encode_chunk(path, plan, Chunk(0, 0, FRAMES), tmp_path)).files["mobile-540p"]
    assert parts_of(path, plan, EDGES, tmp_path) == framemd5(whole)


def test_where_a_part_lacks_frames_the_whole_is_decoded(tmp_path: Path) -> None:
    """A stream that is refreshed bit by bit has no frame to begin with."""
    path = made(tmp_path / "refreshed.mp4", (*X264, "intra-refresh=1:keyint=24"), size="320x180")
    plan = planned(path, [lossless()], tmp_path)
    chunks = chunked(plan, EDGES)
    plan = replace(plan, chunks=tuple(chunks))
    whole = finish(encode_chunk(path, plan, Chunk(0, 0, FRAMES), tmp_path)).files["mobile-540p"]
    found: list[str] = []
    reasons: list[str | None] = []
    for chunk in chunks:
        folder = tmp_path / f"chunk-{chunk.index}"
        folder.mkdir()
        encoded = finish(encode(LocalFile(path), plan, chunk, folder))
        found += framemd5(encoded.files["mobile-540p"])
        reasons.append(encoded.why_whole)
    assert found == framemd5(whole)
    assert "28 frames of 29 came out of a part" in str(reasons[-1])


def test_a_source_without_parts_is_known_before_it_is_encoded(tmp_path: Path) -> None:
    """Or each chunk would decode all that comes before it, and be refused at its end."""
    path = made(tmp_path / "whole.mp4", OPEN_AVC)
    plan = planned(path, [lossless()], tmp_path)
    plan = replace(plan, chunks=tuple(chunked(plan, EDGES)))
    assert finish(why_no_parts(LocalFile(path), plan, tmp_path)) is None
    short = tmp_path / "short.mp4"
    short.write_bytes(path.read_bytes()[:2000])
    why = finish(why_no_parts(LocalFile(short), plan, tmp_path))
    assert why is not None
    assert why.startswith("its parts do not decode by themselves")
    assert not list(tmp_path.glob("*.mkv")), "nothing is left of what was looked at"


def test_chunks_far_behind_their_key_frame_are_not_encoded_apart(tmp_path: Path) -> None:
    """With one key frame in the programme the tenth chunk would decode it all."""
    rare = ("-c:v", "libx264", "-g", "9999", "-sc_threshold", "0")
    path = made(tmp_path / "rare.mp4", rare, rate="2")
    plan = planned(path, [lossless()], tmp_path)
    long, short = (
        replace(plan, chunks=tuple(chunked(plan, edges))) for edges in (EDGES, (0, 70, 80, 90))
    )
    assert finish(why_no_parts(LocalFile(path), long, tmp_path)) is None
    why = finish(why_no_parts(LocalFile(path), short, tmp_path))
    assert why is not None
    assert "key frames are so rare that 35 s are decoded" in why
    one = in_one_piece(short, why)
    assert one.chunks == (Chunk(0, 0, FRAMES),)
    assert one.decisions[-1] == f"encoded in one piece: {why}"


def test_an_edit_list_and_an_odd_rate_are_kept(tmp_path: Path) -> None:
    """The file's first frames are there to be decoded, and not to be shown."""
    source = made(tmp_path / "source.mp4", OPEN_AVC, "30000/1001")
    path = tmp_path / "edited.mov"
    call("-ss", "1.3", "-i", source, "-c", "copy", "-y", path)
    plan = planned(path, [lossless()], tmp_path)
    edges = (0, 20, 41, plan.frames)
    whole = tmp_path / "whole"
    whole.mkdir()
    file = finish(encode_chunk(path, plan, Chunk(0, 0, plan.frames), whole)).files["mobile-540p"]
    assert plan.frame_rate == Fraction(30000, 1001)
    assert parts_of(path, plan, edges, tmp_path) == framemd5(file)


@pytest.mark.parametrize("edges", [(0, 30, 61, 90), (0, 31, 90)])
def test_deinterlaced_parts_are_those_of_the_whole(edges: Sequence[int], tmp_path: Path) -> None:
    """The deinterlacer looks at the frames before and after, also across a seam."""
    path = made(tmp_path / "fields.ts", SOURCES["fields.ts"])
    plan = planned(path, [lossless()], tmp_path)
    video = plan.rungs[0].video
    assert video is not None and video.deinterlace  # noqa: PT018 - one fact
    file = finish(encode_chunk(path, plan, Chunk(0, 0, FRAMES), tmp_path)).files["mobile-540p"]
    assert parts_of(path, plan, edges, tmp_path) == framemd5(file)


def test_every_second_frame_counts_from_the_programme_s_first(tmp_path: Path) -> None:
    """Wherever a part begins."""
    path = made(tmp_path / "fast.mp4", OPEN_AVC, "50")
    plan = planned(path, [lossless()], tmp_path)
    video = plan.rungs[0].video
    assert video is not None and video.rate_divisor == 2  # noqa: PT018 - one fact
    file = finish(encode_chunk(path, plan, Chunk(0, 0, FRAMES), tmp_path)).files["mobile-540p"]
    assert parts_of(path, plan, (0, 31, 60, 90), tmp_path) == framemd5(file)


def test_only_what_the_part_needs_is_read(tmp_path: Path) -> None:
    """Of forty seconds one and what stands before it, not the whole master."""
    path = made(tmp_path / "long.mov", ("-c:v", "prores_ks"), frames=1000)
    plan = planned(path, [lossless()], tmp_path)
    source = Watched(path)
    finish(encode_part(source, plan, Chunk(5, 700, 725), tmp_path))
    assert source.read_bytes < source.size_bytes / 8


@pytest.mark.parametrize(("shape", "said"), [("16/15", "16:15"), ("0", None)])
def test_the_shape_of_pixels_outlives_the_cut_of_a_master(
    shape: str, said: str | None, tmp_path: Path
) -> None:
    """Only the container says it, and the part's container does not; where it does not, no part."""
    path = made(tmp_path / "wide.mov", ("-vf", f"setsar={shape}", "-c:v", "prores_ks"))
    plan = planned(path, [profile("archive-ffv1")], tmp_path)
    for chunk in chunked(plan, EDGES):
        own = tmp_path / f"chunk-{chunk.index}"
        own.mkdir()
        file = finish(encode_part(LocalFile(path), plan, chunk, own)).files["archive-ffv1"]
        assert read_back(file).stream.get("sample_aspect_ratio") == said


def test_a_part_that_lacks_frames_is_refused(tmp_path: Path) -> None:
    """Nothing is encoded short because a source could not be read in parts."""
    path = made(tmp_path / "whole.mp4", OPEN_AVC)
    plan = planned(path, [lossless()], tmp_path)
    with pytest.raises(CutFailed, match=r"40 frames of 50 came out"):
        finish(encode_part(LocalFile(path), plan, Chunk(1, 50, 100), tmp_path))
    short = tmp_path / "short.mp4"
    short.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CutFailed, match="by itself"):
        finish(encode_part(LocalFile(short), plan, Chunk(1, 30, 61), tmp_path))
