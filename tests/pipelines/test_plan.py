"""Planning is pure: for each kind of source, which rungs, in what shape, and why not the others."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from pipelines.colour.colour_types import ColourDecision
from pipelines.media import (
    AudioTrack,
    Colour,
    ContentLight,
    Loudness,
    MasteringDisplay,
    MixLoudness,
    VideoTrack,
)
from pipelines.planning.plan import Chunk, Plan, Rung, VideoPlan, plan
from pipelines.planning.plan_sound import default_mixes
from pipelines.profiles.profile import (
    AudioCodec,
    AudioProfile,
    Container,
    ladder,
    load_profiles,
    profile,
)
from pipelines.records import from_json, to_json
from tests.pipelines.sources import BT709, HD, HLG, PQ, STEREO, UHD, described

UNTAGGED = Colour()
MONO = replace(STEREO, channels=1, layout="mono")
SURROUND = replace(STEREO, channels=6, layout="5.1(side)")
NTSC = Fraction(30000, 1001)


def made(
    picture: VideoTrack | None,
    *names: str,
    audio: tuple[AudioTrack, ...] = (),
    **inspected: object,
) -> Plan:
    """The plan of these profiles, or of the whole `cn-uhd-zone` ladder."""
    info, seen = described(picture, audio, **inspected)  # type: ignore[arg-type]
    return plan(info, seen, [profile(name) for name in names or ladder("cn-uhd-zone").profiles])


def names(made_plan: Plan) -> list[str]:
    return [rung.profile for rung in made_plan.rungs]


def codes(made_plan: Plan) -> dict[str, str]:
    return {refusal.profile: refusal.code for refusal in made_plan.refused}


def picture_of(rung: Rung) -> VideoPlan:
    assert rung.video is not None
    return rung.video


def test_an_hlg_programme_gets_the_whole_ladder() -> None:
    """2160p50 HLG: 4K as it is, the others in SDR, the mobile ones at half the rate."""
    planned = made(UHD, frames=149)
    assert not planned.refused
    shapes: dict[str, tuple[object, ...]] = {
        rung.profile: (
            picture_of(rung).width,
            picture_of(rung).height,
            picture_of(rung).frame_rate,
            picture_of(rung).frames,
            picture_of(rung).conversion,
        )
        for rung in planned.rungs
    }
    assert shapes == {
        "cn4k-hevc-hlg": (3840, 2160, 50, 149, "none"),
        "hd-avc-sdr": (1920, 1080, 50, 149, "hlg_to_sdr"),
        "mobile-1080p": (1920, 1080, 25, 75, "hlg_to_sdr"),
        "mobile-720p": (1280, 720, 25, 75, "hlg_to_sdr"),
        "mobile-540p": (960, 540, 25, 75, "hlg_to_sdr"),
        "review-proxy": (1280, 720, 25, 75, "hlg_to_sdr"),
    }
    assert planned.rung("cn4k-hevc-hlg").video.colour == HLG  # type: ignore[union-attr]
    assert planned.rung("hd-avc-sdr").video.colour == BT709  # type: ignore[union-attr]
    assert planned.chunks == (Chunk(0, 0, 149),)


def test_key_frames_lie_at_the_same_moments_in_every_rung() -> None:
    """One second each, so that a player can change rungs there."""
    gops = {rung.profile: picture_of(rung).gop_frames for rung in made(UHD).rungs}
    assert gops == {
        "cn4k-hevc-hlg": 50,
        "hd-avc-sdr": 50,
        "mobile-1080p": 25,
        "mobile-720p": 25,
        "mobile-540p": 25,
        "review-proxy": 25,
    }


def test_key_frames_agree_even_where_half_the_rate_is_not_whole() -> None:
    """33 fps halved by one rung: 32 source frames apart in both."""
    planned = made(replace(HD, frame_rate=Fraction(33)), "hd-avc-sdr", "mobile-720p")
    gops = [(picture_of(rung).gop_frames, picture_of(rung).rate_divisor) for rung in planned.rungs]
    assert gops == [(32, 1), (16, 2)]


def test_rungs_of_a_package_have_the_nearest_key_frames_of_theirs() -> None:
    """Their segments would not line up, which was found after the whole encode."""
    hd, small = profile("hd-avc-sdr"), profile("mobile-720p")
    assert small.video is not None
    own = replace(small, name="own-x", video=replace(small.video, gop_s=Fraction(3)))
    info, seen = described(UHD)

    planned = plan(info, seen, [hd, own])

    gops = {rung.profile: picture_of(rung).gop_frames for rung in planned.rungs}
    assert gops == {"hd-avc-sdr": 50, "own-x": 25}
    told = "own-x has a key frame every 25 frames, for 75 that it asks for: "
    assert [one for one in planned.decisions if one.startswith(told)]
    alone = plan(info, seen, [hd, replace(own, packaged=False)])
    assert picture_of(alone.rungs[1]).gop_frames == 75
    assert not [one for one in alone.decisions if "key frame" in one]


def test_a_1080p_source_is_never_upscaled() -> None:
    """The 4K rung is refused by name, with the sizes; the others go on."""
    planned = made(replace(HD, frame_rate=Fraction(50)))
    assert codes(planned) == {"cn4k-hevc-hlg": "would_upscale"}
    assert planned.refused[0].reason == (
        "1920x1080 is smaller than 3840x2160, and cn4k-hevc-hlg never upscales"
    )


def test_an_sdr_source_does_not_become_hdr() -> None:
    """2160p50 in BT.709 is no 4K HLG programme."""
    planned = made(replace(UHD, colour=BT709))
    assert codes(planned) == {"cn4k-hevc-hlg": "needs_hdr"}
    assert picture_of(planned.rung("hd-avc-sdr")).conversion == "none"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bit_depth": 8, "pix_fmt": "yuv420p"}, "bit_depth_too_low"),
        ({"colour": replace(HLG, primaries="bt709")}, "needs_wide_gamut"),
        ({"frame_rate": Fraction(25)}, "frame_rate_too_low"),
        ({"frame_rate": Fraction(48000, 1001)}, "frame_rate_too_low"),
        ({"width": 4096}, "aspect_differs"),
        ({"width": 2160, "height": 3840}, "would_upscale"),
    ],
)
def test_the_label_4k_needs_all_of_its_parts(change: dict[str, object], code: str) -> None:
    """3840x2160, at least 50 fps, 10 bits, wide gamut and HDR."""
    planned = made(replace(UHD, **change), "cn4k-hevc-hlg")  # type: ignore[arg-type]
    assert codes(planned) == {"cn4k-hevc-hlg": code}


def test_pq_becomes_hlg_and_loses_the_metadata_of_pq() -> None:
    """Mastering display and light levels describe the PQ signal alone."""
    spot = (Fraction(17, 50), Fraction(8, 25))
    display = MasteringDisplay(spot, spot, spot, spot, Fraction(0), Fraction(1000))
    light = ContentLight(1000, 400)
    source = replace(UHD, colour=PQ, mastering_display=display, content_light=light)
    video = picture_of(made(source, "cn4k-hevc-hlg").rungs[0])
    assert (video.conversion, video.colour) == ("pq_to_hlg", HLG)
    assert (video.mastering_display, video.content_light) == (None, None)
    kept = picture_of(made(replace(source, colour=HLG), "cn4k-hevc-hlg").rungs[0])
    assert (kept.mastering_display, kept.content_light) == (display, light)


@pytest.mark.parametrize(
    ("rate", "divisor", "result"),
    [
        (Fraction(24000, 1001), 1, Fraction(24000, 1001)),
        (Fraction(25), 1, Fraction(25)),
        (NTSC, 1, NTSC),
        (Fraction(30), 1, Fraction(30)),
        (Fraction(48), 2, Fraction(24)),
        (Fraction(50), 2, Fraction(25)),
        (2 * NTSC, 2, NTSC),
        (Fraction(60), 2, Fraction(30)),
        (Fraction(100), 4, Fraction(25)),
        (Fraction(25, 2), 1, Fraction(25, 2)),
    ],
)
def test_a_cap_of_25_keeps_the_frame_rate_family(
    rate: Fraction, divisor: int, result: Fraction
) -> None:
    """25, 30000/1001 and 30 pass; faster ones keep every n-th frame."""
    video = picture_of(made(replace(HD, frame_rate=rate), "mobile-720p", frames=101).rungs[0])
    assert (video.rate_divisor, video.frame_rate) == (divisor, result)
    assert video.frames == -(-101 // divisor)


def test_a_small_source_makes_one_mobile_rung_and_a_proxy() -> None:
    """768x432 fits into every mobile raster: the smallest of them is kept."""
    planned = made(replace(HD, width=768, height=432))
    assert names(planned) == ["mobile-540p", "review-proxy"]
    assert codes(planned)["mobile-1080p"] == codes(planned)["mobile-720p"] == "duplicate_rung"
    assert (picture_of(planned.rungs[0]).width, picture_of(planned.rungs[0]).height) == (768, 432)


def test_other_deliveries_of_a_picture_are_no_twins() -> None:
    """A transport stream beside the MP4, another rate for one raster, another sound: all stay."""
    base = profile("mobile-720p")
    assert base.video is not None
    others = [
        replace(base, name="own-ts", container="ts"),
        replace(base, name="own-8m", video=replace(base.video, max_bitrate_bps=8_000_000)),
        replace(base, name="own-flat", video=replace(base.video, height=712)),
    ]
    mute = replace(profile("mobile-1080p"), audio=(), name="own-mute")
    wanted = [base, *others, profile("mobile-1080p"), mute]
    small = plan(*described(replace(HD, width=640, height=360), [STEREO]), wanted)
    assert names(small) == ["own-ts", "own-flat", "own-mute"]
    assert {one.code for one in small.refused} == {"duplicate_rung"}
    large = plan(*described(HD, [STEREO]), wanted)
    assert not large.refused


def test_hd_and_mobile_1080p_both_stay_at_1080p25() -> None:
    """The labelled rung is no duplicate of the mobile one: a zone may ask for either."""
    assert names(made(HD)) == list(ladder("cn-uhd-zone").profiles)[1:]


@pytest.mark.parametrize(
    ("stored", "change", "fitted"),
    [
        ((1920, 1080), {}, (1280, 720)),
        ((1080, 1920), {}, (720, 1280)),
        ((1920, 1080), {"rotation_deg": 90}, (720, 1280)),
        ((1920, 1080), {"rotation_deg": 315}, (1280, 720)),
        ((720, 576), {"sample_aspect_ratio": Fraction(16, 15)}, (768, 576)),
        ((720, 576), {"sample_aspect_ratio": Fraction(64, 45)}, (1024, 576)),
        ((1440, 1080), {"sample_aspect_ratio": Fraction(4, 3)}, (1280, 720)),
        ((333, 251), {}, (332, 252)),
        ((4096, 1716), {}, (1280, 536)),
    ],
)
def test_a_rung_inside_keeps_the_shape_of_what_is_seen(
    stored: tuple[int, int], change: dict[str, object], fitted: tuple[int, int]
) -> None:
    """Square pixels, turned as the file asks, even, inside 1280x720 or 720x1280."""
    source = replace(HD, width=stored[0], height=stored[1], **change)  # type: ignore[arg-type]
    video = picture_of(made(source, "mobile-720p").rungs[0])
    assert (video.width, video.height) == fitted
    assert video.sample_aspect_ratio == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rotation_deg": 90}, "turned by 90 degrees"),
        ({"rotation_deg": 180, "mirrored": True}, "left and right mirrored"),
        ({"mirrored": True}, "turned upside down in a mirror"),
        ({"rotation_deg": 90, "mirrored": True}, "turned and mirrored"),
    ],
)
def test_a_mirrored_picture_is_not_called_turned(change: dict[str, object], told: str) -> None:
    """A matrix that mirrors left and right turns by 180 degrees, says ffmpeg."""
    planned = made(replace(HD, **change), "mobile-720p")  # type: ignore[arg-type]
    assert f"{told}, as the file asks" in planned.decisions


def test_a_transport_stream_is_of_three_pictures_at_least() -> None:
    """Of fewer nobody reads its clock and its rate back: such rungs failed when verified."""
    few = [plan(*described(HD, frames=count), [profile("hd-avc-sdr-ts")]) for count in (1, 2, 3)]
    assert [codes(one) for one in few] == [{"hd-avc-sdr-ts": "too_short"}] * 2 + [{}]


def test_anamorphic_hd_is_hd() -> None:
    """1440x1080 with 4:3 pixels fills 1920x1080 on every screen."""
    source = replace(HD, width=1440, sample_aspect_ratio=Fraction(4, 3))
    assert names(made(source, "hd-avc-sdr")) == ["hd-avc-sdr"]


@pytest.mark.parametrize("size", [(1, 1), (8, 1080), (1920, 15)])
def test_a_tiny_picture_is_refused_everywhere(size: tuple[int, int]) -> None:
    """The plan then has no rungs at all, and a reason for each."""
    planned = made(replace(HD, width=size[0], height=size[1]), *load_profiles())
    assert not planned.rungs
    assert set(codes(planned).values()) == {"picture_too_small", "no_sound"}


@pytest.mark.parametrize(
    ("height", "family"),
    [
        *((576, "bt470bg"), (608, "bt470bg"), (480, "smpte170m"), (486, "smpte170m")),
        *((512, "smpte170m"), (360, "bt709"), (1080, "bt709")),
    ],
)
def test_untagged_colour_is_decided_by_the_raster_and_said(height: int, family: str) -> None:
    """SD keeps its own primaries and is converted; nothing is converted in secret."""
    planned = made(replace(HD, width=704, height=height, colour=UNTAGGED), "mobile-540p")
    assert planned.source_colour.primaries == planned.source_colour.matrix == family
    expected = "none" if family == "bt709" else "sdr_to_sdr"
    assert picture_of(planned.rungs[0]).conversion == expected
    assert picture_of(planned.rungs[0]).colour == BT709
    assert planned.decisions[0].startswith(
        f"the source does not say its colour in full: taken as primaries {family}"
    )


@pytest.mark.parametrize(
    "said",
    [
        Colour("bt2020", "bt2020-10", "bt2020nc", "tv"),
        Colour("bt709", "bt709", "bt709", "pc"),
        Colour("bt709", "iec61966-2-1", "bt709", "tv"),
        Colour("smpte432", "bt709", "bt709", "tv"),
    ],
)
def test_sdr_that_is_not_narrow_bt709_is_converted(said: Colour) -> None:
    """Wide gamut, full range, another gamma."""
    video = picture_of(made(replace(HD, colour=said), "mobile-720p").rungs[0])
    assert (video.conversion, video.colour) == ("sdr_to_sdr", BT709)


@pytest.mark.parametrize(
    "said",
    [
        replace(PQ, matrix="ictcp"),
        replace(BT709, matrix="ycgco"),
        replace(BT709, transfer="log100"),
    ],
)
def test_a_colour_that_nothing_converts_is_refused_but_preserved(said: Colour) -> None:
    """In the plan, with the way out, and not by a tool that is started over and over."""
    track = replace(HD, colour=said)
    plan_made = made(track, "mobile-540p", "archive-ffv1")
    assert names(plan_made) == ["archive-ffv1"]
    assert codes(plan_made) == {"mobile-540p": "unsupported_colour"}
    assert "convert the master" in plan_made.refused[0].reason


def test_the_space_of_digital_cinema_is_not_taken_for_bt709() -> None:
    """Of X'Y'Z' no tag says anything, and FFV1 has no place for it either: the master stays."""
    scope = replace(HD, codec="jpeg2000", pix_fmt="xyz12le", bit_depth=12)
    for said in (Colour(), BT709, Colour("smpte428", "smpte428", "gbr", "pc")):
        plan_made = made(replace(scope, colour=said), "mobile-540p", "archive-ffv1")
        assert codes(plan_made) == {
            "mobile-540p": "unsupported_colour",
            "archive-ffv1": "unsupported_pix_fmt",
        }
        assert "X'Y'Z'" in plan_made.refused[0].reason


