"""From a master to a preservation copy that is proven, or a reason to keep the source file."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest
from clips import generated, make

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.facts import Verified
from pipelines.media import SubtitleTrack
from pipelines.planning.plan import Plan, plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.running.tools import ffmpeg
from pipelines.sound.audio import encode_audio
from pipelines.sources.probe import probe
from pipelines.verification.lossless_formats import REPACKED
from tests.pipelines.sources import STEREO, call, described, planned, read_back, verified

pytestmark = pytest.mark.media

PICTURE = "testsrc2=s=320x180:r=25:d=0.4,format=yuv420p"
FFV1 = ("-c:v", "ffv1", "-g", "1")
NOISE = "anoisesrc=a=0.3:r=48000:seed=3:d=0.4,aformat=channel_layouts=stereo"


@dataclass(frozen=True, slots=True)
class Archived:
    plan: Plan
    path: Path
    verified: Verified


def made(source: Path, folder: Path) -> tuple[Plan, Path]:
    """A preservation copy, not yet verified."""
    folder = folder / "archive"
    folder.mkdir()
    resolved = planned(source, [profile("archive-ffv1")], folder)
    assert resolved.rungs, resolved.refused
    (rung,) = resolved.rungs
    pictures = finish(encode_chunk(source, resolved, resolved.chunks[0], folder)).files
    sounds = finish(encode_audio(source, resolved, folder)).files
    out = folder / "joined.mkv"
    tracks = [sounds[track.key] for track in rung.audio]
    finish(join(rung, [pictures[rung.profile]], tracks, out, resolved))
    return resolved, out


def archived(source: Path, folder: Path) -> Archived:
    resolved, out = made(source, folder)
    return Archived(resolved, out, verified(out, resolved.rungs[0], resolved, source))


def test_channels_in_an_order_of_their_own_are_kept_in_the_usual_one(tmp_path: Path) -> None:
    """FLAC has no word for film order: left so, the centre would come from the right."""
    order = "FL+FC+FR+SL+SR+LFE"
    tones = "|".join(f"0.{level}*sin(2*PI*t*440)" for level in range(1, 7))
    sound = f"aevalsrc={tones}:c={order}:s=48000:d=0.4"
    coded = (*FFV1, "-c:a", "pcm_s24le")
    source = make(tmp_path / "film.mov", *generated(PICTURE, sound), *coded)
    done = archived(source, tmp_path)
    assert done.plan.rungs[0].audio[0].layout == "5.1(side)"
    wanted = call("-i", source, "-af", "channelmap=0|2|1|5|3|4:5.1(side)", "-f", "s32le", "-")
    assert call("-i", done.path, "-map", "0:a", "-f", "s32le", "-") == wanted


def refusal(source: Path, folder: Path) -> tuple[str, str]:
    """The code and the reason."""
    (refused,) = planned(source, [profile("archive-ffv1")], folder).refused
    return refused.code, refused.reason


def pcm(path: Path, track: int = 0) -> bytes:
    return call("-i", path, "-map", f"0:a:{track}", "-c:a", "pcm_s32le", "-f", "s32le", "-")


@pytest.mark.parametrize("rate", ["60000/1001", "48000/1001", "120000/1001", "30000/1001", "50"])
def test_every_standard_rate_can_be_preserved(rate: str, tmp_path: Path) -> None:
    """The facts hold what the file says, which Matroska rounds and other tools read alike."""
    picture = f"testsrc2=s=320x180:r={rate},trim=end_frame=12,format=yuv420p"
    source = make(tmp_path / "a.mov", *generated(picture), "-c:v", "libx264", "-qp", "0")
    done = archived(source, tmp_path)
    read = read_back(done.path).stream
    said = (Fraction(read["avg_frame_rate"]), Fraction(read["r_frame_rate"]))
    assert done.plan.frame_rate == Fraction(rate)
    assert done.verified.facts.frame_rate in said


@pytest.mark.parametrize("scan", ["tff", "bff"])
def test_fields_that_only_the_pictures_show_are_kept_and_told(scan: str, tmp_path: Path) -> None:
    """AVI has no word for them, so that the frames come unflagged."""
    woven = f"testsrc2=s=720x576:r=50:d=1,interlace=scan={scan}:lowpass=off,format=yuv422p"
    source = make(tmp_path / "a.avi", *generated(woven), "-c:v", "huffyuv", "-field_order", "0")
    done = archived(source, tmp_path)
    assert done.plan.source_field_order == {"tff": "tt", "bff": "bb"}[scan]
    assert read_back(done.path).stream["field_order"] == {"tff": "tb", "bff": "bt"}[scan]


@pytest.mark.parametrize("packed", sorted(REPACKED))
def test_repacked_samples_are_the_same_samples(packed: str) -> None:
    """Random ones come back bit for bit, whatever the order in between."""
    shape = ("-f", "rawvideo", "-s", "64x48", "-pix_fmt")
    still = ("-f", "lavfi", "-i", "color=s=64x48", "-frames:v", "1", "-pix_fmt", packed)
    size = len(call(*still, "-f", "rawvideo", "-"))
    samples = np.random.default_rng(1).integers(0, 256, size, np.uint8).tobytes()

    def repacked(raw: bytes, one: str, other: str) -> bytes:
        argv = [ffmpeg(), "-v", "error", *shape, one, "-i", "-"]
        argv += ["-vf", f"format={other}", "-f", "rawvideo", "-"]
        return subprocess.run(argv, input=raw, check=True, capture_output=True).stdout

    assert (
        repacked(repacked(samples, packed, REPACKED[packed]), REPACKED[packed], packed) == samples
    )


@pytest.mark.parametrize(
    ("packed", "codec", "suffix"),
    [
        ("uyvy422", "rawvideo", "mov"),
        ("yuyv422", "rawvideo", "avi"),
        ("nv12", "rawvideo", "avi"),
        ("bgr24", "rawvideo", "avi"),
        ("rgb24", "png", "mov"),
        ("argb", "qtrle", "mov"),
        ("rgb48be", "png", "mov"),
        ("rgba64be", "png", "mov"),
        ("bgr0", "ffv1", "mkv"),
    ],
)
def test_uncompressed_captures_are_preserved(
    packed: str, codec: str, suffix: str, tmp_path: Path
) -> None:
    """As the planar format with the same samples; both sides are hashed in that."""
    options = ("-c:v", codec, "-pix_fmt", packed)
    source = make(tmp_path / f"a.{suffix}", *generated(PICTURE), *options)
    (track,) = probe(source).video
    assert track.pix_fmt == packed
    done = archived(source, tmp_path)
    assert done.verified.facts.pix_fmt == REPACKED.get(packed, packed)
    (proof,) = done.verified.proofs
    assert (proof.frames, proof.equal) == (10, True)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_u8", "flac", "alac"])
def test_sound_longer_than_the_picture_is_kept_whole(codec: str, tmp_path: Path) -> None:
    """Bit for bit, also what is heard after the last picture."""
    noise = NOISE.replace("d=0.4", "d=0.9")
    source = make(tmp_path / "a.mkv", *generated(PICTURE, noise), *FFV1, "-c:a", codec)
    done = archived(source, tmp_path)
    assert pcm(done.path) == pcm(source)
    assert "sound track 0 ends 500 ms after the picture: preservation keeps it, " in "".join(
        done.plan.decisions
    )


def test_sound_shorter_than_the_picture_is_not_made_longer(tmp_path: Path) -> None:
    """Silence is no sample of the master."""
    noise = NOISE.replace("d=0.4", "d=0.2")
    source = make(tmp_path / "a.mov", *generated(PICTURE, noise), *FFV1, "-c:a", "pcm_s16le")
    done = archived(source, tmp_path)
    assert pcm(done.path) == pcm(source)


def test_sound_that_starts_late_has_silence_before_it_and_nothing_lost(tmp_path: Path) -> None:
    """To the sample: 100 ms are 4800 of them."""
    late = ("-itsoffset", "0.1", *generated(NOISE))
    tracks = ("-map", "0", "-map", "1", "-c:a", "pcm_s16le")
    source = make(tmp_path / "a.mov", *generated(PICTURE), *late, *tracks, *FFV1)
    done = archived(source, tmp_path)
    silence = bytes(4800 * 2 * 4)
    assert pcm(done.path) == silence + pcm(source)


def test_sound_before_the_picture_is_not_cut(tmp_path: Path) -> None:
    """The source file is then the only true copy."""
    late = ("-itsoffset", "0.12", *generated(PICTURE))
    tracks = ("-map", "1", "-map", "0", "-c:a", "pcm_s16le")
    source = make(tmp_path / "a.mov", *generated(NOISE), *late, *tracks, *FFV1)
    code, reason = refusal(source, tmp_path)
    assert code == "sound_starts_early"
    assert reason.startswith("sound track 0 starts 120 ms before the picture")
    assert reason.endswith("keep the source file")


def test_floating_point_is_not_clipped(tmp_path: Path) -> None:
    """WavPack holds it, FLAC does not."""
    loud = f"{NOISE},aformat=sample_fmts=fltp,volume=12dB"
    source = make(tmp_path / "a.mkv", *generated(PICTURE, loud), *FFV1, "-c:a", "wavpack")
    assert refusal(source, tmp_path)[0] == "too_many_bits"


def test_32_bits_are_not_cut_to_24(tmp_path: Path) -> None:
    """The header of FLAC says how many there are; the decoder gives 24 in 32 too."""
    deep = f"{NOISE},aformat=sample_fmts=s32"
    kept = ("-c:a", "flac", "-bits_per_raw_sample", "32", "-strict", "experimental")
    source = make(tmp_path / "a.mkv", *generated(PICTURE, deep), *FFV1, *kept)
    assert probe(source).audio[0].bit_depth == 32
    assert refusal(source, tmp_path)[0] == "too_many_bits"


def test_what_aac_decodes_to_is_kept_in_24_bits(tmp_path: Path) -> None:
    """A lossy master has no samples of its own; the decision says what is kept."""
    source = clips.programme(tmp_path)
    done = archived(source, tmp_path)
    assert "sound track 0 is aac: preservation keeps its decoded 24 bits" in done.plan.decisions


def test_one_changed_sample_of_the_sound_is_not_lossless(tmp_path: Path) -> None:
    """Far below what any ear or meter would notice."""
    source = make(tmp_path / "a.mov", *generated(PICTURE, NOISE), *FFV1, "-c:a", "pcm_s24le")
    resolved, right = made(source, tmp_path)
    touch = "aeval='val(ch)+eq(n,4000)*0.000001':c=same,aformat=sample_fmts=s32"
    wrong = tmp_path / "wrong.mkv"
    kept = ("-map", "0", "-c:v", "copy", "-c:a", "flac")
    make(wrong, "-i", str(right), *kept, "-af", touch, "-fflags", "+bitexact")
    with pytest.raises(VerificationFailed, match="the samples of audio track 0 are not the source"):
        verified(wrong, resolved.rungs[0], resolved, source)


def test_every_track_that_is_left_out_is_named(tmp_path: Path) -> None:
    """A second picture, an attachment: none goes without a word, and subtitles are kept."""
    words = tmp_path / "a.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:00,300\nhello\n")
    opened = (*generated(PICTURE, PICTURE, NOISE), "-i", str(words))
    maps = [word for stream in range(4) for word in ("-map", str(stream))]
    held = ("-attach", str(words), "-metadata:s:t", "mimetype=text/plain")
    source = make(tmp_path / "a.mkv", *opened, *maps, *FFV1, "-c:a", "flac", *held)
    info, seen = probe(source), described(None, [STEREO])[1]
    decisions = plan(info, seen, [profile("archive-ffv1")]).decisions
    told = [text for text in decisions if text.endswith("is in no rendition")]
    assert [text.split(" (")[0] for text in told] == ["picture track 1", "attachment track 4"]
    assert info.subtitles == (SubtitleTrack(3, "ass", text=True),)
