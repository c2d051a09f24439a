"""Which two files are compared, and as what."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import clips
import pytest

from kapok.local_compare import NotComparable, compare, plan_between
from pipelines.media import Colour, Inspection, MediaInfo, Pulldown, VideoTrack


def track(rate: Fraction, transfer: str | None = None) -> MediaInfo:
    picture = VideoTrack(0, "h264", None, 320, 180, "yuv420p", 8, rate, Colour(transfer=transfer))
    return MediaInfo("mov", 1, None, (picture,), ())


def seen(frames: int, rate: Fraction) -> Inspection:
    return Inspection(duration_s=frames / rate, frames=frames, frame_rate=rate)


def test_half_the_rate_pairs_every_second_frame() -> None:
    """50 against 25 frames a second: divisor 2, so that frames stay exactly aligned."""
    plan = plan_between(
        track(Fraction(50)), seen(100, Fraction(50)), track(Fraction(25)), frames=50
    )

    video = plan.rungs[0].video
    assert video is not None
    assert (video.rate_divisor, video.frames) == (2, 50)


def test_fields_and_film_pair_with_what_was_made_of_them() -> None:
    """50 frames against 25 interlaced ones are its fields; 24 of film are in 30 of its pulldown."""
    tape = replace(seen(50, Fraction(25)), field_order="tt")
    fields = plan_between(track(Fraction(25)), tape, track(Fraction(50)), frames=100).rungs[0].video
    assert fields is not None
    assert (fields.each_field, fields.deinterlace, fields.rate_divisor) == (True, True, 1)
    video, film_rate = Fraction(30000, 1001), Fraction(24000, 1001)
    pulled = replace(seen(50, video), field_order="tt", pulldown=Pulldown("tt", 0))
    plan = plan_between(track(video), pulled, track(film_rate), frames=40)
    film = plan.rungs[0].video
    assert film is not None
    assert (film.pulldown, film.deinterlace, plan.source_pulldown) == (True, False, pulled.pulldown)


def test_frames_that_do_not_pair_are_not_scored() -> None:
    """A score over other frames would be a wrong number, so there is none."""
    with pytest.raises(NotComparable, match="49 frames against 50"):
        plan_between(track(Fraction(25)), seen(50, Fraction(25)), track(Fraction(25)), frames=49)
    with pytest.raises(NotComparable, match="no frames pair up"):
        plan_between(track(Fraction(25)), seen(50, Fraction(25)), track(Fraction(30)), frames=60)


def test_hlg_against_sdr_is_compared_after_the_conversion() -> None:
    plan = plan_between(
        track(Fraction(25), "arib-std-b67"), seen(50, Fraction(25)), track(Fraction(25)), frames=50
    )

    assert plan.rungs[0].video is not None
    assert plan.rungs[0].video.conversion == "hlg_to_sdr"


BT709 = Colour("bt709", "bt709", "bt709", "tv")


@pytest.mark.parametrize(
    ("before", "after", "conversion"),
    [
        (replace(BT709, range="pc"), BT709, "sdr_to_sdr"),
        (replace(BT709, matrix="smpte170m"), BT709, "sdr_to_sdr"),
        (replace(BT709, range="pc"), replace(BT709, range="pc"), "none"),
        (Colour(transfer="smpte2084"), BT709, "pq_to_sdr"),
        (BT709, Colour(transfer="arib-std-b67"), "sdr_to_hlg"),
        (Colour(transfer="arib-std-b67"), Colour(transfer="smpte2084"), "hlg_to_pq"),
        (Colour(), Colour(), "none"),
    ],
)
def test_colours_that_differ_are_compared_after_the_conversion(
    before: Colour, after: Colour, conversion: str
) -> None:
    """A full-range or BT.601 reference scored as it is would be called a bad encode."""
    plan = plan_between(coloured(before), seen(50, Fraction(25)), coloured(after), frames=50)
    assert plan.rungs[0].video is not None
    assert plan.rungs[0].video.conversion == conversion
    assert None not in (plan.source_colour.primaries, plan.source_colour.matrix)


def test_what_no_conversion_gives_is_not_scored() -> None:
    """Nothing here makes full range from narrow, so the pair has no score."""
    full = coloured(replace(BT709, range="pc"))
    with pytest.raises(NotComparable, match="bt709/bt709/pc"):
        plan_between(coloured(BT709), seen(50, Fraction(25)), full, frames=50)


def coloured(colour: Colour) -> MediaInfo:
    info = track(Fraction(25))
    return replace(info, video=(replace(info.video[0], colour=colour),))


@pytest.mark.media
@pytest.mark.parametrize(
    ("scale", "tags", "codec"),
    [
        ("out_range=pc:out_color_matrix=bt709,format=yuv420p", "bt709:range=pc", "ffv1"),
        ("out_color_matrix=bt601,format=yuv420p", "smpte170m:range=tv", "libx264"),
        ("flags=bicubic,format=gbrp", "gbr:range=pc", "ffv1"),
    ],
)
def test_the_same_picture_in_another_coding_scores_high(
    scale: str, tags: str, codec: str, tmp_path: Path
) -> None:
    """The reference is brought to BT.709 first, as an encode would have done."""

    def made(name: str, scaled: str, said: str, encoder: str) -> Path:
        same = "setparams=color_primaries=bt709:color_trc=bt709:colorspace"
        picture = f"testsrc2=s=320x180:r=25:d=0.2,format=gbrp,scale={scaled},{same}={said}"
        coding = ("-c:v", encoder, "-qp", "2") if encoder == "libx264" else ("-c:v", encoder)
        return clips.make(tmp_path / name, *clips.generated(picture), *coding)

    narrow = "out_color_matrix=bt709:out_range=tv,format=yuv420p"
    reference = made("reference.mkv", scale, tags, codec)
    other = made("other.mkv", narrow, "bt709:range=tv", "libx264")
    scores = compare(reference, other, tmp_path / "scratch", lambda _: lambda _: None)
    xpsnr = next(score for score in scores.measurements if score.metric == "xpsnr")
    assert (xpsnr.mean or 0) > 30  # 14 where the codings are taken for each other