def test_fields_that_are_pictures_are_refused_with_the_way_out() -> None:
    """1920x540 would be squashed, and preserved without a word of what belongs together."""
    fields = replace(HD, codec="hevc", height=540, field_order="tt", field_pictures=True)
    plan_made = made(fields, "mobile-540p", "archive-ffv1", "audio-access-aac", audio=(STEREO,))
    assert names(plan_made) == ["audio-access-aac"]
    assert set(codes(plan_made).values()) == {"field_pictures"}
    assert "weave" in plan_made.refused[0].reason


def test_an_interlaced_tape_is_kept_in_preservation_and_deinterlaced_elsewhere() -> None:
    """For HD a frame a field: 1080i25 becomes 1080p50."""
    tape = replace(HD, field_order="tt", pix_fmt="yuv422p10le", bit_depth=10)
    planned = made(tape, *ladder("archive").profiles)
    kept, access = picture_of(planned.rungs[0]), picture_of(planned.rungs[1])
    assert (kept.field_order, kept.deinterlace, kept.pix_fmt) == ("tt", False, "yuv422p10le")
    assert (access.field_order, access.deinterlace, access.frames) == ("progressive", True, 200)


def test_psf_is_not_deinterlaced_and_hidden_fields_are() -> None:
    """What was seen decides for delivery, what is flagged for preservation; both are said."""
    profiles = ("archive-ffv1", "mobile-1080p")
    flagged = replace(HD, field_order="tt", pix_fmt="yuv422p10le", bit_depth=10)
    psf = made(flagged, *profiles, seen_field_order="progressive")
    kept, access = (picture_of(rung) for rung in psf.rungs)
    assert (kept.field_order, access.deinterlace) == ("tt", False)
    assert any("PsF" in decision for decision in psf.decisions)
    hidden = made(HD, *profiles, seen_field_order="bb")
    kept, access = (picture_of(rung) for rung in hidden.rungs)
    assert (kept.field_order, access.deinterlace) == ("progressive", True)
    assert hidden.source_field_order == "bb"
    assert any("flagged as progressive, but interlaced" in text for text in hidden.decisions)


