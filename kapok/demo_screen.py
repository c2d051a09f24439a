"""The demo as a person sees it: stages with real progress, then what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kapok import show
from kapok.command import Output
from kapok.language import t
from kapok.live import JobView, TransferView, job_progress, stderr, transfers
from kapok.units import duration, frame_rate, size


class Stage:
    """One stage that is under way; `done` ends it early where its block goes on."""

    def __init__(self, screen: Screen, title: str) -> None:
        self._screen, self._title = screen, title
        self._began = time.monotonic()
        self._open = True

    def done(self, note: str = "") -> None:
        if self._open:
            self._open = False
            self._screen.ended(self._title, time.monotonic() - self._began, note)


class Screen:
    """Everything on stderr: stdout is for the JSON object or the closing table."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._console = stderr()

    def act(self, title: str, file: Path) -> None:
        text = Text.assemble((f"\n{title}", "bold"), f"  {file.name}  {size(file.stat().st_size)}")
        self._console.print(text)

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        stage = Stage(self, title)
        self._console.print(Text(f"  ▸ {title}", style="dim"))
        yield stage
        stage.done()

    def ended(self, title: str, seconds: float, note: str) -> None:
        text = Text.assemble(("  ✓ ", "green"), title, (f"  {seconds:.1f} s  {note}", "dim"))
        self._console.print(text)

    def transfers(self) -> AbstractContextManager[TransferView]:
        return transfers(self._out, t("    sending", "    上传"))

    def job(self) -> AbstractContextManager[JobView]:
        return job_progress(self._out, t("    whole job", "    总进度"))


def closing(result: Mapping[str, Any]) -> RenderableType:
    """What a person takes home from the demo."""
    acts = [result, result["heritage"]] if "heritage" in result else [result]
    return Group(*(_act(act) for act in acts), _next(result))


def _act(result: Mapping[str, Any]) -> RenderableType:
    rows = [
        (t("came in", "输入"), _source(result)),
        (t("checksum file", "校验文件"), _declared(result)),
        (t("poster", "海报"), _first(result["posters"])),
        (t("storyboard", "故事板"), (result["storyboard"] or {}).get("vtt")),
        ("HLS", result["packages"]["hls"]),
        ("DASH", result["packages"]["dash"]),
        (t("published", "发布"), _published(result)),
        (t("pulled", "中心拉取"), _pulled(result)),
        (t("refused", "未采用"), _refused(result)),
        (t("took", "用时"), duration(result["timings_s"]["total"])),
    ]
    body = Group(_renditions(result), show.sheet(rows))
    return Panel(body, title=Text(result["asset"]["title"]), title_align="left", box=box.ROUNDED)


def _source(result: Mapping[str, Any]) -> RenderableType:
    source = result["source"]
    words = [Path(source["path"]).name]
    if source["width"]:
        rate = frame_rate(source["frame_rate"])
        words += [
            str(source["codec"]),
            f"{source['width']}×{source['height']} @ {rate}",
            str(source["pix_fmt"]),
            show.dynamic_range(source["color_transfer"]),
        ]
    words.append(duration(source["duration_s"]))
    sound = source["audio_tracks"]
    words.append(t(f"{sound} sound tracks" if sound != 1 else "1 sound track", f"{sound} 条声轨"))
    digest = Text(f"SHA-256 {result['asset']['sha256']}", "dim", no_wrap=True, overflow="ellipsis")
    return Group(Text("  ".join(words)), digest)


def _declared(result: Mapping[str, Any]) -> RenderableType | None:
    """What the owner said of the file; an asset exists only when it is so."""
    names = ", ".join(name.upper() for name in result["declared_checksums"])
    return Text(t(f"✓ {names} agrees", f"✓ {names} 一致"), style="green") if names else None


def _renditions(result: Mapping[str, Any]) -> Table:
    made = show.table(
        None, t("rendition", "成品"), t("picture", "画面"), t("codec", "编码"), "Mb/s",
        t("size", "大小"), t("sound, LKFS", "声音、响度"), t("score", "评分"),
        right=(3, 4), whole=(0, 1, 2, 3, 4),
    )  # fmt: skip
    made.padding = (0, 1, 0, 0)
    for item in result["renditions"]:
        kind = show.dynamic_range(item["color_transfer"]) if item["width"] else ""
        made.add_row(
            Text(item["profile"], style="bold"),
            show.raster(item),
            f"{item['codec'] or ''} {kind}".strip(),
            f"{item['bitrate_bps'] / 1e6:.2f}",
            size(item["size_bytes"]),
            "\n".join(show.counted([_sound(track) for track in item["audio"]])) or "–",
            Text(show.score(item["measurements"]), style="green"),
        )
    return made


def _sound(track: Mapping[str, Any]) -> str:
    loudness = track.get("loudness_lkfs")
    measured = "" if loudness is None else f" {loudness:.1f}"
    return f"{track['codec']} {track['channels']}ch{measured}"


def _first(posters: list[Mapping[str, Any]]) -> str | None:
    if not posters:
        return None
    best = posters[0]
    at = t(f"at {best['time_s']:.2f} s", f"取自 {best['time_s']:.2f} 秒")
    return f"{best['path']}  {best['width']}×{best['height']}  {at}"


def _published(result: Mapping[str, Any]) -> str:
    publication = result["publication"]
    zone = t(f"zone {publication['zone']}", f"专区 {publication['zone']}")
    return f"{zone}  {publication['manifest']}"


def _pulled(result: Mapping[str, Any]) -> RenderableType:
    lines = []
    for item in result["pulled"]:
        agrees = t("SHA-256 agrees", "SHA-256 一致") if item["verified"] else t("differs", "不一致")
        style = "green" if item["verified"] else "bold red"
        lines.append(Text.assemble(item["path"], "  ", (f"✓ {agrees}", style)))
    return Group(*lines)


def _refused(result: Mapping[str, Any]) -> str | None:
    lines = [f"{refusal['profile']}: {refusal['reason']}" for refusal in result["refused"]]
    return "\n".join(lines) or None


def _next(result: Mapping[str, Any]) -> RenderableType:
    keep = result["keep"]
    rows = [
        (t("look at the files", "查看文件"), keep),
        (
            t("open the service with these assets", "启动带有这些素材的服务"),
            f"kapok up --data {keep}/kapok-data",
        ),
        (t("a service for files of yours", "为自己的文件启动服务"), "kapok up"),
        (t("send it one", "上传文件"), "kapok upload FILE --wait"),
        (t("what this machine can do", "本机能力"), "kapok doctor"),
    ]
    return Panel(
        show.sheet([(name, Text(text, style="cyan")) for name, text in rows]),
        title=t("next", "下一步"), title_align="left", box=box.ROUNDED,
    )  # fmt: skip
