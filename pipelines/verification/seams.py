"""Whether the frames on both sides of each seam are those that an encode in one piece makes.

Only of codecs that code each frame from itself alone, without a memory of what frames before it
took: there a frame has one encode, however the programme is divided. Of ProRes that holds, and
`tests/pipelines/test_seams.py` shows it; x264's AVC-Intra carries its rate from frame to frame.
Lossless renditions are compared whole (`pipelines.verification.lossless`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path

from pipelines.encoding.cut import LocalFile
from pipelines.encoding.encode import encode
from pipelines.encoding.encode_groups import group_with
from pipelines.encoding.rung_tree import grown_from
from pipelines.planning.plan_types import Chunk, Plan, Rung, VideoPlan
from pipelines.progress import Progress, part
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.verification.lossless import HASHED, FrameHashes

_FRAME_BY_FRAME = frozenset({"prores"})


def seam_frames(video: VideoPlan, plan: Plan) -> tuple[int, ...]:
    """The frames of a rendition beside its seams, where they have one encode only."""
    if video.codec not in _FRAME_BY_FRAME:
        return ()
    seams = (video.frame_at(chunk.start_frame) for chunk in plan.chunks[1:])
    return tuple(sorted({number for seam in seams for number in (seam - 1, seam)}))


def encoded_again(rung: Rung, plan: Plan) -> Plan:
    """What is encoded at each seam: the rung, and those that its picture is scaled from."""
    group = group_with(plan, rung.profile)
    return replace(group, rungs=grown_from(group, rung.profile))


def seam_faults(
    rung: Rung, plan: Plan, source: Path, ours: Mapping[int, bytes], folder: Path
) -> Generator[Progress, None, list[str]]:
    """Encode the two frames at each seam again, as one piece; `ours` are the rendition's MD5s.

    Errors are those of `encode`. Files land in `folder`, which the caller removes.
    """
    assert rung.video is not None, "only a picture has seams"
    faults, seams, alone = [], plan.chunks[1:], encoded_again(rung, plan)
    for number, chunk in enumerate(seams):
        own = folder / str(number)
        own.mkdir()
        share = (number / len(seams), (number + 1) / len(seams))
        again = _again(alone, rung, source, chunk.start_frame, own)
        true = yield from part(again, *share, f"seam {number + 1} of {len(seams)}")
        seam = rung.video.frame_at(chunk.start_frame)
        faults += [
            f"frame {at} beside a seam is not what one piece gives"
            for at, hashed in zip((seam - 1, seam), true, strict=True)
            if ours.get(at) != hashed
        ]
    return faults


def _again(
    plan: Plan, rung: Rung, source: Path, seam: int, folder: Path
) -> Generator[Progress, None, list[bytes]]:
    """The MD5 of the rung's last frame before the seam and of its first one after."""
    assert rung.video is not None, "only a picture has seams"
    beside = ceil(rung.video.stride)
    pair = Chunk(0, seam - beside, seam + beside)
    encoded = yield from encode(LocalFile(source), plan, pair, folder)
    path, hashes = encoded.files[rung.profile], FrameHashes()
    argv = [ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:v:0", *HASHED, "pipe:hashes"]
    yield from run(argv, readable=[path], taps={"hashes": hashes.feed})
    after = rung.video.frame_at(seam) - rung.video.frame_at(pair.start_frame)
    return hashes.of_frames[after - 1 : after + 1]