def test_preservation_keeps_everything_as_it_is() -> None:
    """Raster, rate, pixel shape, sampling, colour, bits; no rate control, every frame alone."""
    source = replace(
        HD,
        width=720,
        height=576,
        pix_fmt="yuv411p",
        sample_aspect_ratio=Fraction(16, 15),
        colour=Colour("bt470bg", "smpte170m", "bt470bg", "tv"),
    )
    video = picture_of(made(source, "archive-ffv1").rungs[0])
    assert video == VideoPlan(
        codec="ffv1",
        encoder="ffv1",
        width=720,
        height=576,
        frame_rate=Fraction(25),
        frames=100,
        pix_fmt="yuv411p",
        colour=source.colour,
        conversion="none",
        field_order="progressive",
        sample_aspect_ratio=Fraction(16, 15),
        lossless=True,
        colour_decision=ColourDecision("preserve", "sdr-other", "sdr-other"),
        chroma_location=None,  # not of 4:2:0
    )


@pytest.mark.parametrize(
    ("change", "inspected", "code"),
    [
        ({"pix_fmt": "pal8"}, {}, "unsupported_pix_fmt"),
        ({"rotation_deg": 90}, {}, "rotated"),
        ({"rotation_deg": 180}, {}, "rotated"),
        ({}, {"constant_frame_rate": False}, "variable_frame_rate"),
    ],
)
def test_preservation_refuses_what_it_cannot_keep(
    change: dict[str, object], inspected: dict[str, object], code: str
) -> None:
    """Better no preservation copy than one that is not the master."""
    planned = made(replace(HD, **change), "archive-ffv1", **inspected)  # type: ignore[arg-type]
    assert codes(planned) == {"archive-ffv1": code}


