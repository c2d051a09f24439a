"""Records of the API as tables and sheets that people read."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from kapok.language import t
from kapok.listing import Listing
from kapok.names import visible
from kapok.units import bitrate, duration, frame_rate, loudness, size
from kapok.ways_out import reason

Record = Mapping[str, Any]
STATE_STYLES = {
    "ready": "green", "done": "green", "published": "green", "verified": "green",
    "running": "cyan", "processing": "cyan", "queued": "cyan", "complete": "cyan",
    "waiting": "dim", "planned": "dim", "open": "cyan", "withdrawn": "yellow",
    "cancelling": "yellow", "cancelled": "yellow", "failed": "bold red", "rejected": "bold red",
}  # fmt: skip
STATE_WORDS = {
    "ready": "就绪", "done": "完成", "published": "已发布", "verified": "已校验",
    "running": "运行中", "processing": "处理中", "queued": "排队", "complete": "待校验",
    "waiting": "等待", "planned": "已计划", "open": "上传中", "withdrawn": "已撤回",
    "cancelling": "取消中", "cancelled": "已取消", "failed": "失败", "rejected": "已拒绝",
}  # fmt: skip


class PlainConsole(Console):
    """Shows texts as they are: users write them, so that nothing in them is markup or a command.

    Rich keeps its own cursor movements in control segments; what a text holds is none of them.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """A cell: made visible before it is measured, so that its column fits."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


@functools.cache
def console() -> Console:
    """The answer's place: stdout. Where it is no terminal, lines are as long as they need."""
    out = PlainConsole()
    return out if out.is_terminal else PlainConsole(width=160)


def state(word: str | None) -> Text:
    word = word or "–"
    return Text(t(word, STATE_WORDS.get(word, word)), style=STATE_STYLES.get(word, ""))


def table(
    title: str | None, *columns: str, right: Sequence[int] = (), whole: Sequence[int] = ()
) -> Table:
    """`right` columns are numbers; `whole` ones are never broken over lines."""
    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        made.add_column(
            column,
            justify="right" if place in right else "left",
            overflow="fold",
            no_wrap=place in whole,
        )
    return made


def sheet(rows: Iterable[tuple[str, RenderableType | None]]) -> Table:
    """Names and values side by side; rows without a value are left out."""
    made = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value not in (None, ""):
            made.add_row(name, value)
    return made


def assets(records: Sequence[Record]) -> RenderableType:
    made = table(
        None, "id", t("state", "状态"), t("title", "标题"), t("size", "大小"),
        t("created", "创建时间"), right=(3,),
    )  # fmt: skip
    listed = Listing(made, head=(0, 1))
    for record in records:
        listed.add_row(
            record["id"],
            state(record["state"]),
            record["title"],
            size(record["size_bytes"]),
            moment(record["created_at"]),
        )
    return listed


def asset(record: Record) -> RenderableType:
    return sheet(
        [
            ("id", record["id"]),
            (t("state", "状态"), state(record["state"])),
            (t("title", "标题"), record["title"]),
            (t("file", "文件"), f"{record['file_name']}  {size(record['size_bytes'])}"),
            ("SHA-256", record["sha256"]),
            (t("source", "源"), source_line(record.get("source"))),
            (t("programme", "节目"), _programme(record.get("source") or {})),
            (t("created", "创建时间"), moment(record["created_at"])),
            *((name, _value(value)) for name, value in (record.get("metadata") or {}).items()),
            (
                t("findings", "发现"),
                "\n".join((record.get("inspection") or {}).get("findings") or []),
            ),
        ]
    )


def _value(metadata: object) -> str:
    return "\n".join(map(str, metadata)) if isinstance(metadata, list) else str(metadata)


def _programme(source: Record) -> str | None:
    """Which one is shown of a transport stream with several."""
    if source.get("programme") is None:
        return None
    named = [f"{one['number']} {one['name'] or ''}".strip() for one in source["programmes"]]
    return t(
        f"{source['programme']} of {', '.join(named)}",
        f"{source['programme']}（共有 {'、'.join(named)}）",
    )


def source_line(source: Record | None) -> str | None:
    """One line of what came in: codec, raster, rate, sampling, colour, length, sound."""
    if not source:
        return None
    words = []
    if source.get("width"):
        rate = frame_rate(source["frame_rate"])
        scan = "i" if source.get("field_order") in ("tt", "bb") else "p"
        words = [
            str(source["codec"]),
            f"{source['width']}×{source['height']}{scan}{rate}",
            str(source["pix_fmt"]),
            colour_words(source["colour"]),
        ]
    audio = [f"{track['codec']} {track['channels']}ch" for track in source["audio"]]
    return "  ".join([*words, duration(source["duration_s"]), *counted(audio)])


