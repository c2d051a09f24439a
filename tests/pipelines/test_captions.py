"""Captions in the pictures: in each field's frame, and as letters where the pictures lose them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from pipelines.encoding.cut import LocalFile
from pipelines.encoding.encode import encode_part
from pipelines.encoding.graph import compose
from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.media import VideoTrack
from pipelines.packaging.package import package
from pipelines.planning.plan import Chunk, Plan, plan
from pipelines.planning.plan_types import Rung
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.sources.probe import probe
from pipelines.subtitles.captions import read_captions
from pipelines.subtitles.cues import read_srt
from pipelines.verification.expectations import signalling_faults
from pipelines.verification.readback import picture_start_s, read_back
from tests.pipelines.handmade import in_chunks
from tests.pipelines.made import made_of
from tests.pipelines.sources import HD, call, described, planned, smaller, verified
from tests.pipelines.subtitle_samples import (
    NOTHING,
    captioned,
    popped_on,
    with_caption_track,
    with_pairs,
)

NTSC = Fraction(30000, 1001)
MOBILE, ARCHIVE = profile("mobile-540p"), profile("archive-ffv1")
CLEAR = [(0x14, 0x2C)] * 2  # erase displayed memory
NO_SEI = "filter_units=remove_types=6"
AV1, HD_AVC, HD_TS = profile("ott4k-av1-hlg"), profile("hd-avc-sdr"), profile("hd-avc-sdr-ts")


def resolved(picture: VideoTrack, *profiles: Profile) -> Plan:
    info, seen = described(replace(picture, captions=("cea-608",)))
    return plan(info, replace(seen, caption_channels=("CC1", "CC3")), profiles)


def told(made: Plan) -> list[str]:
    return [text for text in made.decisions if text.startswith("captions")]


def test_what_becomes_of_captions_is_said() -> None:
    """Letters in half of the frames, in preservation and in the package; no place in a stream."""
    made = resolved(replace(HD, frame_rate=Fraction(50)), HD_AVC, MOBILE, ARCHIVE, HD_TS)
    letters = {rung.profile: [one.channel for one in rung.subtitles] for rung in made.rungs}
    assert letters == {
        "hd-avc-sdr": ["CC1", "CC3"],  # whose pictures have them too
        "mobile-540p": ["CC1", "CC3"],
        "archive-ffv1": ["CC1", "CC3"],
        "hd-avc-sdr-ts": [],
    }
    assert told(made) == [
        "captions (CEA-608) are carried inside the pictures of hd-avc-sdr, hd-avc-sdr-ts",
        (
            "captions (CEA-608) are left out of the pictures of mobile-540p, archive-ffv1: they "
            "outlive an encode in H.264 and HEVC with every frame or field of the source alone"
        ),
        *(
            f"captions {channel} as letters: made mov_text in hd-avc-sdr, mobile-540p; made subrip "
            "in archive-ffv1; WebVTT in the HLS and DASH package"
            for channel in ("CC1", "CC3")
        ),
    ]


def test_half_of_the_fields_is_not_taken_from_all_of_them() -> None:
    """Whose frames have half of the captions each: both are taken from the source."""
    tape = replace(HD, field_order="tt", frame_rate=NTSC)
    made = resolved(tape, HD_AVC, MOBILE)
    assert [bool(rung.video and rung.video.captions) for rung in made.rungs] == [True, True]
    argv = compose(Path("tape.mxf"), made, Chunk(0, 0, 100), Path("/made"))
    graph = argv[argv.index("-filter_complex") + 1]
    assert graph.count("bwdif") == 2
    assert "framestep" not in graph


def pairs_of(path: Path) -> list[list[tuple[Fraction, bytes]]]:
    """What a decoder gives for each field: the times and bytes of what is no filling."""
    found: list[list[tuple[Fraction, bytes]]] = [[], []]
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            said = [bytes(one) for one in frame.side_data if "A53" in str(one.type)]
            for triplets in said:
                for at in range(0, len(triplets), 3):
                    kind, pair = triplets[at], triplets[at + 1 : at + 3]
                    if kind & 4 and kind & 3 < 2 and pair != b"\x80\x80":
                        assert frame.pts is not None
                        assert frame.time_base is not None
                        found[kind & 3].append((frame.pts * frame.time_base, pair))
    return found


def packets_of(path: Path) -> list[bytes]:
    """The pairs of CEA-708's packets, in order."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            said = b"".join(bytes(one) for one in frame.side_data if "A53" in str(one.type))
            triplets = [said[at : at + 3] for at in range(0, len(said), 3)]
            found += [one[1:] for one in triplets if one[0] & 4 and one[0] & 3 >= 2]
    return found