def test_a_raster_that_changes_is_refused_by_every_rung_with_a_picture() -> None:
    """A rung has one raster, and frames are counted on through the change by none."""
    planned = made(
        HD,
        "archive-ffv1",
        "mobile-540p",
        "audio-access-aac",
        audio=(STEREO,),
        constant_raster=False,
    )
    assert names(planned) == ["audio-access-aac"]
    assert codes(planned) == {"archive-ffv1": "raster_changes", "mobile-540p": "raster_changes"}


def test_sound_that_changes_is_refused_by_every_rung_that_takes_it() -> None:
    """Delivery takes the first track, preservation both."""
    both = (STEREO, replace(STEREO, index=2))
    planned = made(HD, "archive-ffv1", "mobile-540p", audio=both, changed_sounds=(1,))
    assert codes(planned) == {"archive-ffv1": "sound_changes"}
    planned = made(HD, "archive-ffv1", "mobile-540p", audio=both, changed_sounds=(0,))
    assert codes(planned) == {"archive-ffv1": "sound_changes", "mobile-540p": "sound_changes"}


def test_a_clock_that_stands_still_is_refused() -> None:
    """A time scale of 0 leaves one picture of a hundred; a slide every ten seconds is no fault."""
    still = {"frames": 1, "frame_rate": Fraction(1, 512), "duration_s": Fraction(512)}
    planned = made(replace(HD, container_frames=100), "mobile-540p", **still)
    assert codes(planned) == {"mobile-540p": "no_frame_rate"}
    slides = {"frames": 6, "frame_rate": Fraction(1, 10), "duration_s": Fraction(60)}
    assert names(made(replace(HD, container_frames=6), "mobile-540p", **slides)) == ["mobile-540p"]


@pytest.mark.parametrize(("form", "count"), [("matroska,webm", 0), ("mpegts", 1)])
def test_a_late_matroska_lacks_nothing(form: str, count: int) -> None:
    """It says when it ends; a transport stream of that length would lack what comes before."""
    late = {"first_picture_s": Fraction(37), "audio_end_s": (Fraction(41),)}
    info, seen = described(HD, (STEREO,), frames=100, duration_s=Fraction(4), **late)
    late_info = replace(info, format_name=form, duration_s=Fraction(41), start_s=Fraction(37))
    decisions = plan(late_info, seen, [profile("mobile-540p")]).decisions
    assert sum("the container claims 41.00 s" in text for text in decisions) == count


def test_errors_of_the_decoder_are_told_of_silent_sources_too() -> None:
    told = "the decoder reported 2 errors: what it could not read is in no rendition"
    assert told in made(HD, "mobile-540p", decoder_errors=2).decisions


@pytest.mark.parametrize(
    ("inspected", "code"),
    [
        ({"audio_holes": (2,)}, "sound_has_holes"),
        ({"audio_drift_s": (Fraction(-6, 1000),)}, "sound_drifts"),
        ({"first_picture_s": Fraction(6, 1000)}, "sound_starts_early"),
    ],
)
def test_preservation_neither_fills_nor_cuts_sound(inspected: dict[str, object], code: str) -> None:
    """A delivery rung does both, and says so."""
    planned = made(HD, "archive-ffv1", "mobile-540p", audio=(STEREO,), **inspected)
    assert codes(planned) == {"archive-ffv1": code}
    assert names(planned) == ["mobile-540p"]


def test_a_varying_rate_is_resampled_to_an_even_one() -> None:
    """Frames by the duration, not by the count; the decision says so."""
    planned = made(HD, "mobile-720p", frames=69, duration_s=Fraction(3), constant_frame_rate=False)
    assert picture_of(planned.rungs[0]).frames == planned.frames == 75
    assert planned.duration_s == 3
    assert "the frame rate varies: resampled to an even 25" in planned.decisions


def test_edits_whose_pictures_ffmpeg_may_misplace_are_told() -> None:
    """Where the count tells that the rate is even, they are put right."""
    source = replace(HD, reordered_edits=6)
    told = "the picture has 6 edits, and not as many pictures as an even rate has in them"
    varying = made(source, "mobile-720p", constant_frame_rate=False)
    assert [told in text for text in varying.decisions].count(True) == 1
    assert told not in "".join(made(source, "mobile-720p").decisions)


