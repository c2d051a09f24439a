"""The last picture of AVS2 decodes as it would if another one followed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.encoding.avs2_end import sequence_header
from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.graph import compose
from pipelines.encoding.join import concat_list, join
from pipelines.encoding.large_pictures import decoder_words
from pipelines.errors import MediaError
from pipelines.inspection.inspect_command import command
from pipelines.media import Inspection
from pipelines.planning.plan import Plan, plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.sources.probe import probe
from tests.pipelines.sources import HD, call, described, framemd5, smaller, verified

RATE = Fraction(50)
# Without its end the last picture was wrong of 7, 9, 19 and 35, and 1 was not read at all.
COUNTS = (1, 2, 7, 9, 12, 19, 35)
ONE_THREAD = ("-threads", "1")  # with more libdavs2 gives other pictures now and then


def planned(source: Path, frames: int) -> Plan:
    seen = Inspection(duration_s=frames / RATE, frames=frames, frame_rate=RATE)
    small = smaller(profile("avs2-8bit-sdr"), 320, 180)
    assert small.video is not None
    quick = replace(small, video=replace(small.video, preset="1"))
    return plan(probe(source), seen, [quick])


def grain(folder: Path, frames: int) -> Path:
    """A picture with grain on it that fades to black: its skipped blocks are rows of zeros."""
    path = folder / "source.mkv"
    picture = f"testsrc2=s=320x180:r={RATE}:d=2,fade=out:0:{frames},noise=alls=6:allf=t:all_seed=1"
    tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    wanted = ("-frames:v", str(frames), "-pix_fmt", "yuv420p", "-c:v", "ffv1", "-y", path)
    call("-f", "lavfi", "-i", f"{picture},{tags}", *wanted)
    return path


@pytest.mark.media
def test_the_last_picture_is_the_encoders(tmp_path: Path) -> None:
    """Of every length: as it decodes where the whole stream comes once more behind it."""
    wrong = []
    for frames in COUNTS:
        source = grain(tmp_path, frames)
        made = planned(source, frames)
        (rung,) = made.rungs
        (file,) = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files.values()
        twice, out = tmp_path / "twice.txt", tmp_path / "joined.ts"
        twice.write_text(concat_list([file, file]))
        again = tmp_path / "again.ts"
        call("-f", "concat", "-safe", "0", "-i", twice, "-c", "copy", "-y", again)
        finish(join(rung, [file], [], out, made))
        if framemd5(out, *ONE_THREAD) != framemd5(again, *ONE_THREAD)[:frames]:
            wrong.append(frames)
    assert wrong == []


@pytest.mark.media
def test_a_short_programme_is_verified(tmp_path: Path) -> None:
    """What ends the stream is neither a frame nor off the grid."""
    source = grain(tmp_path, 12)
    made = planned(source, 12)
    (rung,) = made.rungs
    (file,) = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files.values()
    finish(join(rung, [file], [], out := tmp_path / "joined.ts", made))
    assert verified(out, rung, made, source).facts.frames == 12


def test_one_thread_decodes_it(tmp_path: Path) -> None:
    """With more libdavs2 gives other pictures now and then: verification would refuse by chance."""
    info, seen = described(replace(HD, codec="avs2"))
    made = plan(info, seen, [profile("avs2-8bit-sdr")])
    (rung,) = made.rungs
    assert rung.video is not None
    for words in (
        decoder_words((1920, 1080), rung.video.codec),
        command(Path("/in.ts"), info, None, tmp_path),
        compose(Path("/in.ts"), made, made.chunks[0], tmp_path),
    ):
        at = words.index("-threads")
        assert words[at + 1] == "1"


def test_what_begins_with_no_sequence_header_is_no_chunk() -> None:
    """It would end another sequence."""
    assert sequence_header(b"\0\0\1\xb0head\0\0\1\xb3") == b"\0\0\1\xb0head"
    for coded in (b"", b"\0\0\1\xb3picture", b"\0\0\1\xb0head"):
        with pytest.raises(MediaError, match="sequence header"):
            sequence_header(coded)
