"""What the tracks of a file are called, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.words import Words, zh_of

NO_DECODER = Words("no decoder", "无解码器")
# By ffmpeg's names; `beside` is a picture that begins while another one goes on.
_KINDS: Mapping[str, Words] = {
    "video": Words("picture track", "画面轨"),
    "beside": Words("second picture track", "第二路画面轨"),
    "cover": Words("cover image", "封面图"),
    "audio": Words("sound track", "音轨"),
    "subtitle": Words("subtitle track", "字幕轨"),
    "data": Words("data track", "数据轨"),
    "attachment": Words("attachment track", "附件轨"),
}


def track_kind(kind: str) -> Words:
    return _KINDS.get(kind) or Words(f"{kind} track", f"{kind} 轨")


def track_name(kind: str, index: int, said: str = "") -> Words:
    """Its kind and number, and in brackets what else is `said` of it."""
    name = track_kind(kind)
    english, chinese = f"{name} {index}", f"{name.zh} {index}"
    return (
        Words(f"{english} ({said})", f"{chinese}（{zh_of(said)}）")
        if said
        else Words(english, chinese)
    )