def test_sound_from_a_surround_master() -> None:
    """AAC stereo first, by downmix; AC-3 5.1 second, in the 4K rung only."""
    planned = made(UHD, "cn4k-hevc-hlg", "mobile-540p", audio=(replace(SURROUND, language="zho"),))
    first, second = planned.rungs[0].audio
    assert (first.codec, first.channels, first.pan, first.key) == (
        "aac",
        2,
        "downmix",
        "aac_2ch_192k_t0_downmix_24lkfs_0.5lu_2dbtp",
    )
    assert (second.codec, second.channels, second.layout, second.bitrate_bps) == (
        "ac3",
        6,
        "5.1(side)",
        448_000,
    )
    assert second.pan == "source"
    assert {track.language for rung in planned.rungs for track in rung.audio} == {"zho"}
    assert [track.key for track in planned.rungs[1].audio] == [
        "aac_2ch_128k_t0_downmix_24lkfs_0.5lu_1dbtp"
    ]


@pytest.mark.parametrize(
    ("audio", "channels", "tracks", "pan"),
    [
        ((STEREO,), 2, (0,), "source"),
        ((MONO,), 1, (0,), "source"),
        ((MONO, MONO), 2, (0, 1), "join"),
        ((MONO,) * 4, 2, (0, 1), "join"),
        ((MONO,) * 6, 2, (0, 1, 2, 3, 4, 5), "downmix"),
        ((MONO,) * 7, 2, (0, 1), "join"),
        ((MONO,) * 8, 2, (6, 7), "join"),
        ((MONO,) * 16, 2, (6, 7), "join"),
        ((replace(MONO, language="zho"), MONO), 2, (0, 1), "join"),
        ((MONO, replace(MONO, language="zho")), 2, (0, 1), "join"),
        ((replace(MONO, language="zho"), MONO, STEREO), 2, (0, 1), "join"),
        ((replace(MONO, language="zho"), *(MONO,) * 7), 2, (6, 7), "join"),
        ((*(MONO,) * 7, replace(MONO, language="zho")), 2, (6, 7), "join"),
        ((MONO,) * 4 + (replace(MONO, language="eng"),) * 4, 2, (0, 1), "join"),
        ((MONO, STEREO), 1, (0,), "source"),
        ((replace(MONO, language="zho"), replace(MONO, language="eng")), 1, (0,), "source"),
        ((replace(STEREO, channels=8, layout="7.1"),), 2, (0,), "downmix"),
        ((STEREO, SURROUND), 2, (0,), "source"),
    ],
)
def test_the_stereo_of_a_delivery_rung(
    audio: tuple[AudioTrack, ...], channels: int, tracks: tuple[int, ...], pan: str
) -> None:
    """Mono stays mono, two mono tracks are a pair, more channels are mixed down."""
    (track,) = made(HD, "mobile-540p", audio=audio).rungs[0].audio
    assert (track.channels, track.tracks, track.pan) == (channels, tracks, pan)
    assert track.bitrate_bps == (64_000 if channels == 1 else 128_000)


@pytest.mark.parametrize(
    ("codec", "container", "rate_hz", "planned_hz"),
    [
        ("aac", "mp4", 192_000, 48_000),
        ("aac", "mp4", 96_000, 96_000),
        ("flac", "mp4", 192_000, 192_000),
        ("pcm", "mov", 96_000, 96_000),
        ("pcm", "mxf", 96_000, 48_000),
    ],
)
def test_a_rate_that_a_file_cannot_have_is_not_promised(
    codec: AudioCodec, container: Container, rate_hz: int, planned_hz: int
) -> None:
    """Of a profile that names none; it was found when the rendition was read back."""
    base = profile("mezz4k-xavc300" if container == "mxf" else "mobile-540p")
    bitrate = 128_000 if codec == "aac" else None
    for channels in (2, None) if codec == "pcm" else (2,):
        wanted = AudioProfile(codec, channels=channels, bitrate_bps=bitrate)
        own = replace(base, name="own-x", container=container, audio=(wanted,), packaged=False)
        picture = UHD if container == "mxf" else HD
        info, seen = described(picture, (replace(STEREO, sample_rate_hz=rate_hz),))
        (rung,) = plan(info, seen, [own]).rungs
        assert rung.audio[0].sample_rate_hz == planned_hz


def test_the_order_of_sounds_is_told_of_those_that_are_in_it() -> None:
    """AC-3 alone, in stereo, was said to be 5.1 and the second."""
    told = "AAC stereo is the first track, AC-3 5.1 the second: every player decodes AAC"
    assert told in made(UHD, "cn4k-hevc-hlg", audio=(SURROUND,)).decisions
    base = profile("mobile-540p")
    for channels in (2, 6):
        wanted = AudioProfile("ac3", channels=channels, bitrate_bps=192_000)
        own = replace(base, name="own-x", audio=(wanted,), packaged=False)
        made_plan = plan(*described(HD, (SURROUND,)), [own])
        assert [rung.audio[0].channels for rung in made_plan.rungs] == [channels]
        assert not [one for one in made_plan.decisions if "AC-3 5.1" in one]


def test_a_tag_on_one_of_two_mono_tracks_is_that_of_their_stereo() -> None:
    """Whichever has it."""
    for audio in ((replace(MONO, language="zho"), MONO), (MONO, replace(MONO, language="zho"))):
        (track,) = made(HD, "mobile-540p", audio=audio).rungs[0].audio
        assert track.language == "zho"


def heard(*levels: float | None) -> tuple[Loudness, ...]:
    """`None` is silence."""
    return tuple(Loudness(at, level, None, level) for at, level in enumerate(levels))