@pytest.mark.media
@pytest.mark.parametrize("rate", [Fraction(25), NTSC], ids=["25i", "2997i"])
def test_a_frame_for_each_field_has_the_captions_once(rate: Fraction, tmp_path: Path) -> None:
    """Byte by byte over a seam, and never further off than a frame of the source."""
    said = [(5, "HELLO WORLD"), (25, "OVER THE SEAM"), (44, "END")]
    source = captioned(tmp_path / "a.mp4", str(rate), 60, said, interlaced=True, packets=True)
    small = smaller(HD_AVC, 320, 180)
    made = planned(source, [small], tmp_path)
    (rung,) = made.rungs
    assert rung.video is not None
    assert (rung.video.each_field, rung.video.captions) == (True, ("cea-608", "cea-708"))
    parts = []
    for chunk in (Chunk(0, 0, 30), Chunk(1, 30, 60)):
        folder = tmp_path / str(chunk.index)
        folder.mkdir()
        parts.append(
            finish(encode_part(LocalFile(source), made, chunk, folder)).files["hd-avc-sdr"]
        )
    out = tmp_path / "out.mp4"
    rung = replace(rung, audio=(), subtitles=())
    made = in_chunks(made, (0, 30), 60)
    finish(join(rung, parts, [], out, made))
    assert verified(out, rung, made, source).facts.captions == ("cea-608", "cea-708")
    for mine, theirs in zip(pairs_of(out), pairs_of(source), strict=True):
        assert [pair for _, pair in mine] == [pair for _, pair in theirs]
        late = [at - due for (at, _), (due, _) in zip(mine, theirs, strict=True)]
        assert -1 / rate <= min(late) <= max(late) <= 1 / rate
    assert packets_of(out) == packets_of(source)
    assert len(packets_of(source)) == 2 * 60


@pytest.mark.media
def test_packets_that_begin_late_are_found_among_fields(tmp_path: Path) -> None:
    """Twice as many pictures stand before them in the rendition as in the source, and fillings of
    CEA-608 all the while. Without them it is refused.
    """
    late, frames = 160, 175
    filled = [(NOTHING, NOTHING)] * frames
    source = with_pairs(
        tmp_path / "a.mp4",
        str(NTSC),
        filled,
        interlaced=True,
        packets=True,
        packets_from=late,
    )
    made, files = made_of(source, tmp_path, [smaller(HD_AVC, 320, 180)])
    (rung,) = made.rungs
    assert rung.video is not None
    assert (rung.video.each_field, rung.video.captions) == (True, ("cea-608", "cea-708"))
    assert len(packets_of(files["hd-avc-sdr"])) == 2 * (frames - late)
    bare = with_pairs(tmp_path / "b.mp4", str(2 * NTSC), [*filled, *filled])
    assert told_captions(bare, rung, made) == [
        "captions in the pictures are cea-608, cea-608, cea-708 planned"
    ]


def told_captions(path: Path, rung: Rung, made: Plan) -> list[str]:
    assert rung.video is not None
    found = signalling_faults(rung, finish(read_back(path, rung.video.captions)), made)
    return [fault for fault in found if fault.startswith("captions")]


def shown(path: Path, position: int) -> list[tuple[int, int, str]]:
    """Cues of a track in milliseconds."""
    found = read_srt(call("-i", path, "-map", f"0:s:{position}", "-f", "srt", "-").decode())
    return [(int(one.start_s * 1000), int(one.end_s * 1000), one.text) for one in found]


@pytest.mark.media
def test_captions_become_letters_at_their_picture(tmp_path: Path) -> None:
    """Both channels, in MP4, Matroska and the package; a stream begins anywhere on its clock."""
    rate = 2 * NTSC
    first = [*popped_on("HELLO"), *[NOTHING] * 20, (0x14, 0x2C)]
    second = [(lead if lead != 0x14 else 0x15, code) for lead, code in popped_on("HOLA")]
    pairs = [[NOTHING, NOTHING] for _ in range(120)]
    for at, pair in enumerate(first):
        pairs[20 + at][0] = pair
    for at, pair in enumerate(second):
        pairs[60 + at][1] = pair
    source = with_pairs(tmp_path / "a.ts", str(rate), [(one, two) for one, two in pairs])
    made, files = made_of(source, tmp_path, [MOBILE, ARCHIVE])
    on, off = 20 + len(popped_on("HELLO")) - 2, 20 + len(first) - 1
    late = 60 + len(second) - 2
    ms = [round(frame * 1000 / rate) for frame in (on, off, late, 120)]
    assert [one.source_codec for one in made.rungs[0].subtitles] == ["cea-608", "cea-608"]
    for file in files.values():
        assert shown(file, 0) == [(ms[0], ms[1], "HELLO")]
        assert shown(file, 1) == [(ms[2], ms[3], "HOLA")]
    folder = tmp_path / "package"
    folder.mkdir()
    finish(package([(made.rung("mobile-540p"), files["mobile-540p"])], folder, made.duration_s))
    assert "HELLO" in (folder / "subtitles-1" / "00001.vtt").read_text()
    assert "HOLA" in (folder / "subtitles-2" / "00001.vtt").read_text()


