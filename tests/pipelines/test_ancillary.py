"""Captions in the ancillary data of an MXF (SMPTE ST 436-1): letters, and what is left out."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.media import AncillaryTrack, CaptionChannel
from pipelines.packaging.package import package
from pipelines.planning.plan import Plan, plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.sources.probe import probe
from pipelines.sources.track_child import ancillary_packets, line_21
from tests.pipelines.made import made_of
from tests.pipelines.sources import HD, described, planned
from tests.pipelines.subtitle_samples import NOTHING, popped_on, with_ancillary, with_pairs
from tests.pipelines.test_captions import shown

NTSC = Fraction(30000, 1001)
MOBILE, ARCHIVE, HD_AVC = profile("mobile-540p"), profile("archive-ffv1"), profile("hd-avc-sdr")
HD_TS = profile("hd-avc-sdr-ts")
PACKET = b"\x96\x69\x13\x4f\x43\x00\x01\x72\xe2\xfc\x94\x20\xfd\x80\x80\x74\x00\x01\xaa"


def held(*packets: tuple[Sequence[int], int]) -> bytes:
    """Words of ancillary data in 8 (4) or 10 bits (7) each (SMPTE ST 436-1, table 7)."""
    made = struct.pack(">H", len(packets))
    for words, coding in packets:
        if coding == 7:  # parity is in the highest two bits
            padded = [*(word | 0x200 for word in words), 0, 0]
            threes = range(0, len(words), 3)
            body = b"".join(
                struct.pack(">I", padded[at] << 22 | padded[at + 1] << 12 | padded[at + 2] << 2)
                for at in threes
            )
        else:
            body = bytes(words) + bytes(-len(words) % 4)
        made += struct.pack(">HBBHII", 9, 1, coding, len(words), len(body), 1) + body
    return made


def words(first: int, second: int, said: bytes) -> list[int]:
    return [first, second, len(said), *said]


@pytest.mark.parametrize("coding", [4, 7, 10], ids=["8 bits", "10 bits", "8 bits, wrong parity"])
def test_packets_are_read_in_every_coding(coding: int) -> None:
    """Those that are whole: the last one is cut off."""
    caption, code = words(0x61, 1, PACKET), words(0x60, 0x60, bytes(16))
    coded = held((code, coding), (caption, coding), (caption, coding))
    found = list(ancillary_packets(coded[:-8]))
    assert [one[:2] for one in found] == [(0x60, 0x60), (0x61, 1)]
    assert found[1][2] == PACKET
    assert b"".join(map(line_21, found)) == b"\x00\x94\x20"


@pytest.mark.parametrize("coded", [b"", b"\0", b"\xff\xff", b"\0\1" + b"\xff" * 20])
def test_what_is_no_ancillary_data_holds_none(coded: bytes) -> None:
    """Whatever lengths it claims."""
    assert list(ancillary_packets(coded)) == []


def test_captions_are_read_behind_a_timecode_and_from_line_21() -> None:
    """SMPTE ST 334-2 may begin with a timecode; ST 334-1 has the bytes of one field alone."""
    timed = PACKET[:7] + b"\x71\xc1\x02\x03\x04" + PACKET[7:]
    assert line_21((0x61, 1, timed)) == b"\x00\x94\x20"
    assert line_21((0x61, 2, b"\x8b\x94\x20")) == b"\x00\x94\x20"
    assert line_21((0x61, 2, b"\x0b\x94\x20")) == b"\x01\x94\x20"
    assert line_21((0x61, 2, b"\x8b\x80\x80")) == b""
    assert line_21((0x43, 2, PACKET)) == b""


def resolved(channels: Sequence[CaptionChannel], pictures: Sequence[CaptionChannel]) -> Plan:
    captioned = replace(HD, captions=("cea-608",)) if pictures else HD
    info, seen = described(captioned)
    track = AncillaryTrack(2, ("captions (CEA-608/708) [61/01]",), tuple(channels))
    found = replace(seen, caption_channels=tuple(pictures), ancillary=(track,))
    return plan(info, found, [HD_AVC, ARCHIVE, HD_TS])


def told(made: Plan) -> list[str]:
    return [text for text in made.decisions if "ancillary" in text]


def test_what_becomes_of_ancillary_captions_is_said() -> None:
    """Letters wherever there is a place: no rung has such data in its pictures."""
    made = resolved(["CC1"], [])
    letters = {rung.profile: [one.channel for one in rung.subtitles] for rung in made.rungs}
    assert letters == {"hd-avc-sdr": ["CC1"], "archive-ffv1": ["CC1"], "hd-avc-sdr-ts": []}
    assert told(made) == [
        (
            "captions CC1 of ancillary data track 2 as letters: made mov_text in hd-avc-sdr; made "
            "subrip in archive-ffv1; WebVTT in the HLS and DASH package; lost in hd-avc-sdr-ts: "
            "MXF, transport streams and sound alone have no place for letters"
        ),
        (
            "ancillary data track 2 (captions (CEA-608/708) [61/01]) is in no rendition but for "
            "the letters of its captions"
        ),
    ]


def test_captions_in_both_places_are_taken_once() -> None:
    """Those of the pictures, which tape decks and servers repeat in ancillary data."""
    made = resolved(["CC1", "CC3"], ["CC1"])
    (hd, *_) = made.rungs
    assert [(one.source_codec, one.channel) for one in hd.subtitles] == [
        ("cea-608", "CC1"),
        ("smpte_436m_anc", "CC3"),
    ]
    assert told(resolved(["CC1"], ["CC1"])) == [
        (
            "ancillary data track 2 (captions (CEA-608/708) [61/01]) is in no rendition: its "
            "captions are those of the pictures"
        )
    ]


def source(folder: Path, rate: Fraction) -> tuple[Path, list[Fraction]]:
    """Five seconds with HELLO in CC1 and HOLA in CC3; when each is shown, and HELLO goes."""
    first = [*popped_on("HELLO"), *[NOTHING] * 40, (0x14, 0x2C)]
    second = [(0x15 if lead == 0x14 else lead, code) for lead, code in popped_on("HOLA")]
    pairs = [[NOTHING, NOTHING] for _ in range(120)]
    for at, pair in enumerate(first):
        pairs[20 + at][0] = pair
    for at, pair in enumerate(second):
        pairs[60 + at][1] = pair
    said = with_pairs(folder / "said.mp4", str(rate), [(one, two) for one, two in pairs])
    shown_at = [20 + len(popped_on("HELLO")) - 2, 20 + len(first) - 1, 60 + len(second) - 2, 120]
    made = with_ancillary(folder / "a.mxf", said, str(rate), 120)
    return made, [frame * 1000 / rate for frame in shown_at]


@pytest.mark.media
@pytest.mark.parametrize("rate", [NTSC, Fraction(25)], ids=["2997p", "25p"])
def test_ancillary_captions_become_letters_at_their_picture(rate: Fraction, tmp_path: Path) -> None:
    """Both channels, in MP4, Matroska and the package, of pictures that have none."""
    path, due = source(tmp_path, rate)
    info = probe(path)
    assert info.picture is not None
    assert (info.picture.captions, info.left_out) == ((), ())
    assert info.ancillary == (AncillaryTrack(2, ("captions (CEA-608/708) [61/01]",)),)
    made, files = made_of(path, tmp_path, [MOBILE, ARCHIVE])
    on, off, late, end = map(round, due)
    for file in files.values():
        assert shown(file, 0) == [(on, off, "HELLO")]
        assert shown(file, 1) == [(late, end, "HOLA")]
    folder = tmp_path / "package"
    folder.mkdir()
    finish(package([(made.rung("mobile-540p"), files["mobile-540p"])], folder, made.duration_s))
    for number, text in ((1, "HELLO"), (2, "HOLA")):
        segments = (folder / f"subtitles-{number}").glob("*.vtt")
        assert any(text in segment.read_text() for segment in segments)


@pytest.mark.media
def test_ancillary_data_without_captions_are_left_out_by_what_they_are(tmp_path: Path) -> None:
    """A European master: teletext subtitles in each picture."""
    path, _ = source(tmp_path, Fraction(25))
    coded = path.read_bytes()
    path.write_bytes(re.sub(rb"\x61\x01(?=.\x96\x69)", b"\x43\x02", coded, flags=re.DOTALL))
    made = planned(path, [MOBILE], tmp_path)
    assert made.rungs[0].subtitles == ()
    assert told(made) == [
        (
            "ancillary data track 2 (OP-47 teletext subtitles [43/02]) is in no rendition: "
            "nothing is said in it in CEA-608"
        )
    ]