@pytest.mark.parametrize(
    ("loudness", "stereo", "surround"),
    [
        (heard(*[-24.0] * 8), (6, 7), (0, 1, 2, 3, 4, 5)),
        (heard(-24, None, -24, None, None, None, -24, None), (6, 7), (0, 1, 2, 3, 4, 5)),
        (heard(*[-24.0] * 6, None, None), (0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 5)),
        (heard(-24, -24, *[None] * 6), (0, 1), ()),
        (heard(-24, -24, *[-65.0] * 6), (0, 1), ()),
        (heard(-62, -62, *[-65.0] * 6), (6, 7), (0, 1, 2, 3, 4, 5)),
    ],
)
def test_the_table_of_eight_mono_tracks(
    loudness: tuple[Loudness, ...], stereo: tuple[int, ...], surround: tuple[int, ...]
) -> None:
    """1-6 are 5.1 and 7-8 stereo; silent ones are not taken for a mix, nor the hiss of a line."""
    planned = made(UHD, "cn4k-hevc-hlg", audio=(MONO,) * 8, loudness=loudness)
    first, *others = planned.rungs[0].audio
    assert first.tracks == stereo
    assert first.pan == ("downmix" if len(stereo) == 6 else "join")
    assert [(one.tracks, one.pan, one.channels) for one in others] == (
        [(surround, "join", 6)] if surround else []
    )


def test_labels_are_believed_before_the_table() -> None:
    """QuickTime names the loudspeaker of a mono track; here the stereo mix comes first."""
    order = ("DL", "DR", "FC", "LFE", "FL", "FR", "BL", "BR")
    audio = tuple(replace(MONO, layout=f"1 channels ({name})") for name in order)
    first, second = made(UHD, "cn4k-hevc-hlg", audio=audio).rungs[0].audio
    assert (first.tracks, second.tracks) == ((0, 1), (4, 5, 2, 3, 6, 7))
    without = audio[2:]
    first, second = made(UHD, "cn4k-hevc-hlg", audio=without).rungs[0].audio
    assert (first.pan, first.tracks, second.tracks) == ("downmix",) + ((2, 3, 0, 1, 4, 5),) * 2


def test_five_one_may_stand_in_a_later_track() -> None:
    """Stereo first, 5.1 second, as many masters have them; not one in another language."""
    planned = made(UHD, "cn4k-hevc-hlg", audio=(STEREO, SURROUND))
    assert [(one.tracks, one.pan) for one in planned.rungs[0].audio] == [
        ((0,), "source"),
        ((1,), "source"),
    ]
    foreign = replace(SURROUND, language="eng")
    planned = made(UHD, "cn4k-hevc-hlg", audio=(STEREO, foreign))
    assert [one.tracks for one in planned.rungs[0].audio] == [(0,)]


def behind_five_one(
    other: AudioTrack, *, lkfs: float | None = -26.0, late_s: int = 0, measured: int = 1
) -> Plan:
    """A 5.1 of 100 s whose downmix has -24 LKFS, and another track behind it."""
    return made(
        UHD,
        "cn4k-hevc-hlg",
        audio=(SURROUND, other),
        loudness=heard(-23.0, lkfs),
        mixes=(MixLoudness((0,), "downmix", -24.0, -4.0),) * measured,
        audio_start_s=(Fraction(0), Fraction(late_s)),
        audio_end_s=(Fraction(100), Fraction(100)),
        frames=5000,
        duration_s=Fraction(100),
    )


def test_a_stereo_mix_behind_the_five_one_is_taken_for_stereo() -> None:
    """Somebody mixed it: it is as long as the 5.1, and about as loud as its downmix."""
    planned = behind_five_one(STEREO)
    assert [(one.tracks, one.pan) for one in planned.rungs[0].audio] == [
        ((1,), "source"),
        ((0,), "source"),
    ]
    said = "stereo is sound track 1 as it is, not a downmix of sound track 0"
    assert said in planned.decisions


@pytest.mark.parametrize(
    ("other", "changes"),
    [
        (STEREO, {"lkfs": None}),
        (STEREO, {"lkfs": -28.0}),
        (STEREO, {"late_s": 6}),
        (STEREO, {"measured": 0}),
        (replace(STEREO, language="eng"), {}),
    ],
)
def test_stereo_that_is_no_mix_of_the_five_one_is_not_taken(
    other: AudioTrack, changes: dict[str, Any]
) -> None:
    """Silent, quieter as music and effects are, late, never compared, or in another language."""
    planned = behind_five_one(other, **changes)
    assert [(one.tracks, one.pan) for one in planned.rungs[0].audio] == [
        ((0,), "downmix"),
        ((0,), "source"),
    ]


def test_a_description_or_a_commentary_is_not_taken_for_the_programme() -> None:
    """While there is another track; the plan says which one was passed over."""
    described_for = replace(STEREO, beside="for the visually impaired")
    planned = made(UHD, "mobile-540p", audio=(described_for, STEREO))
    assert [one.tracks for one in planned.rungs[0].audio] == [(1,)]
    said = "sound track 0 is for the visually impaired: it is passed over"
    assert said in planned.decisions
    spoken = replace(MONO, beside="a commentary")
    planned = made(UHD, "mobile-540p", audio=(MONO, spoken))
    assert [one.tracks for one in planned.rungs[0].audio] == [(0,)]
    planned = made(UHD, "mobile-540p", audio=(described_for,))
    assert [one.tracks for one in planned.rungs[0].audio] == [(0,)]


@pytest.mark.parametrize("layout", ["5.1.4", "7.1.4", "22.2", "ambisonic 1", "binaural"])
def test_loudspeakers_that_no_mix_has_a_place_for_are_not_mixed(layout: str) -> None:
    """Nor measured as a mix: another track is taken, or the rung refused and the master kept."""
    above = replace(STEREO, codec="flac", channels=4, layout=layout, bit_depth=24)
    assert not default_mixes((above,))
    planned = made(UHD, "cn4k-hevc-hlg", audio=(above, SURROUND))
    assert [(one.tracks, one.pan) for one in planned.rungs[0].audio] == [
        ((1,), "downmix"),
        ((1,), "source"),
    ]
    assert any(one.startswith(f"sound track 0 ({layout}) is not") for one in planned.decisions)
    planned = made(UHD, "cn4k-hevc-hlg", "archive-ffv1", audio=(above,))
    unsaid = {"archive-ffv1": "channels_unsaid"} if layout == "ambisonic 1" else {}
    assert codes(planned) == {"cn4k-hevc-hlg": "no_fitting_sound", **unsaid}
    assert f"the source's ({layout})" in planned.refused[0].reason
    assert len(planned.rungs) == (0 if unsaid else 1)


