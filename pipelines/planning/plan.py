"""The plan: a recipe resolved for one source. Pure, serialisable, shown before it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from pipelines.colour.chroma_siting import upright_siting
from pipelines.colour.colour_types import StatedColour
from pipelines.encoding.timecode import timecode_decisions
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.chunks import CHUNK_MIN_S, chunks_of, in_one_piece, why_one_chunk
from pipelines.planning.plan_colour import colour_decisions
from pipelines.planning.plan_damage import damage_decisions
from pipelines.planning.plan_fields import field_decisions
from pipelines.planning.plan_full_scale import within_full_scale
from pipelines.planning.plan_geometry import geometry_decisions, rotation_after_fields
from pipelines.planning.plan_loudness import heard_with
from pipelines.planning.plan_picture import Source, plan_picture, understand
from pipelines.planning.plan_preserved import preservation_decisions, refuse_what_would_be_cut
from pipelines.planning.plan_sound import plan_sound, sound_left_out
from pipelines.planning.plan_sound_times import sound_time_decisions, tracks_outside, zero_s
from pipelines.planning.plan_sound_words import sound_decisions
from pipelines.planning.plan_subtitles import plan_subtitles, subtitle_decisions
from pipelines.planning.plan_types import (
    AudioPlan,
    Chunk,
    Findings,
    Plan,
    Refusal,
    Refused,
    Rung,
    VideoPlan,
)
from pipelines.profiles.codecs import ENCODERS
from pipelines.profiles.profile import Profile, Target
from pipelines.quality.quality_target import Targeted, with_targets
from pipelines.rates import least_multiple
from pipelines.sources.containers import may_jump
from pipelines.sources.track_choice import choice_decisions
from pipelines.words import Words

__all__ = [
    "AudioPlan",
    "Chunk",
    "Plan",
    "Refusal",
    "Rung",
    "VideoPlan",
    "plan",
]

# Pictures in a transport stream: of two ffprobe guesses twice their rate, one has no clock.
_LEAST_STREAMED, _GUESSED = 3, frozenset({"h264", "hevc"})

_NO_REASONS: Mapping[str, Words] = MappingProxyType({})
_NOTHING_FOUND = Findings()


def plan(
    info: MediaInfo,
    inspection: Inspection,
    profiles: Sequence[Profile],
    capabilities: Mapping[str, Words] = _NO_REASONS,
    chunk_min_s: float = CHUNK_MIN_S,
    source_colour: StatedColour | None = None,
    findings: Findings = _NOTHING_FOUND,
) -> Plan:
    """Resolve each profile for this source, or refuse it with the reason.

    `capabilities` gives, for a profile that this installation cannot do, the reason. A plan may
    have no rungs at all: the caller then raises `NothingToEncode` with the refusals. Chunks last
    at least `chunk_min_s` seconds; with 0 the whole programme is one. `source_colour` is what a
    person says that the pictures are, whatever their tags say. `findings` are those of
    `pipelines.quality.search`, by which rungs with a quality target get their CRF.
    """
    source = understand(info, inspection, source_colour)
    heard = heard_with(inspection, zero_s(source), source.duration_s)
    made: list[tuple[Profile, Rung]] = []
    refused: list[Refusal] = []
    for profile in profiles:
        try:
            made.append((profile, _rung(profile, source, heard, capabilities)))
        except Refused as refusal:
            refused.append(Refusal(profile.name, refusal.code, refusal.reason))
    twins = _twins(made, source)
    targeted = _with_targets(made, twins, source, findings)
    rungs = _with_common_key_frames(targeted.rungs)
    chunks = _chunks(source, rungs, chunk_min_s)
    resolved = Plan(
        duration_s=source.duration_s,
        frames=source.frames,
        frame_rate=source.frame_rate if source.picture else None,
        constant_frame_rate=inspection.constant_frame_rate,
        first_picture_s=zero_s(source),
        audio_start_s=inspection.audio_start_s,
        video_track=source.picture.index if source.picture else None,
        audio_tracks=tuple(track.index for track in info.audio),
        source_sounds=tuple(track.codec for track in info.audio),
        rungs=rungs,
        refused=(
            *refused,
            *(_twin(rung, twins[rung.profile]) for _, rung in made if rung.profile in twins),
            *targeted.refused,
        ),
        chunks=chunks,
        decisions=(
            *choice_decisions(info),
            *source.decisions,
            *geometry_decisions(source.picture, rungs),
            *damage_decisions(source, rungs),
            *field_decisions(inspection, rungs),
            *colour_decisions(rungs),
            *sound_decisions(info, inspection, rungs),
            *sound_time_decisions(source, rungs),
            *preservation_decisions(info, inspection, rungs),
            *subtitle_decisions(info, inspection, rungs),
            *_key_frame_decisions(targeted.rungs, rungs),
            *targeted.decisions,
        ),
        source_colour=source.colour,
        source_field_order=inspection.scan,
        source_pulldown=inspection.pulldown,
        source_timecode=info.timecode,
        source_whole=source.picture.whole if source.picture else None,
        source_codec=source.picture.codec if source.picture else None,
        source_pix_fmt=source.picture.pix_fmt if source.picture else None,
        source_colour_stated=source.picture is not None and source.picture.colour_stated,
        source_chroma_location=upright_siting(source.picture) if source.picture else None,
        source_rotation_deg=rotation_after_fields(source.picture, inspection),
        start_s=info.start_s,
        programme=info.programme,
        clock_of_tracks=may_jump(info.format_name),
        clock_jumps=inspection.clock_jumps,
        track_gaps=inspection.track_gaps,
        choices=targeted.choices,
        findings=findings,
    )
    resolved = replace(resolved, decisions=(*resolved.decisions, *timecode_decisions(resolved)))
    why = why_one_chunk(info, inspection) or _why_undivided(rungs)
    return in_one_piece(resolved, why) if len(chunks) > 1 and why else resolved


def _why_undivided(rungs: Sequence[Rung]) -> Words | None:
    pictures = [rung.video for rung in rungs if rung.video]
    if any(video.copied for video in pictures):
        return Words("a stream copy is not divided", "直接复制的码流不分块")
    if any(video.pulldown for video in pictures):
        return Words("frames of film are counted from the first", "电影帧须从第一帧数起")
    return None


def _rung(
    profile: Profile, source: Source, heard: Inspection, capabilities: Mapping[str, Words]
) -> Rung:
    """`heard` is what the inspection heard within the picture (see `heard_with`)."""
    if profile.name in capabilities:
        raise Refused("unavailable_here", capabilities[profile.name])
    if source.inspection.clock_jumps and source.inspection.track_gaps:
        raise Refused(
            "clock_in_doubt",
            Words(
                "the file's clock jumps, and a track pauses while others go on: the one cannot be "
                "told from the other: cut the file where its recordings were joined",
                "文件的时钟有跳变，又有一轨在其他轨继续时暂停，二者无法区分：请在录制拼接处切开文件",
            ),
        )
    video = plan_picture(profile, profile.video, source) if profile.video else None
    streamed = profile.container == "ts"
    if video and streamed and video.codec in _GUESSED and video.frames < _LEAST_STREAMED:
        raise Refused(
            "too_short",
            Words(
                f"{video.frames} of the {_LEAST_STREAMED} pictures that a transport stream needs "
                "for its clock and its rate to be read: choose a profile in MP4",
                f"只有 {video.frames} 幅画面，而传输流至少要有 {_LEAST_STREAMED} 幅才能读出时钟与"
                "帧率：请选用 MP4 方案",
            ),
        )
    sounds = plan_sound(profile, source.info, heard, tracks_outside(source))
    audio = tuple(within_full_scale(one, source.info, source.inspection) for one in sounds)
    refuse_what_would_be_cut(audio, source.inspection, zero_s(source))
    if video is None and not audio:
        raise Refused(
            "no_sound",
            Words(
                "the source has no sound: choose a profile with a picture",
                "来源没有声音：请选用带画面的方案",
            ),
        )
    return Rung(
        profile=profile.name,
        profile_version=profile.version,
        container=profile.container,
        video=video,
        audio=audio,
        packaged=profile.packaged,
        mux_rate_bps=profile.mux_rate_bps,
        service_name=profile.service_name,
        subtitles=plan_subtitles(profile, source.info, source.inspection, video),
        sound_left_out=sound_left_out(profile, audio, source.info, source.inspection),
    )


def _twins(made: Sequence[tuple[Profile, Rung]], source: Source) -> dict[str, str]:
    """`inside` rungs that a small source makes equal to one of a smaller box, which stays."""
    best: dict[object, Profile] = {}
    for profile, rung in made:
        look = _look(profile, rung)
        if look not in best or _raster(profile) < _raster(best[look]):
            best[look] = profile
    smaller = {profile.name: best[_look(profile, rung)] for profile, rung in made}
    return {
        profile.name: smaller[profile.name].name
        for profile, rung in made
        if _raster(profile) > _raster(smaller[profile.name]) and _is_as_large(source, rung)
    }


def _look(profile: Profile, rung: Rung) -> object:
    """Equal for rungs of one kind that would show the same picture with the same sound."""
    video = rung.video
    if video is None or profile.video is None or profile.video.fit != "inside":
        return rung.profile
    size = (video.width, video.height, video.frame_rate, video.crop)
    kind = (rung.container, rung.packaged, rung.mux_rate_bps, video.codec, video.codec_profile)
    return (*size, *kind, video.pix_fmt, video.colour, video.burnt_in_timecode, rung.audio)


def _raster(profile: Profile) -> int:
    video = profile.video
    return (video.width or 0) * (video.height or 0) if video else 0


def _is_as_large(source: Source, rung: Rung) -> bool:
    """Whether the box could have held more than the source has."""
    if source.picture is None or rung.video is None:
        return False
    return source.picture.shown_size(rung.video.crop) == (rung.video.width, rung.video.height)


def _twin(rung: Rung, other: str) -> Refusal:
    assert rung.video is not None, "only pictures can be equal"
    width, height = rung.video.width, rung.video.height
    reason = Words(
        f"the source is no larger than {width}x{height}, and {other} already gives that picture",
        f"来源不大于 {width}×{height}，{other} 已给出同样的画面",
    )
    return Refusal(rung.profile, "duplicate_rung", reason)


def _with_targets(
    made: Sequence[tuple[Profile, Rung]],
    twins: Mapping[str, str],
    source: Source,
    findings: Findings,
) -> Targeted:
    """A rung that stands for twins has the highest of their targets."""
    rungs = tuple(rung for profile, rung in made if profile.name not in twins)
    targets: dict[str, Target] = {}
    for profile, _ in made:
        name, target = twins.get(profile.name, profile.name), profile.video and profile.video.target
        if target and (name not in targets or target.value > targets[name].value):
            targets[name] = target
    if source.picture is None:
        return Targeted(rungs, (), (), ())
    picture, inspection = source.picture, source.inspection
    inside = {one.name for one, _ in made if one.video and one.video.fit == "inside"}
    return with_targets(rungs, targets, picture, inspection, findings, optional=inside)


def _with_common_key_frames(rungs: Sequence[Rung]) -> tuple[Rung, ...]:
    """Key frames at the same moments in every rung, so that a player can change between them: in
    those of a package as near as the nearest of theirs.

    A rung that keeps every n-th source frame can only have one where n divides the frame number,
    one of fields also between two frames.
    """
    encoded = [rung.video for rung in rungs if rung.video and not rung.video.lossless]
    step, nearest = least_multiple(video.stride for video in encoded), _nearest_of_package(rungs)
    return tuple(
        replace(rung, video=_with_key_frames(rung.video, step, nearest if rung.packaged else None))
        if rung.video and not rung.video.lossless
        else rung
        for rung in rungs
    )


def _gop_of_source(video: VideoPlan) -> Fraction:
    return video.gop_frames * video.stride


def _nearest_of_package(rungs: Sequence[Rung]) -> Fraction | None:
    """The fewest source frames from key frame to key frame among the rungs that are packaged."""
    packaged = [rung.video for rung in rungs if rung.packaged and rung.video]
    least = (ENCODERS[video.encoder].least_gop * video.stride for video in packaged)
    return max([min(map(_gop_of_source, packaged)), *least]) if packaged else None


def _with_key_frames(video: VideoPlan, step: Fraction, source_frames: Fraction | None) -> VideoPlan:
    wanted = (source_frames or _gop_of_source(video)) / video.stride
    gop = ENCODERS[video.encoder].gop_frames(wanted, step / video.stride)
    return replace(video, gop_frames=gop)


def _key_frame_decisions(asked: Sequence[Rung], rungs: Sequence[Rung]) -> list[Words]:
    """Of rungs that have a key frame before they have asked for one."""
    return [
        Words(
            f"{rung.profile} has a key frame every {rung.video.gop_frames} frames, for "
            f"{before.video.gop_frames} that it asks for: where another rung of its package has "
            "one",
            f"{rung.profile} 每 {rung.video.gop_frames} 帧一个关键帧，而非方案所写的 "
            f"{before.video.gop_frames} 帧：与同一打包中的另一成品对齐",
        )
        for before, rung in zip(asked, rungs, strict=True)
        if before.video and rung.video and rung.video.gop_frames < before.video.gop_frames - 1
    ]


def _chunks(source: Source, rungs: Sequence[Rung], least_s: float) -> tuple[Chunk, ...]:
    if source.picture is None:
        return ()
    encoded = [rung.video for rung in rungs if rung.video and not rung.video.lossless]
    gops = [math.ceil(video.gop_frames * video.stride) for video in encoded]
    return chunks_of(
        source.inspection.shots,
        source.frames,
        least=math.ceil(Fraction(least_s) * source.frame_rate),
        gop=max(gops, default=1),
        step=math.lcm(*(video.rate_divisor for video in encoded)),
    )
