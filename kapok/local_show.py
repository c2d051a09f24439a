"""What the local commands answer, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType

from kapok import show
from kapok.language import t, told
from kapok.names import readable
from kapok.show_colour import colour_table
from kapok.units import duration, frame_rate, loudness, size
from pipelines.facts import Measurement
from pipelines.media import Inspection, MediaInfo, SubtitleTrack
from pipelines.sources.track_choice import choice_decisions
from pipelines.words import Words


def inspection_sheet(
    path: Path, info: MediaInfo, found: Inspection, said: Sequence[Words] = ()
) -> RenderableType:
    rows: list[tuple[str, RenderableType | None]] = [
        (t("file", "文件"), f"{readable(path)}  {size(info.size_bytes)}  {info.format_name}"),
        (t("chosen", "选用"), "\n".join(map(told, (*said, *choice_decisions(info))))),
        (t("picture", "画面"), _picture(info, found)),
        (t("length", "时长"), duration(float(found.duration_s))),
        (t("timecode", "时码"), info.timecode),
        (t("sound", "声音"), "\n".join(_sounds(info))),
        (t("loudness", "响度"), "\n".join(_loudness(found))),
        (t("subtitles", "字幕"), "\n".join(_subtitles(info))),
        (t("captions", "隐藏字幕"), ", ".join(_captions(info, found))),
        (t("shots", "镜头"), str(len(found.shots)) if found.shots else None),
        (t("ancillary data", "辅助数据"), "\n".join(_ancillary(found))),
        (t("left out", "未采用"), "\n".join(map(told, info.left_out))),
        (t("levels", "电平"), _levels(found)),
        (t("black", "黑场"), _spans(found.black)),
        (t("freeze", "静帧"), _spans(found.freeze)),
        (t("findings", "发现"), "\n".join(map(told, found.findings))),
        (t("opened in", "打开方式"), info.sandbox),
    ]
    return show.sheet(rows)


def _picture(info: MediaInfo, found: Inspection) -> str | None:
    track = info.picture
    if track is None:
        return None
    rate = found.frame_rate or track.frame_rate
    scan = "p" if found.field_order == "progressive" else "i"
    colour = {"transfer": track.colour.transfer, "primaries": track.colour.primaries}
    words = [
        track.codec,
        f"{track.width}×{track.height}{scan}{frame_rate(str(rate))}",
        track.pix_fmt,
        show.colour_words(colour),
        t(f"{found.frames} frames", f"{found.frames} 帧"),
    ]
    if not found.constant_frame_rate:
        words.append(t("variable rate", "可变帧率"))
    return "  ".join(words)


def _sounds(info: MediaInfo) -> list[str]:
    return [
        f"{track.codec} {track.channels}ch {track.sample_rate_hz} Hz {track.language or ''}".strip()
        for track in info.audio
    ]


def _subtitles(info: MediaInfo) -> list[str]:
    return [_subtitle(track) for track in info.subtitles]


def _captions(info: MediaInfo, found: Inspection) -> Sequence[str]:
    kinds = (info.picture.captions if info.picture else ()) or found.captions
    return (*kinds, *found.caption_channels)


def _ancillary(found: Inspection) -> list[str]:
    return [", ".join((*track.channels, *map(told, track.holds))) for track in found.ancillary]


def _subtitle(track: SubtitleTrack) -> str:
    words = {
        t("text", "文本") if track.text else t("pictures", "图形"): True,
        t(f"page {track.page}", f"第 {track.page} 页"): track.page is not None,
        track.language or "": track.language is not None,
        t("forced", "强制"): track.forced,
        t("for the hard of hearing", "听障"): track.hearing_impaired,
    }
    return "  ".join([track.codec, *(word for word, holds in words.items() if holds)])


def _loudness(found: Inspection) -> list[str]:
    """By the position of the track; what holds data has none."""
    held = dict(enumerate(found.data_channels))
    return [
        t(f"track {item.track}: ", f"音轨 {item.track}：")
        + (
            t("holds data", "是数据")
            if held.get(item.track)
            else loudness(item.integrated_lkfs, item.true_peak_dbtp)
        )
        for item in found.loudness
    ]


def _levels(found: Inspection) -> str | None:
    levels = found.levels
    if levels is None:
        return None
    outside = levels.out_of_range_share * 100
    return f"Y {levels.luma_min:.0f}–{levels.luma_max:.0f}  " + t(
        f"{outside:.2f} % outside legal range", f"{outside:.2f} % 超出合法范围"
    )


def _spans(spans: Sequence[Any]) -> str | None:
    return ", ".join(f"{span.start_s:.2f}–{span.end_s:.2f} s" for span in spans) or None


def encoded_table(
    renditions: Sequence[Mapping[str, Any]],
    failed: Sequence[Mapping[str, Any]],
    refused: Sequence[Mapping[str, Any]],
    findings: Sequence[str],
    decisions: Sequence[str],
) -> RenderableType:
    """The finished and the failed ones, and what was found of the source and decided.

    What failed, and why, is the error that follows.
    """
    said = show.sheet(
        [
            (t("findings", "发现"), "\n".join(findings)),
            (t("decisions", "决定"), "\n".join(decisions)),
        ]
    )
    made = [
        {
            **item,
            "state": "ready",
            "size_bytes": item["facts"]["size_bytes"],
            "id": item["path"],
        }
        for item in renditions
    ]
    lost = [
        {"profile": item["profile"], "state": "failed", "id": "–"}
        for item in failed
        if not item["kept"]
    ]
    decided = [(item["profile"], item["colour_decision"]) for item in renditions]
    return Group(
        show.renditions([*made, *lost]), colour_table(decided), show.refusals(refused), said
    )


def score_table(scores: Sequence[Measurement]) -> RenderableType:
    made = show.table(
        None, t("metric", "指标"), t("model", "模型"), t("mean", "均值"), t("harmonic", "调和均值"),
        "p5", t("frames", "帧数"), right=(2, 3, 4, 5),
    )  # fmt: skip
    for score in scores:
        made.add_row(
            score.metric,
            score.model or "–",
            _number(score.mean)
            if score.equal is None
            else show.score([{"metric": "framemd5", "equal": score.equal}]),
            _number(score.harmonic_mean),
            _number(score.p5),
            str(score.frames),
        )
    return made


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