def test_a_track_of_eight_may_have_five_one_and_its_stereo_mix() -> None:
    """By the names that QuickTime gives its channels; each has a loudness of its own."""
    layout = "8 channels (FL+FR+FC+LFE+BL+BR+DL+DR)"
    eight = replace(STEREO, codec="pcm_s24le", channels=8, layout=layout, bit_depth=24)
    planned = made(UHD, "cn4k-hevc-hlg", audio=(eight,))
    assert [(one.pan, one.channels) for one in planned.rungs[0].audio] == [("pair", 2), ("six", 6)]
    assert {mix.pan for mix in default_mixes((eight,))} == {"pair", "six"}
    said = "stereo from channels 7 and 8 of sound track 0 as they are"
    assert any(said in one for one in planned.decisions)


@pytest.mark.parametrize("names", ["DL+DR", "FL+LFE", "UNK+UNK"])
def test_two_channels_are_two_channels_whatever_they_are_called(names: str) -> None:
    """As a recorder writes them that labels none, or others."""
    two = replace(STEREO, layout=f"2 channels ({names})")
    (track,) = made(UHD, "mobile-540p", audio=(two,)).rungs[0].audio
    assert (track.channels, track.pan) == (2, "pair")


def test_the_archive_is_advised_only_where_it_keeps_the_sound() -> None:
    """FLAC has no word for the channels of a stereo mix, nor for more than eight."""
    for channels, layout, kept in ((4, "5.1.4", True), (4, "4 channels (FL+DL+DR+BC)", False)):
        above = replace(STEREO, channels=channels, layout=layout)
        (refusal,) = made(UHD, "cn4k-avs3-hlg", audio=(above,)).refused
        assert (refusal.code, "'archive-ffv1'" in refusal.reason) == ("no_fitting_sound", kept)


def test_a_profile_with_five_one_alone_refuses_stereo() -> None:
    """Rather than a rendition without sound."""
    planned = made(UHD, "cn4k-avs3-hlg", audio=(STEREO,))
    assert codes(planned) == {"cn4k-avs3-hlg": "no_fitting_sound"}
    assert "in 5.1, which is not made from the source's (stereo)" in planned.refused[0].reason
    assert made(UHD, "cn4k-avs3-hlg", audio=(SURROUND,)).rungs[0].audio
    assert made(UHD, "cn4k-avs3-hlg").rungs[0].audio == ()


def test_a_tighter_tolerance_is_another_encode() -> None:
    """One that was good enough for the wider is not for it."""
    (wide,) = profile("mobile-540p").audio
    assert wide.loudness is not None
    tight = replace(wide, loudness=replace(wide.loudness, tolerance_lu=0.1))
    alone = profile("audio-access-aac")
    info, seen = described(HD, (STEREO,))
    profiles = [replace(alone, name=f"{one}", audio=(one,)) for one in (wide, tight)]
    rungs = plan(info, seen, profiles).rungs
    assert len({track.key for rung in rungs for track in rung.audio}) == len(rungs) == 2


def test_preserving_lossy_sound_above_full_scale_is_said() -> None:
    """FLAC cuts it off as a player does; the same in whole numbers has nothing to be cut off."""
    loud = (Loudness(0, -9.0, 4.0, 1.2),)
    planned = made(UHD, "archive-ffv1", audio=(STEREO,), loudness=loud)
    said = "sound track 0 decodes to peaks of +1.2 dBTP"
    assert any(said in one for one in planned.decisions)
    whole = replace(STEREO, codec="pcm_s24le", bit_depth=24)
    planned = made(UHD, "archive-ffv1", audio=(whole,), loudness=loud)
    assert not any(said in one for one in planned.decisions)


@pytest.mark.parametrize("seen", ["outside", "with data"])
def test_peaks_above_full_scale_are_known_where_the_loudness_is_not(seen: str) -> None:
    """Of a track that lasts longer than the pictures, and of channels 1 and 2 beside data."""
    own = profile("mobile-540p")
    own = replace(own, audio=(AudioProfile("pcm", channels=2),))
    eight = replace(STEREO, codec="pcm_f32le", channels=8, layout="8 channels", bit_depth=32)
    inspected: dict[str, Any] = {
        "outside": {"loudness": heard(1.2), "audio_end_s": (Fraction(6),)},
        "with data": {
            "loudness": heard(None),
            "mixes": (MixLoudness((0,), "pair", -9.0, 1.2),),
            "data_channels": ((6, 7),),
        },
    }[seen]
    info, inspection = described(HD, (eight,), **inspected)
    (track,) = plan(info, inspection, [own]).rungs[0].audio
    assert track.gain_db == -1.3


def test_a_profile_may_name_its_tracks() -> None:
    """Positions in the source; what is not there is refused with the reason."""
    wanted = profile("mobile-540p")
    own = replace(wanted, audio=(replace(wanted.audio[0], tracks=(2, 3)),))
    info, seen = described(HD, (MONO,) * 4)
    (track,) = plan(info, seen, [own]).rungs[0].audio
    assert (track.tracks, track.pan) == ((2, 3), "join")
    info, seen = described(HD, (MONO,) * 2)
    (refusal,) = plan(info, seen, [own]).refused
    assert (refusal.code, "the source has 2" in refusal.reason) == ("no_such_tracks", True)
    info, seen = described(HD, (STEREO,) * 4)
    (refusal,) = plan(info, seen, [own]).refused
    assert "not all of them have one channel" in refusal.reason


