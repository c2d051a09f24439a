"""Chunks of a codec that codes each frame by itself are, frame for frame, what one piece gives."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.planning.plan import Chunk, Plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.verification.verify import verify
from tests.pipelines.sources import call, framemd5, planned, smaller, thumbs_of

pytestmark = pytest.mark.media

NAME, FRAMES = "mezz4k-prores422hq", 24
CHUNKS = (Chunk(0, 0, 8), Chunk(1, 8, 16), Chunk(2, 16, FRAMES))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames differ by one code value of ten bits in a small square, as no thumbnail shows."""
    path = tmp_path_factory.mktemp("source") / "source.mkv"
    tags = "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
    square = "between(X,8*N,8*N+7)*between(Y,80,87)"
    picture = "smptehdbars=s=320x180:r=50,format=yuv420p10le"
    counted = f"geq=lum='lum(X,Y)+{square}':cb='cb(X,Y)':cr='cr(X,Y)'"
    chain = f"{picture},{counted},setparams={tags}"
    call("-f", "lavfi", "-i", chain, "-frames:v", str(FRAMES), "-c:v", "ffv1", "-g", "1", path)
    return path


def test_a_swapped_chunk_of_long_gops_shows_other_pictures(tmp_path: Path) -> None:
    """There is no unchunked reference to be equal to; the source's pictures are what is known."""
    source = tmp_path / "moving.mp4"
    chain = "testsrc2=s=320x180:r=25,format=yuv420p"
    call("-f", "lavfi", "-i", chain, "-frames:v", "90", "-c:v", "libx264", source)
    small = replace(profile("mobile-540p"), audio=())
    whole = planned(source, [small], tmp_path)
    plan = replace(whole, chunks=tuple(Chunk(at, at * 30, at * 30 + 30) for at in range(3)))
    files = []
    for chunk in plan.chunks:
        folder = tmp_path / str(chunk.index)
        folder.mkdir()
        files.append(finish(encode_chunk(source, plan, chunk, folder)).files["mobile-540p"])
    out, thumbs = tmp_path / "joined.mp4", thumbs_of(source, plan)
    finish(join(plan.rungs[0], files, [], out, plan))
    finish(verify(out, plan.rungs[0], plan, source, thumbs))
    finish(join(plan.rungs[0], [files[0], files[2], files[1]], [], out, plan))
    with pytest.raises(VerificationFailed, match=r"shows source frame [6-8][0-9], planned [34]"):
        finish(verify(out, plan.rungs[0], plan, source, thumbs))


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    small = smaller(replace(profile(NAME), audio=()), 320, 180)
    whole = planned(source, [small], tmp_path_factory.mktemp("plan"))
    return replace(whole, chunks=CHUNKS)


@pytest.fixture(scope="module")
def parts(source: Path, made: Plan, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = [tmp_path_factory.mktemp("part") for _ in CHUNKS]
    pairs = zip(CHUNKS, folders, strict=True)
    return [finish(encode_chunk(source, made, *pair)).files[NAME] for pair in pairs]


def joined(parts: list[Path], made: Plan, folder: Path) -> Path:
    out = folder / "joined.mov"
    finish(join(made.rungs[0], parts, [], out, made))
    return out


def test_chunks_are_the_frames_of_one_piece(
    source: Path, made: Plan, parts: list[Path], tmp_path: Path
) -> None:
    """Every frame by its MD5, those beside the seams among them, and `verify` agrees."""
    out = joined(parts, made, tmp_path)
    whole = finish(encode_chunk(source, made, Chunk(0, 0, FRAMES), tmp_path)).files[NAME]
    assert framemd5(out) == framemd5(whole)
    assert finish(verify(out, made.rungs[0], made, source, thumbs_of(source, made)))
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(
    ("order", "frames"),
    [((0, 2, 1), [8, 15, 16]), ((0, 0, 2), [8, 15]), ((1, 1, 2), [7])],
    ids=["swapped", "the first one twice", "the second one twice"],
)
def test_a_chunk_in_the_place_of_another_is_refused(
    order: tuple[int, ...],
    frames: list[int],
    source: Path,
    made: Plan,
    parts: list[Path],
    tmp_path: Path,
) -> None:
    """Although the pictures look alike, and their number and times are right."""
    out = joined([parts[at] for at in order], made, tmp_path)
    with pytest.raises(VerificationFailed, match="beside a seam") as refused:
        finish(verify(out, made.rungs[0], made, source, thumbs_of(source, made)))
    assert [int(at) for at in re.findall(r"frame (\d+) beside", str(refused.value))] == frames
