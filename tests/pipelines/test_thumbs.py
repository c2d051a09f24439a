"""The thumbnails that an inspection keeps are the source's frames, each under its number."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.inspection.inspect import inspect
from pipelines.inspection.thumbs import (
    FILTER,
    HEIGHT,
    WIDTH,
    Pictures,
    Thumbs,
    Window,
    picture_places,
    source_pictures,
    thumbs_in,
)
from pipelines.planning.plan import Plan, plan
from pipelines.profiles.profile import load_profiles
from pipelines.progress import finish
from pipelines.sources.probe import probe
from pipelines.verification.verify import verify
from tests import clips
from tests.pipelines.sources import call, smaller

pytestmark = pytest.mark.media


def inspected(source: Path, folder: Path) -> tuple[Plan, Thumbs]:
    """A small 25 fps rung of the source, and what its inspection kept."""
    info = probe(source)
    found = finish(inspect(source, info, folder))
    made = plan(info, found, [smaller(load_profiles()["mobile-540p"], 320, 180)])
    assert made.rungs, made.refused
    kept = thumbs_in(folder, found.thumbs)
    assert kept is not None
    return made, kept


def all_of(thumbs: Thumbs, made: Plan) -> Pictures:
    return finish(source_pictures(thumbs, made, [Window(0, made.frames)]))


def decoded(source: Path, *filters: str) -> NDArray[np.float32]:
    """Every frame as a thumbnail, straight from the file."""
    chain = ",".join([*filters, FILTER])
    raw = call("-i", source, "-vf", chain, "-fps_mode", "passthrough", "-f", "rawvideo", "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH).astype(np.float32)


def apart(kept: Pictures, true: NDArray[np.float32]) -> float:
    """The worst frame's mean distance in code values."""
    assert sorted(kept) == list(range(len(true)))
    return max(float(np.abs(kept[at] - picture).mean()) for at, picture in enumerate(true))


def test_every_frame_is_kept_under_its_number(tmp_path: Path) -> None:
    """Coded within a code value, B-frames and all."""
    source = clips.programme(tmp_path)
    made, thumbs = inspected(source, tmp_path)
    assert thumbs.times is None
    assert apart(all_of(thumbs, made), decoded(source)) < 1


def test_frames_whose_clock_stands_still_are_counted(tmp_path: Path) -> None:
    """All have the same time stamp; their thumbnails have numbers all the same."""
    source = tmp_path / "still.mkv"
    stand = ("-bsf:v", "setts=pts=0:dts=0", "-c:v", "ffv1")
    clips.make(source, *clips.generated("testsrc2=s=320x180:r=25:d=1"), *stand)
    made, thumbs = inspected(source, tmp_path)
    assert apart(all_of(thumbs, made), decoded(source)) < 1


def test_an_uneven_clock_is_put_on_the_grid_as_the_encoder_puts_it(tmp_path: Path) -> None:
    """The frames that ffmpeg's own filter repeats and drops."""
    source = clips.unsteady(tmp_path)
    made, thumbs = inspected(source, tmp_path)
    assert not made.constant_frame_rate
    assert thumbs.times is not None
    rate = f"fps={made.frame_rate}"
    true = decoded(source, "setpts=PTS-STARTPTS", rate)[: made.frames]
    kept = all_of(thumbs, made)
    assert apart({at: kept[at] for at in range(len(true))}, true) < 1
    assert made.frames - len(true) <= 1  # the last frame is held


def test_a_varying_rate_is_compared_up_to_its_end(tmp_path: Path) -> None:
    """A tail that is late by a few frames is seen, where once only the head was looked at."""
    source = tmp_path / "vary.mkv"
    picture = "testsrc2=s=320x180:r=30:d=6,select='not(eq(mod(n,7),3))'"
    clips.make(source, *clips.generated(picture), "-fps_mode", "vfr", "-c:v", "ffv1")
    made, thumbs = inspected(source, tmp_path)
    assert not made.constant_frame_rate
    assert picture_places(made)[-1].end_frame == made.frames
    (rung,) = made.rungs
    folder = tmp_path / "encoded"
    folder.mkdir()
    chunk = finish(encode_chunk(source, made, made.chunks[0], folder)).files[rung.profile]
    out = tmp_path / "joined.mp4"
    finish(join(rung, [chunk], [], out, made))
    finish(verify(out, rung, made, source, thumbs))
    assert rung.video is not None
    late = tmp_path / "late.mp4"
    moved = f"select='not(between(n,40,44))',setpts=N/{rung.video.frame_rate}/TB"
    held = "tpad=stop=5:stop_mode=clone"
    coded = ("-c:v", "libx264", "-profile:v", "high", "-g", "25", "-sc_threshold", "0")
    call("-i", out, "-vf", f"{moved},{held}", *coded, "-fps_mode", "passthrough", late)
    with pytest.raises(VerificationFailed, match="shows source frame"):
        finish(verify(late, rung, made, source, thumbs))


def test_fewer_thumbnails_than_frames_prove_nothing(tmp_path: Path) -> None:
    """What is not there cannot be compared, and is not made up."""
    made, thumbs = inspected(clips.programme(tmp_path), tmp_path)
    longer = replace(made, frames=made.frames + 9, duration_s=made.duration_s + Fraction(9, 25))
    kept = all_of(thumbs, longer)
    assert len(kept) == made.frames


@pytest.mark.parametrize("change", ["setparams=colorspace=smpte170m", "scale=640:360"])
def test_frames_are_counted_on_where_the_picture_changes(change: str, tmp_path: Path) -> None:
    """Ffmpeg builds its graph anew for another size, and for another tag alone."""
    parts = []
    for number, picture in enumerate(("setparams=colorspace=bt709", change)):
        part = tmp_path / f"{number}.ts"
        coded = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
        late = ("-output_ts_offset", str(6 * number))
        clips.make(part, *clips.generated(f"testsrc2=s=320x180:r=25:d=6,{picture}"), *coded, *late)
        parts.append(part.read_bytes())
    source = tmp_path / "both.ts"
    source.write_bytes(b"".join(parts))
    folder = tmp_path / "out"
    folder.mkdir()
    found = finish(inspect(source, probe(source), folder))
    kept = thumbs_in(folder, found.thumbs)
    assert kept is not None
    assert found.frames == 300
    assert len(found.posters) > 1
    frames = call("-i", kept.pictures, "-fps_mode", "passthrough", "-f", "framecrc", "-")
    assert len([line for line in frames.splitlines() if line[:1] != b"#"]) == 300