def test_sound_that_nothing_decodes_is_not_called_silence() -> None:
    """Audio Vivid (av3a) has no decoder here: it is in no rendition, and the plan says so."""
    info, seen = described(HD)
    info = replace(info, left_out=("sound track 1 (no decoder)",))
    told = plan(info, seen, [profile("mobile-540p")]).decisions
    wanted = "no sound is decoded of sound track 1 (no decoder): no rendition has any"
    assert wanted in told
    assert not any("has no sound" in one for one in told)


def test_channels_are_never_invented() -> None:
    """A stereo source gives the 4K rung no AC-3 5.1."""
    planned = made(UHD, "cn4k-hevc-hlg", audio=(STEREO,))
    assert [track.codec for track in planned.rungs[0].audio] == ["aac"]


@pytest.mark.parametrize("count", [3, 4, 8, 16])
def test_channels_without_loudspeakers_give_their_first_pair(count: int) -> None:
    """Eight languages or stems mixed as 7.1 would be a babble; FLAC keeps what it can hold."""
    track = AudioTrack(1, "pcm_s24le", count, f"{count} channels", 48000, 24)
    plan_made = made(HD, "mobile-540p", audio=(track,))
    assert [(one.pan, one.channels) for one in plan_made.rungs[0].audio] == [("pair", 2)]
    assert any(f"channels 1 and 2 of {count}" in text for text in plan_made.decisions)


@pytest.mark.parametrize("said", [Colour(), BT709])
def test_dolby_vision_without_a_base_layer_is_refused_but_preserved(said: Colour) -> None:
    """Profile 5 is IPT in Dolby's own coding: shown as Y'CbCr it is purple and green."""
    track = replace(HD, colour=said, dolby_vision=True)
    plan_made = made(track, "mobile-540p", "archive-ffv1")
    assert names(plan_made) == ["archive-ffv1"]
    assert codes(plan_made) == {"mobile-540p": "dolby_vision_only"}
    with_base = replace(UHD, dolby_vision=True)
    assert names(made(with_base, "mobile-540p")) == ["mobile-540p"]


def test_rungs_with_the_same_sound_share_its_key() -> None:
    """Four rungs, two encodes."""
    planned = made(UHD, audio=(STEREO,))
    assert {track.key for rung in planned.rungs for track in rung.audio} == {
        "aac_2ch_192k_t0_24lkfs_0.5lu_2dbtp",
        "aac_2ch_128k_t0_24lkfs_0.5lu_1dbtp",
        "aac_2ch_128k_t0",
    }


def test_preservation_keeps_every_track() -> None:
    """Each as FLAC at its own rate, with its channels and bits."""
    tracks = (replace(MONO, bit_depth=24), replace(STEREO, bit_depth=16, sample_rate_hz=96000))
    kept = made(HD, "archive-ffv1", audio=tracks).rungs[0].audio
    assert [(track.channels, track.sample_rate_hz, track.bit_depth) for track in kept] == [
        (1, 48000, 24),
        (2, 96000, 16),
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [({"bit_depth": 32}, "too_many_bits"), ({"channels": 16}, "too_many_channels")],
)
def test_preservation_refuses_sound_that_flac_cannot_hold(
    change: dict[str, object], code: str
) -> None:
    """The source file is then the only true copy."""
    track = replace(STEREO, **change)  # type: ignore[arg-type]
    assert codes(made(HD, "archive-ffv1", audio=(track,))) == {"archive-ffv1": code}


def test_sound_alone_gets_a_listening_copy() -> None:
    """No picture: its profiles are refused, and the programme begins where its sound does."""
    info, seen = described(None, [STEREO])
    late = replace(seen, audio_start_s=(Fraction(3, 10),))
    planned = plan(info, late, [profile("audio-access-aac"), profile("mobile-540p")])
    assert names(planned) == ["audio-access-aac"]
    assert codes(planned) == {"mobile-540p": "no_picture"}
    assert (planned.first_picture_s, planned.chunks) == (Fraction(3, 10), ())


def test_a_shift_between_picture_and_sound_is_said() -> None:
    """In words, before anything runs."""
    planned = made(
        HD,
        "mobile-540p",
        audio=(STEREO, STEREO),
        first_picture_s=Fraction(1),
        audio_start_s=(Fraction(11, 10), Fraction(1, 2)),
    )
    assert "sound track 0 starts 100 ms late: silence comes before it" in planned.decisions
    assert "sound track 1 starts 500 ms early: that much is cut" in planned.decisions


@pytest.mark.parametrize(
    ("profiles", "short", "long"),
    [
        (["mobile-540p"], "silence follows it", "delivery rungs end with the picture"),
        (
            ["mobile-540p", "archive-ffv1"],
            "silence follows it, but in preservation",
            "preservation keeps it, delivery rungs end with the picture",
        ),
    ],
)
def test_sound_that_ends_with_another_end_than_the_picture_is_said(
    profiles: list[str], short: str, long: str
) -> None:
    """Once: silence and cuts change the programme; a codec's last block does not."""
    ends = (Fraction(3), Fraction(5), Fraction(403, 100))
    starts = (Fraction(0),) * 3
    planned = made(HD, *profiles, audio=(STEREO,) * 3, audio_start_s=starts, audio_end_s=ends)
    told = [decision for decision in planned.decisions if " the picture" in decision]
    assert told == [
        f"sound track 0 ends 1000 ms before the picture: {short}",
        f"sound track 1 ends 1000 ms after the picture: {long}",
    ]


def test_what_this_machine_cannot_do_is_refused_with_its_reason() -> None:
    """Capabilities are proven before; the plan only reads them."""
    info, seen = described(HD)
    planned = plan(info, seen, [profile("mobile-540p")], {"mobile-540p": "no libx264 here"})
    assert [(refusal.code, refusal.reason) for refusal in planned.refused] == [
        ("unavailable_here", "no libx264 here")
    ]


def test_a_plan_survives_as_json() -> None:
    """It rests in the catalogue between its making and its running."""
    planned = made(replace(UHD, frame_rate=2 * NTSC), audio=(SURROUND,))
    assert from_json(Plan, to_json(planned)) == planned