@pytest.mark.media
@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_captions_after_a_leader_without_any_are_found(name: str, tmp_path: Path) -> None:
    """Bars for longer than a probe looks: carried in the pictures and made letters of, to the
    frame, and both are read back.
    """
    rate, leader = Fraction(25), 260
    said = [*popped_on("HELLO"), *[NOTHING] * 90]
    pairs = [None] * leader + [(pair, pair) for pair in said]
    source = with_pairs(tmp_path / name, str(rate), pairs)
    info = probe(source)
    assert info.picture is not None
    assert info.picture.captions == ()
    made, files = made_of(source, tmp_path, [MOBILE, ARCHIVE])
    on = (leader + len(popped_on("HELLO")) - 2) * 1000 / rate
    assert shown(files["archive-ffv1"], 0) == [(on, len(pairs) * 1000 / rate, "HELLO")]
    video = made.rung("mobile-540p").video
    assert video is not None
    assert video.captions == ("cea-608",)
    for mine, theirs in zip(pairs_of(files["mobile-540p"]), pairs_of(source), strict=True):
        assert [pair for _, pair in mine] == [pair for _, pair in theirs]
    bare = tmp_path / "bare.mp4"
    call("-i", files["mobile-540p"], "-map", "0", "-c", "copy", "-bsf:v", NO_SEI, bare)
    with pytest.raises(VerificationFailed, match="captions in the pictures are none, cea-608"):
        verified(bare, made.rung("mobile-540p"), made, source)


@pytest.mark.media
def test_a_track_of_captions_is_read_to_the_picture(tmp_path: Path) -> None:
    """QuickTime's own: what replaces another caption is there at once, and what is still there at
    the end is no less a caption.
    """
    said = [(1, popped_on("HELLO")), (3, popped_on("WORLD"))]
    source = with_caption_track(tmp_path / "a.mov", said)
    made, files = made_of(source, tmp_path, [MOBILE, ARCHIVE])
    assert [one.source_codec for one in made.rungs[0].subtitles] == ["eia_608"]
    sent = round((len(popped_on("HELLO")) - 2) * 1000 * Fraction(1001, 30000))
    for file in files.values():
        assert shown(file, 0) == [
            (1000 + sent, 3000 + sent, "HELLO"),
            (3000 + sent, 5000, "WORLD"),
        ]


@pytest.mark.media
def test_a_trim_without_an_encode_moves_no_caption_of_a_track(tmp_path: Path) -> None:
    """Its edit begins inside a sample, whose caption is still shown, and the next is not early."""
    said = [(1, popped_on("HELLO")), (2, CLEAR), (3, popped_on("WORLD")), (4, CLEAR)]
    whole = with_caption_track(tmp_path / "a.mov", said)
    source = tmp_path / "cut.mov"
    call("-ss", "1.4", "-i", whole, "-map", "0", "-c", "copy", source)
    _, files = made_of(source, tmp_path, [MOBILE])
    sent = round((len(popped_on("HELLO")) - 2) * 1000 * Fraction(1001, 30000))
    cleared = round(1000 * Fraction(1001, 30000))  # the second of two
    first, second = shown(files["mobile-540p"], 0)
    assert (first[0], first[2]) == (0, "HELLO")
    assert second == (1600 + sent, second[1], "WORLD")
    assert abs(first[1] - 600) <= cleared
    assert abs(second[1] - 2600) <= cleared


@pytest.mark.media
def test_captions_without_times_are_not_guessed(tmp_path: Path) -> None:
    """A bare stream of pictures says only in which order they are coded."""
    captioned(tmp_path / "a.mp4", "25", 30, [(5, "HELLO")])
    info = probe(tmp_path / "a.264")
    assert info.picture is not None
    assert info.picture.captions == ("cea-608",)
    made = planned(tmp_path / "a.264", [MOBILE], tmp_path)
    assert made.rungs[0].subtitles == ()


@pytest.mark.media
@pytest.mark.parametrize("encoder", ["mpeg2video", "libx265"])
def test_captions_are_read_in_the_order_of_showing(encoder: str, tmp_path: Path) -> None:
    """Of pictures that are coded in another one, in MPEG-2's user data and in HEVC's messages."""
    source = captioned(tmp_path / "a.mp4", "30000/1001", 60, [(3, "HELLO WORLD"), (30, "AGAIN")])
    coded = tmp_path / "b.ts"
    quiet = ("-x265-params", "log-level=error:bframes=3") if encoder == "libx265" else ("-bf", "2")
    call("-i", source, "-an", "-c:v", encoder, *quiet, "-a53cc", "1", coded)
    mine, theirs = (finish(read_captions(path, 0)) for path in (coded, source))
    assert [cue.text for cue in mine["CC1"]] == ["HELLO WORLD", "AGAIN"]
    starts = [[cue.start_s for cue in found["CC1"]] for found in (mine, theirs)]
    zero_s = picture_start_s(coded)
    for late, due in zip(*starts, strict=True):
        assert abs(late - zero_s - due) < Fraction(1, 1000)
