"""What a plan says of a source that is not whole or loses samples, and what becomes of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipelines.media import Inspection, VideoTrack
from pipelines.planning.plan_picture import Source
from pipelines.planning.plan_types import Rung, VideoPlan
from pipelines.sound.sound_clock import HOLE_S
from pipelines.words import Words, zh_of

_CHROMA = {"420": "4:2:0", "422": "4:2:2", "444": "4:4:4", "411": "4:1:1", "440": "4:4:0"}
_GREY = Words("grey", "灰度")
_SHORTER_S = Fraction(1, 2)  # containers round, and some guess from the bit rate
_PACKED = {"nv12": "420", "nv21": "420", "p01": "420", "nv16": "422", "uyvy": "422", "yuyv": "422"}


def damage_decisions(source: Source, rungs: Sequence[Rung]) -> list[Words]:
    """What is missing, made up or made coarser, where the plan has anything of it."""
    pictures = [rung for rung in rungs if rung.video]
    told: list[Words] = []
    if source.picture and pictures:
        told += [*_of_pictures(source, source.picture), *_coarser(source.picture, pictures)]
    if any(rung.audio for rung in rungs):
        told += _of_sound(source.inspection)
    if (errors := source.inspection.decoder_errors) and rungs:
        told.append(
            Words(
                f"the decoder reported {_count(errors, 'error')}: what it could not read is in no "
                "rendition",
                f"解码器报告 {errors} 个错误：无法读取的内容不在任何成品中",
            )
        )
    return told


def _of_pictures(source: Source, picture: VideoTrack) -> Iterator[Words]:
    seen, counted = source.inspection, picture.container_frames
    if counted and seen.frames < counted != 2 * seen.frames:  # fields are counted there too
        yield Words(
            f"the container counts {counted} pictures, {seen.frames} are shown: an edit list hides "
            "the others, or they do not decode",
            f"封装计有 {counted} 幅画面，显示 {seen.frames} 幅：其余被编辑列表隐藏，或无法解码",
        )
    # Matroska says when it ends, others how long they last.
    from_zero = "matroska" in source.info.format_name
    start_s = Fraction(0) if from_zero else source.info.start_s
    claimed_s, end_s = source.info.duration_s, _end_s(source) - start_s
    if claimed_s and claimed_s - end_s > _SHORTER_S:
        yield Words(
            f"the container claims {float(claimed_s):.2f} s, picture and sound end after "
            f"{float(end_s):.2f} s: the rest is missing or does not decode",
            f"封装声称 {float(claimed_s):.2f} s，画面与声音在 {float(end_s):.2f} s 处结束：其余缺失"
            "或无法解码",
        )
    if not seen.constant_frame_rate:
        yield Words(
            f"{seen.frames} pictures become {source.frames} frames: a gap shows the picture before "
            "it again, and of what comes too fast some are left out",
            f"{seen.frames} 幅画面变为 {source.frames} 帧：缺口处重复前一幅画面，过密处略去若干幅",
        )
    if picture.reordered_edits and not seen.constant_frame_rate:
        yield Words(
            f"the picture has {picture.reordered_edits} edits, and not as many pictures as an even "
            "rate has in them: after an edit pictures may be up to three frames off",
            f"画面有 {picture.reordered_edits} 段编辑，其中的画面数与固定帧率不符：每段编辑之后的"
            "画面可能偏离至多三帧",
        )
    if seen.held_s:
        yield Words(
            f"the last picture stays for {float(seen.held_s):.2f} s, as the container says: its "
            "frames repeat it up to there",
            f"封装写明最后一幅画面停留 {float(seen.held_s):.2f} s：重复它直到那时",
        )
    if seen.damaged_pictures:
        yield Words(
            f"{_count(seen.damaged_pictures, 'picture')} cannot be decoded whole: renditions show "
            "what the decoder makes of them",
            f"{seen.damaged_pictures} 幅画面不能完整解码：成品显示解码器补出来的画面",
        )


def _end_s(source: Source) -> Fraction:
    """Of picture and sound, on the file's own clock."""
    seen = source.inspection
    return max([seen.first_picture_s + source.duration_s, *seen.audio_end_s])


def _of_sound(seen: Inspection) -> Iterator[Words]:
    for position, holes in enumerate(seen.audio_holes):
        if holes:
            yield Words(
                f"the time stamps of sound track {position} jump {_count(holes, 'time')}: silence "
                "fills what is missing, and what overlaps is cut",
                f"音轨 {position} 的时间戳跳变 {holes} 次：缺少的以静音填补，重叠的切除",
            )
    for position, slips in enumerate(seen.audio_slips):
        if slips:
            drift_s = seen.audio_drift_s[position]
            off, each = f"{abs(float(drift_s)) * 1000:.0f} ms", f"{float(HOLE_S) * 1000:.0f} ms"
            way, zh = ("silence is put in", "补入静音") if drift_s > 0 else ("some is cut", "切去")
            yield Words(
                f"the time stamps of sound track {position} run {off} away from its samples: {way} "
                f"{_count(slips, 'time')}, about {each} each, so that it stays with the picture",
                f"音轨 {position} 的时间戳与采样相差至 {off}：{zh} {slips} 次，每次约 {each}，"
                "使其不离开画面",
            )


@dataclass(frozen=True, slots=True)
class _Samples:
    chroma: str
    bits: int

    @property
    def told(self) -> Words:
        return Words(f"{self.chroma} at {self.bits} bits", f"{zh_of(self.chroma)} {self.bits} 位")


def _coarser(picture: VideoTrack, rungs: Sequence[Rung]) -> Iterator[Words]:
    """Which rungs have fewer colour samples or bits than the source."""
    theirs = _Samples(_chroma(picture.pix_fmt), picture.bit_depth)
    by_kind: dict[_Samples, list[str]] = {}
    for rung in rungs:
        assert rung.video is not None, "only pictures have samples"
        if not rung.video.lossless:
            by_kind.setdefault(_samples(rung.video), []).append(rung.profile)
    for ours, profiles in by_kind.items():
        if ours.chroma != theirs.chroma or ours.bits < theirs.bits:
            yield Words(
                f"{', '.join(profiles)}: {theirs.told} becomes {ours.told}",
                f"{'、'.join(profiles)}：{theirs.told.zh}变为 {ours.told.zh}",
            )


def _samples(video: VideoPlan) -> _Samples:
    deep = re.fullmatch(r".*p(\d+)[lb]e", video.pix_fmt)
    return _Samples(_chroma(video.pix_fmt), int(deep[1]) if deep else 8)


def _chroma(pix_fmt: str) -> str:
    packed = next((kind for name, kind in _PACKED.items() if pix_fmt.startswith(name)), "")
    coded = re.match(r"yuv[aj]?(\d{3})", pix_fmt)
    kind = coded[1] if coded else packed
    return _CHROMA.get(kind, _GREY if pix_fmt.startswith("gray") else "RGB")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