def counted(words: Sequence[str]) -> list[str]:
    """Equal neighbours once, with their number: eight mono tracks are "8 × pcm_s24le 1ch"."""
    counts = {word: words.count(word) for word in dict.fromkeys(words)}
    return [word if count == 1 else f"{count} × {word}" for word, count in counts.items()]


def colour_words(colour: Record) -> str:
    transfer = str(colour.get("transfer") or "")
    primaries = {"bt2020": "BT.2020", "bt709": "BT.709"}.get(
        str(colour.get("primaries")), str(colour.get("primaries") or t("untagged", "未标注"))
    )
    return f"{dynamic_range(transfer)} {primaries}"


def dynamic_range(transfer: str | None) -> str:
    return {"arib-std-b67": "HLG", "smpte2084": "PQ"}.get(transfer or "", "SDR")


def refusals(refused: Sequence[Record]) -> RenderableType:
    if not refused:
        return Text()
    made = table(t("refused", "未采用的方案"), t("profile", "方案"), t("why", "原因"))
    for refusal in refused:
        made.add_row(refusal["profile"], refusal["reason"])
    return made


def renditions(records: Sequence[Record]) -> RenderableType:
    if not records:
        return Text()
    made = table(
        None, t("profile", "方案"), t("state", "状态"), t("picture", "画面"), t("codec", "编码"),
        t("range", "动态范围"), t("rate", "码率"), t("size", "大小"), t("score", "评分"), "id",
        right=(5, 6),
    )  # fmt: skip
    listed = Listing(made, head=(0, 1, 8))
    for record in records:
        facts = record.get("facts") or {}
        listed.add_row(
            _of_programme(record),
            state(record["state"]),
            raster(facts),
            facts.get("codec") or audio_codecs(facts),
            dynamic_range((facts.get("colour") or {}).get("transfer"))
            if facts.get("width")
            else "",
            bitrate(facts.get("bitrate_bps")),
            size(record.get("size_bytes")),
            score(record.get("measurements") or []),
            record["id"],
        )
    return listed


def read_back(record: Record) -> RenderableType:
    """What a finished rendition itself says, as a second tool read it, or why there is none."""
    facts, error = record.get("facts") or {}, record.get("error")
    frames, length = facts.get("frames"), facts.get("duration_s")
    said = [f"{name} {word}" for name, word in (facts.get("colour") or {}).items() if word]
    return sheet(
        [
            (t("file", "文件"), record["file_name"]),
            ("SHA-256", record["sha256"]),
            (t("length", "时长"), None if length is None else duration(length)),
            (t("frames", "帧数"), None if frames is None else str(frames)),
            (t("pixel format", "像素格式"), facts.get("pix_fmt")),
            (t("colour", "色彩"), ", ".join(said)),
            (t("sound", "声音"), "\n".join(map(_sound_read_back, facts.get("audio") or []))),
            (
                t("subtitles", "字幕"),
                "\n".join(map(_subtitle_read_back, facts.get("subtitles") or [])),
            ),
            (t("captions", "隐藏字幕"), ", ".join(facts.get("captions") or [])),
            (t("timecode", "时码"), facts.get("timecode")),
            (t("error", "错误"), reason(error) if error else None),
        ]
    )


def _sound_read_back(track: Record) -> str:
    heard = loudness(track["loudness_lkfs"], track["true_peak_dbtp"])
    language = f" {track['language']}" if track.get("language") else ""
    rate = f"{track['sample_rate_hz']} Hz"
    return f"{track['codec']} {track['channels']}ch {rate}{language}  {heard}"


def _subtitle_read_back(track: Record) -> str:
    forced = t("forced", "强制") if track["forced"] else ""
    return "  ".join(word for word in (track["codec"], track["language"], forced) if word)


def _of_programme(record: Record) -> str:
    """The profile, and of a stream with several programmes which one it was made of."""
    number = record.get("programme")
    told = "" if number is None else t(f" (programme {number})", f"（节目 {number}）")
    return f"{record['profile']}{told}"


def raster(facts: Record) -> str:
    if not facts.get("width"):
        return "–"
    return f"{facts['width']}×{facts['height']}@{frame_rate(facts['frame_rate'])}"


def audio_codecs(facts: Record) -> str:
    return " + ".join(track["codec"] for track in facts.get("audio") or [])


def score(measurements: Sequence[Record]) -> str:
    """The scores in a few words, a line each: "VMAF 94.1", "XPSNR 41.2 dB"."""
    return "\n".join(_score(measurement) for measurement in measurements) or "–"


