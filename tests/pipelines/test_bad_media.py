"""Each kind of bad source has a decision that the plan states, or a refusal, and nothing moves.

Every picture carries its number in bars and every click has its moment, so that what is lost,
repeated or shifted is seen without believing any time stamp. Elsewhere: unknown colour
(`test_encode`, `test_colour_doubt`), a raster that changes without a container (`test_inspect`),
sound that ends early or late (`test_audio`), files that are cut short (`test_probe`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import clips
import numpy as np
import pytest

from kapok import local, local_encode
from pipelines.errors import NothingToEncode, UnsupportedMedia
from pipelines.inspection.inspect import inspect
from pipelines.inspection.thumbs import thumbs_in
from pipelines.planning.plan import Chunk, Plan
from pipelines.progress import finish
from pipelines.sources.probe import probe
from tests.pipelines.sources import luma, samples

pytestmark = pytest.mark.media

FRAMES, RATE = 100, 25
WIDTH, HEIGHT, BITS = 160, 90, 8
CLICKS_S = (0.4, 1.0, 1.72, 2.6, 3.28)
HALF_A_FRAME_S = 0.5 / RATE
RATE_HZ = 48000
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "2")
# Every picture but those at key frames depends on the one before, as each is lost for itself.
NO_B = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "0")
AAC = ("-c:a", "aac")


def pictures(size: str = f"{WIDTH}x{HEIGHT}", pix_fmt: str = "yuv420p") -> str:
    """A hundred pictures with their number in eight bars at the top."""
    bit = f"mod(floor(N/pow(2,floor(X*{BITS}/W))),2)"
    bars = f"lum='if(lt(Y,20),if({bit},235,16),lum(X,Y))'"
    grey = "cb='if(lt(Y,20),128,cb(X,Y))':cr='if(lt(Y,20),128,cr(X,Y))'"
    return f"testsrc2=s={size}:r={RATE}:d=4,format=yuv444p,geq={bars}:{grey},format={pix_fmt}"


def clicks(seconds: float = 4) -> str:
    at = "+".join(f"between(t,{click},{click}+0.004)" for click in CLICKS_S)
    hum = "0.12*sin(2*PI*300*t)*(1+0.5*sin(4.4*t))"
    return f"aevalsrc='0.7*sin(9425*t)*({at})+{hum}':s=48000:d={seconds}"


def programme(folder: Path, name: str, *options: str) -> Path:
    return clips.make(folder / name, *clips.generated(pictures(), clicks()), *options)


def copied(source: Path, name: str, *options: str, before: Sequence[str] = ()) -> Path:
    path = source.with_name(name)
    return clips.make(path, *before, "-i", str(source), "-c", "copy", *options)


def odd(folder: Path) -> Path:
    made = clips.generated(pictures("161x91", "yuv444p10le"), clicks())
    return clips.make(folder / "odd.mp4", *made, *H264, *AAC)


def missing(folder: Path, name: str) -> Path:
    lost = ("-bsf:v", "noise=drop='between(n,45,49)'")
    return copied(programme(folder, "whole.mkv", *NO_B, *AAC), name, *lost)


def drifting(folder: Path, share: float) -> Path:
    """The time stamps of its sound run faster than its samples by that share, or slower, and 20 ms
    late, as preservation takes none that begins early.
    """
    whole = programme(folder, "whole.mkv", *H264, "-c:a", "mp2")
    return copied(whole, "drift.ts", "-bsf:a", f"setts=ts=PTS*{1 + share}+20")


def cut_by_edits(folder: Path) -> Path:
    """Two parts of it, neither of which begins at a key frame, one after the other."""
    whole = programme(folder, "whole.mov", *H264, "-c:a", "pcm_s16le")
    return clips.with_edits(whole, [(1.0, 1.0), (2.48, 1.2)])


def held(folder: Path, name: str, lost: str = "0", *options: str) -> Path:
    """Three seconds of pictures, the last of which is said to stay for another one."""
    whole = programme(folder, "whole.mkv", *NO_B, *AAC)
    stays = "setts=duration='if(gte(PTS,2960),1040,DURATION)'"
    return copied(whole, name, "-bsf:v", f"noise=drop='gte(n,75)+{lost}',{stays}", *options)


@pytest.mark.media
def test_pictures_that_are_lost_at_the_end_hold_no_last_one(tmp_path: Path) -> None:
    """The container counts more of them than decode: it is damage, and the rate is even."""
    path = held(tmp_path, "held.mp4")
    info = probe(path)
    assert info.picture is not None
    seen = finish(inspect(path, info, tmp_path))
    assert (seen.constant_frame_rate, seen.frames, float(seen.held_s)) == (False, 75, 1.04)
    lost = replace(info, video=(replace(info.picture, container_frames=100),))
    seen = finish(inspect(path, lost, tmp_path))
    assert (seen.constant_frame_rate, seen.frames, seen.held_s) == (True, 75, 0)


@pytest.mark.media
def test_fragments_that_begin_late_end_where_they_end(tmp_path: Path) -> None:
    """Segments out of the middle of a broadcast: ffmpeg tells their end for their length."""
    whole = programme(tmp_path, "whole.mkv", *NO_B, *AAC)
    cut = ("-g", "25", "-hls_time", "1", "-hls_segment_type", "fmp4", "-hls_list_size", "0")
    video = ("-an", *H264, *NO_B)
    clips.make(tmp_path / "x.m3u8", "-i", str(whole), *video, *cut)
    late = tmp_path / "late.mp4"
    parts = [tmp_path / name for name in ("init.mp4", "x2.m4s", "x3.m4s")]
    late.write_bytes(b"".join(part.read_bytes() for part in parts))
    picture = probe(late).picture
    assert picture is not None
    assert (float(picture.start_s), float(picture.end_s or 0)) == (2, 4)


def held_in_another_order(folder: Path) -> Path:
    """Its last coded picture is not the last that is shown: the edit list alone says how long."""
    shown = held(folder, "held.mkv")
    coded = ("-fps_mode", "passthrough", *H264, "-c:a", "copy")
    return clips.make(folder / "held.mp4", "-i", str(shown), *coded)


def resized(folder: Path, name: str) -> Path:
    parts = [
        clips.make(
            folder / f"{at}.ts",
            *clips.generated(pictures(size), clicks()),
            *(*H264, *AAC, "-output_ts_offset", str(4 * at)),
        )
        for at, size in enumerate(("160x90", "320x180"))
    ]
    both = folder / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    return copied(both, name)


def early(folder: Path, name: str) -> Path:
    """Its clock starts before zero: MOV hides that by an edit list, Matroska shows it."""
    whole = programme(folder, "whole.mov", *H264, "-c:a", "pcm_s16le")
    shifted = ("-copyts", "-itsoffset", "-0.6")
    return copied(whole, name, "-avoid_negative_ts", "disabled", before=shifted)


def wrapped(folder: Path) -> Path:
    """The 33 bits of its clock run over after a second and a half."""
    offset_s = (1 << 33) / 90000 - 1.4 - 1.5
    whole = programme(folder, "whole.mkv", *H264, *AAC)
    return copied(whole, "wrapped.ts", "-output_ts_offset", str(offset_s))


def still(folder: Path) -> Path:
    return copied(programme(folder, "w.mkv", *H264, *AAC), "still.mkv", "-bsf:v", "setts=ts=0")


def without_durations(folder: Path) -> Path:
    """An MP4 whose pictures last for no time, shown in another order than they are decoded."""
    path = programme(folder, "still.mp4", *H264, *AAC)
    whole = bytearray(path.read_bytes())
    entry = whole.find(b"stts") + 12
    whole[entry + 4 : entry + 8] = bytes(4)
    path.write_bytes(whole)
    return path


def without_rate(folder: Path) -> Path:
    """An MXF whose every edit rate is 0/1."""
    path = programme(folder, "still.mxf", "-c:v", "mpeg2video", "-c:a", "pcm_s16le")
    rate, none = (number.to_bytes(4, "big") + b"\0\0\0\1" for number in (RATE, 0))
    path.write_bytes(path.read_bytes().replace(rate, none))
    return path


def later(folder: Path) -> Path:
    sound = ("-itsoffset", "1.0", "-f", "lavfi", "-i", clicks(3))
    return clips.make(folder / "later.ts", *clips.generated(pictures()), *sound, *H264, *AAC)


def longer(folder: Path) -> Path:
    made = clips.generated(pictures(), clicks(6))
    return clips.make(folder / "longer.mkv", *made, *H264, *AAC)


def shorter(folder: Path) -> Path:
    made = clips.generated(pictures(), clicks(2))
    return clips.make(folder / "shorter.ts", *made, *H264, *AAC)


def outside(folder: Path) -> Path:
    sound = ("-itsoffset", "6", "-f", "lavfi", "-i", clicks(3))
    return clips.make(folder / "outside.mkv", *clips.generated(pictures()), *sound, *H264, *AAC)


def loud_outside(folder: Path) -> Path:
    """Noise after the picture, nothing but silence beside it."""
    noise = "anoisesrc=d=12:a=0.5:seed=1:r=48000,volume='gte(t,5)':eval=frame"
    made = clips.generated(pictures(), noise)
    return clips.make(folder / "loud_outside.mkv", *made, *H264, *AAC)


EVERY = tuple(range(FRAMES))
GAP = (*range(45), *[44] * 5, *range(50, FRAMES))
HELD = (*range(75), *[74] * 25)


@dataclass(frozen=True, slots=True)
class Case:
    """What the plan says of a source, and which pictures and clicks are in the rendition.

    A picture that the decoder makes up is `None` and may be any.
    """

    make: Callable[[Path], Path]
    decisions: tuple[str, ...]
    shown: tuple[int | None, ...] = EVERY
    heard_s: tuple[float, ...] = CLICKS_S
    in_parts: bool = True


CASES = {
    "odd 10-bit 4:4:4": Case(
        odd,
        (
            "the odd size becomes even by scaling, except in preservation",
            "mobile-540p: 4:4:4 at 10 bits becomes 4:2:0 at 8 bits",
        ),
    ),
    "missing frames, MKV": Case(
        lambda folder: missing(folder, "gap.mkv"),
        (
            "the frame rate varies: resampled to an even 25",
            "95 pictures become 100 frames: a gap shows the picture before it again",
        ),
        shown=GAP,
        in_parts=False,
    ),
    "missing frames, TS": Case(
        lambda folder: missing(folder, "gap.ts"),
        ("the frame rate varies: resampled to an even 25",),
        shown=GAP,
        in_parts=False,
    ),
    "a last picture that is held, MP4": Case(
        lambda folder: held(folder, "held.mp4"),
        ("the last picture stays for 1.04 s", "75 pictures become 100 frames"),
        shown=HELD,
        in_parts=False,
    ),
    "a last picture that is held, B-frames": Case(
        held_in_another_order, ("the last picture stays for 1.04 s",), shown=HELD, in_parts=False
    ),
    "a last picture that is held, fragments": Case(
        lambda folder: held(folder, "f.mp4", "0", "-movflags", "frag_keyframe+delay_moov"),
        ("the last picture stays for 1.04 s",),
        shown=HELD,
        in_parts=False,
    ),
    "a last picture that is held, MKV": Case(
        lambda folder: held(folder, "held.mkv", "between(n,45,49)"),
        ("the last picture stays for 1.04 s", "70 pictures become 100 frames"),
        shown=(*GAP[:75], *HELD[75:]),
        in_parts=False,
    ),
    "several edits of B-frames": Case(
        cut_by_edits,
        ("the container counts 100 pictures, 55 are shown: an edit list hides the others",),
        shown=(*range(25, 50), *range(62, 92)),
        heard_s=(0.0, 0.72, 1.12, 1.8),
        in_parts=False,
    ),
    "negative time stamps, MOV": Case(
        lambda folder: early(folder, "early.mov"),
        ("the container counts 100 pictures, 85 are shown: an edit list hides the others",),
        shown=tuple(range(15, FRAMES)),
        heard_s=(0.4, 1.12, 2.0, 2.68),
    ),
    "negative time stamps, MKV": Case(
        lambda folder: early(folder, "early.mkv"),
        ("encoded in one piece: its parts do not decode by themselves",),
        in_parts=False,
    ),
    "wrapped time stamps": Case(wrapped, ("sound track 0 starts 21 ms early: that much is cut",)),
    "no frame rate": Case(
        still,
        ("encoded in one piece: its time stamps do not tell which frame is which",),
        in_parts=False,
    ),
    "sound starts later": Case(
        later,
        ("sound track 0 starts 979 ms late: silence comes before it",),
        heard_s=tuple(at + 1 for at in CLICKS_S[:4]),
    ),
    "sound is longer": Case(
        longer,
        ("sound track 0 ends 2016 ms after the picture: delivery rungs end with the picture",),
    ),
    "sound is shorter": Case(
        shorter,
        ("sound track 0 ends 1995 ms before the picture: silence follows it",),
        heard_s=CLICKS_S[:3],
    ),
    "sound wholly outside": Case(
        outside,
        ("sound track 0 lies wholly outside the picture: it is in no delivery rung",),
        heard_s=(),
    ),
    "sound outside alone is loud": Case(
        loud_outside,
        ("loudness of aac from sound track 0: measured when it is encoded",),
        heard_s=(),
    ),
    "sound that drifts forward": Case(
        lambda folder: drifting(folder, 0.02),
        ("run 69 ms away from its samples: silence is put in 4 times, about 15 ms",),
        heard_s=tuple(1.02 * at + 0.02 for at in CLICKS_S),
    ),
    "sound that drifts backward": Case(
        lambda folder: drifting(folder, -0.02),
        ("run 69 ms away from its samples: some is cut 4 times, about 15 ms each",),
        heard_s=tuple(0.98 * at + 0.02 for at in CLICKS_S),
    ),
    "a spoilt picture": Case(
        lambda folder: clips.spoilt(programme(folder, "film.mkv", *H264, *AAC), 0, 60),
        ("1 picture cannot be decoded whole: renditions show what the decoder makes of them",),
        shown=(*range(55), *[None] * 20, *range(75, FRAMES)),
    ),
    "a spoilt block of sound": Case(
        lambda folder: clips.spoilt(programme(folder, "film.mp4", *H264, *AAC), 1, 90),
        (
            "the time stamps of sound track 0 jump 1 time: silence fills what is missing",
            "the decoder reported 2 errors: what it could not read is in no rendition",
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_can_be_made_of_a_bad_source_is_whole_and_in_its_place(
    name: str, tmp_path: Path
) -> None:
    """In one piece and in chunks of a second, verified as any rendition is."""
    case = CASES[name]
    work = looked_at(case.make(tmp_path), tmp_path, "mobile-540p")
    said = "\n".join(work.plan.decisions)
    assert [wanted for wanted in case.decisions if wanted not in said] == []
    assert (len(work.plan.chunks) > 1) == case.in_parts
    scratch = tmp_path / "whole"
    whole = replace(work, plan=one_chunk(work.plan), scratch=scratch, overwrite=True)
    for one in (work, whole) if case.in_parts else (whole,):
        (made,) = local_encode.encode(one)
        shown = numbers(made.path)
        assert len(shown) == len(case.shown)
        pairs = zip(shown, case.shown, strict=True)
        assert [pair for pair in pairs if pair[1] is not None and pair[0] != pair[1]] == []
        assert heard_s(made.path) == pytest.approx(case.heard_s, abs=HALF_A_FRAME_S)


@pytest.mark.parametrize(
    ("make", "refusal"),
    [
        (lambda folder: resized(folder, "resized.mkv"), "cut the source there and upload"),
        (lambda folder: resized(folder, "resized.mp4"), "cut the source there and upload"),
        (without_durations, "write the file again with even time stamps"),
    ],
)
def test_what_cannot_be_shown_evenly_is_refused_with_the_way_out(
    make: Callable[[Path], Path], refusal: str, tmp_path: Path
) -> None:
    with pytest.raises(NothingToEncode, match=refusal):
        looked_at(make(tmp_path), tmp_path, "mobile-540p")


def test_an_mxf_without_an_edit_rate_is_said_to_be_damaged(tmp_path: Path) -> None:
    """And not to be no media at all."""
    with pytest.raises(UnsupportedMedia, match="it begins as MXF, but its structure is damaged"):
        looked_at(without_rate(tmp_path), tmp_path, "mobile-540p")


def test_what_a_decoder_makes_up_is_no_master(tmp_path: Path) -> None:
    """Decoders with several threads make it up differently each time."""
    film = clips.spoilt(programme(tmp_path, "film.mkv", *H264, *AAC), 0, 60)
    with pytest.raises(NothingToEncode, match="is not the master: keep the source file"):
        looked_at(film, tmp_path, "archive-ffv1")


def test_a_lost_block_of_sound_is_not_closed_up_in_preservation(tmp_path: Path) -> None:
    """What follows it would come 21 ms early."""
    film = clips.spoilt(programme(tmp_path, "film.mp4", *H264, *AAC), 1, 90)
    with pytest.raises(NothingToEncode, match="would change the master: keep the source file"):
        looked_at(film, tmp_path, "archive-ffv1")


@pytest.mark.parametrize("share", [0.005, -0.005])
def test_sound_that_drifts_is_not_preserved_away_from_its_picture(
    share: float, tmp_path: Path
) -> None:
    """20 ms in four seconds."""
    with pytest.raises(NothingToEncode, match="it would not stay with the picture: keep the"):
        looked_at(drifting(tmp_path, share), tmp_path, "archive-ffv1")


def test_a_transport_stream_whose_sound_keeps_its_time_is_preserved(tmp_path: Path) -> None:
    """Stamps of 90 kHz say 44.1 kHz with a rounding each."""
    whole = programme(tmp_path, "whole.mkv", *H264, "-c:a", "mp2", "-ar", "44100")
    film = copied(whole, "film.ts", "-bsf:a", "setts=ts=PTS+20")
    work = looked_at(film, tmp_path, "archive-ffv1")
    assert "drift" not in "\n".join([*work.plan.decisions, *work.inspection.findings])


def looked_at(source: Path, folder: Path, profile: str) -> local_encode.Work:
    """As `kapok encode` goes about it, in chunks of a second where the source allows."""
    info, seen = local.look_for(source, folder / "look", lambda progress: None, [profile])
    made = local.make_plan(info, seen, [profile], chunk_min_s=1)
    thumbs = thumbs_in(folder / "look", seen.thumbs)
    quiet = lambda title: lambda progress: None  # noqa: E731 - one line says it all
    work = local_encode.Work(
        source, info, seen, made, thumbs, folder, folder / "scratch", quiet, score=False
    )
    return local_encode.with_parts_that_decode(work)


def one_chunk(made: Plan) -> Plan:
    return replace(made, chunks=(Chunk(0, 0, made.frames),))


def numbers(path: Path) -> list[int]:
    """What the bars of each picture say, and that every picture has its place on the grid."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        width, height = stream.width, stream.height
        at_s = [frame.time for frame in container.decode(stream)]
    assert at_s == pytest.approx([number / RATE for number in range(len(at_s))], abs=0.001)
    bars = luma(path, width, height)[:, 4:14, : width // BITS * BITS]
    lit = bars.reshape(len(bars), 10, BITS, -1)[:, :, :, 5:-5].mean(axis=(1, 3)) > 125
    return [int(number) for number in (lit * (1 << np.arange(BITS))).sum(axis=1)]


def heard_s(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
    hot = np.flatnonzero(np.abs(samples(path, 1)[:, 0]) > 0.35)
    first = hot[np.diff(hot, prepend=-RATE_HZ) > RATE_HZ // 10]
    return [float(at) / RATE_HZ for at in first]