def _score(measurement: Record) -> str:
    metric = str(measurement["metric"])
    if metric == "framemd5":
        equal = measurement.get("equal")
        return t("every frame equal", "逐帧一致") if equal else t("frames differ", "帧不一致")
    mean = measurement.get("mean")
    if mean is None:
        return metric.upper()
    form = {"xpsnr": "{:.1f} dB", "ssim": "{:.4f}"}.get(metric, "{:.1f}")
    return f"{metric.upper()} {form.format(mean)}"


def profiles(records: Sequence[Record]) -> RenderableType:
    made = table(
        None, t("profile", "方案"), t("title", "名称"), t("picture", "画面"), t("sound", "声音"),
        t("container", "封装"),
    )  # fmt: skip
    listed = Listing(made, head=(0,))
    for record in records:
        listed.add_row(
            record["name"],
            record[t("title_en", "title_zh")],
            profile_picture(record.get("video")),
            " + ".join(_audio_profile(audio) for audio in record["audio"]) or "–",
            record["container"],
        )
    return listed


def profile_picture(video: Record | None) -> str:
    if not video:
        return "–"
    raster = f"{video['width']}×{video['height']}" if video.get("width") else t("source", "同源")
    kind = (video.get("dynamic_range") or "").upper()
    return " ".join(word for word in (video["codec"], raster, video.get("pix_fmt"), kind) if word)


def _audio_profile(audio: Record) -> str:
    channels = audio.get("channels")
    return f"{audio['codec']} {channels}ch" if channels else str(audio["codec"])


def profile(record: Record) -> RenderableType:
    video = record.get("video") or {}
    rows = [
        (t("profile", "方案"), f"{record['name']} v{record['version']}"),
        (t("title", "名称"), record[t("title_en", "title_zh")]),
        (t("container", "封装"), record["container"]),
        *((name, str(value)) for name, value in video.items() if value not in (None, False)),
        (t("sound", "声音"), " + ".join(_audio_profile(audio) for audio in record["audio"])),
    ]
    basis = table(t("basis", "依据"), "", t("what", "内容"), t("source", "出处"))
    for entry in record["basis"]:
        basis.add_row(f"[{entry['certainty']}]", entry["what"], entry["source"])
    return Group(sheet(rows), basis)


def zones(records: Sequence[Record]) -> RenderableType:
    made = table(
        None,
        t("zone", "专区"),
        t("title", "名称"),
        t("needs one of", "需具备其一"),
        t("centres", "中心"),
    )
    for record in records:
        centres = record.get("centres")
        made.add_row(
            record["name"],
            record["title"],
            ", ".join(record["required_profiles"]) or "–",
            t("all", "全部") if centres is None else ", ".join(centres),
        )
    return made


def publication(record: Record) -> RenderableType:
    made = table(None, t("file", "文件"), t("size", "大小"), "SHA-256", right=(1,))
    files = Listing(made, head=(0, 1))
    for file in record["files"]:
        files.add_row(file["path"], size(file["size_bytes"]), file["sha256"])
    head = sheet(
        [
            ("id", record["id"]),
            (t("zone", "专区"), record["zone"]),
            (t("state", "状态"), state(record["state"])),
            (t("asset", "素材"), record["asset_id"]),
        ]
    )
    return Group(head, files)


def pulled(record: Record) -> RenderableType:
    made = table(None, t("file", "文件"), t("size", "大小"), "SHA-256", "", right=(1,))
    files = Listing(made, head=(0, 1, 3))
    for file in record["files"]:
        files.add_row(
            file["path"], size(file["size_bytes"]), file["sha256"], t("agrees ✓", "一致 ✓")
        )
    rows = [
        (t("withdrawn", "已撤回"), f"{entry['title']} ({entry['publication_id']})")
        for entry in record["withdrawn"]
    ]
    rows += [
        (t("failed", "失败"), f"{entry['title']} ({entry['publication_id']}): {entry['code']}")
        for entry in record["failed"]
    ]
    if not record["files"] and not rows:
        rows.append((t("nothing new", "没有新内容"), t("all was pulled before", "此前均已拉取")))
    rows.append((t("next cursor", "下次游标"), record["cursor"] or "–"))
    return Group(files, sheet(rows)) if record["files"] else sheet(rows)


def keys(records: Sequence[Record]) -> RenderableType:
    made = table(None, "id", t("name", "名称"), t("role", "角色"), t("created", "创建时间"), "")
    listed = Listing(made, head=(0, 1))
    for record in records:
        revoked = t("revoked", "已吊销") if record.get("revoked_at") else ""
        listed.add_row(
            record["id"], record["name"], record["role"], moment(record["created_at"]), revoked
        )
    return listed


def moment(rfc3339: str | None) -> str:
    """An RFC 3339 time without its fractions: "2026-11-23 08:46:05Z"."""
    return (rfc3339 or "")[:19].replace("T", " ") + "Z" if rfc3339 else "–"
