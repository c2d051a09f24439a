"""The plan of a file on this machine: qualities that were searched for, and what it takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from kapok import show
from kapok.language import t, told
from kapok.local import Show, follow, make_plan, most_bytes, usable_cores
from kapok.names import readable
from kapok.units import bitrate, duration, frame_rate, size
from pipelines.colour.colour_types import StatedColour
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.plan_types import SEARCH_SHARE, Choice, Findings, Plan, Rung, VideoPlan
from pipelines.words import Words

if TYPE_CHECKING:
    from pipelines.planning.prediction import Prediction, RungPrediction


@dataclass(frozen=True, slots=True)
class Looked:
    """A file that was inspected, and what is asked for.

    `said` tells how it came to be of what was `named` (see `kapok.local_source`).
    """

    path: Path
    info: MediaInfo
    inspection: Inspection
    wanted: Sequence[str] | str | None
    chunk_min_s: float | None
    search_share: float | None
    source_colour: StatedColour | None = None
    said: tuple[Words, ...] = ()
    named: Path | None = None

    @property
    def share(self) -> float:
        """Of the encode's time, for the search."""
        return SEARCH_SHARE if self.search_share is None else self.search_share

    def plan(self, findings: Findings | None = None) -> Plan:
        made = make_plan(
            self.info,
            self.inspection,
            self.wanted,
            self.chunk_min_s,
            self.source_colour,
            findings,
            self.share,
        )
        return replace(made, decisions=(*self.said, *made.decisions))


def searched_plan(looked: Looked, scratch: Path, begin: Callable[[str], Show]) -> Plan:
    """With what was probed for the targets; it is not sought twice for the same bytes."""
    first = looked.plan()
    if not first.choices:
        return first
    return looked.plan(_found(looked, first, scratch, begin))


def _found(looked: Looked, first: Plan, scratch: Path, begin: Callable[[str], Show]) -> Findings:
    from pipelines.encoding.cut import LocalFile
    from pipelines.quality.sampling import Means
    from pipelines.quality.search import key_of, search
    from pipelines.records import from_json
    from pipelines.running.cache_files import is_kept, kept_file

    view = begin(t("probing for the target quality", "为目标画质取样试编"))
    name = _kept_name(looked.path, key_of(first, looked.share))
    if is_kept(name):
        return from_json(Findings, json.loads(kept_file(name, bytes).read_text("utf-8")))
    source, means = LocalFile(looked.path), Means(looked.share, most_bytes(), usable_cores())
    searching = search(source, first, looked.info, looked.inspection, scratch, means)
    found = follow(searching, view)
    if found.probes:
        keep(looked, found)
    return found


def keep(looked: Looked, found: Findings) -> None:
    """For the next time that these bytes are planned here."""
    from pipelines.records import to_json
    from pipelines.running.cache_files import kept_file

    name = _kept_name(looked.path, found.key)
    kept_file(name, lambda: json.dumps(to_json(found)).encode())


def _kept_name(path: Path, key: str) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return f"search-{content[:32]}-{key[:32]}.json"


def plan_record(looked: Looked, plan: Plan, prediction: Prediction, cores: int) -> dict[str, Any]:
    from pipelines.records import to_json

    return {
        "path": str(looked.named or looked.path),
        "plan": to_json(plan, said=told),
        "prediction": {**to_json(prediction), "wall_s": round(prediction.cpu_s / cores, 1)},
    }


def plan_sheet(looked: Looked, plan: Plan, prediction: Prediction, cores: int) -> RenderableType:
    wall = duration(prediction.cpu_s / cores)
    rows: list[tuple[str, RenderableType | None]] = [
        (t("file", "文件"), readable(looked.named or looked.path)),
        (t("length", "时长"), duration(float(plan.duration_s))),
        (t("chunks", "分块"), str(len(plan.chunks))),
        (t("renditions", "成品"), t("about ", "约 ") + size(prediction.size_bytes)),
        (t("disk", "磁盘"), t("about ", "约 ") + size(prediction.disk_bytes)),
        (t("memory", "内存"), _memory(prediction)),
        (
            t("time", "用时"),
            t(
                f"about {wall} on {cores} cores ({prediction.cpu_s:.0f} CPU seconds)",
                f"{cores} 核约 {wall}（{prediction.cpu_s:.0f} CPU 秒）",
            ),
        ),
        (t("probed in", "取样用时"), _probed(plan)),
        (t("decisions", "决定"), "\n".join(map(told, plan.decisions))),
    ]
    refused = [{"profile": one.profile, "reason": told(one.reason)} for one in plan.refused]
    return Group(show.sheet(rows), _rungs(plan, prediction), show.refusals(refused))


def _memory(prediction: Prediction) -> str | None:
    if prediction.memory_bytes is None:
        return None
    most = size(prediction.memory_bytes)
    return t(f"about {most} in one process at most", f"单个进程最多约 {most}")


def _probed(plan: Plan) -> str | None:
    found = plan.findings
    if not found.probes:
        return None
    count = len({probe.start_frame for probe in found.probes})
    return t(f"{found.seconds:.1f} s, {count} samples", f"{found.seconds:.1f} 秒，{count} 个样本")


def _rungs(plan: Plan, prediction: Prediction) -> RenderableType:
    made = show.table(
        None, t("profile", "方案"), t("picture", "画面"), "CRF", t("target", "目标"),
        t("expected", "预计"), t("rate", "码率"), t("size", "大小"), t("CPU", "CPU"),
        t("known by", "依据"), right=(2, 5, 6, 7),
    )  # fmt: skip
    chosen = {choice.profile: choice for choice in plan.choices}
    for rung, cost in zip(plan.rungs, prediction.rungs, strict=True):
        made.add_row(*_row(rung, chosen.get(rung.profile), cost, plan))
    return made


def _row(rung: Rung, choice: Choice | None, cost: RungPrediction, plan: Plan) -> list[str]:
    seconds = float(plan.duration_s) or 1.0
    return [
        rung.profile,
        _picture(rung.video) if rung.video else "–",
        f"{rung.video.crf:g}" if rung.video and rung.video.crf is not None else "–",
        f"{choice.target.metric.upper()} {choice.target.value:g}" if choice else "–",
        f"{choice.score:.1f} ± {choice.off_by:.1f}" if choice else "–",
        bitrate(cost.size_bytes * 8 / seconds),
        size(cost.size_bytes),
        "–" if cost.encode_cpu_s is None else f"{cost.encode_cpu_s:.0f} s",
        _basis(choice, cost),
    ]


def _picture(video: VideoPlan) -> str:
    rate = frame_rate(f"{video.frame_rate.numerator}/{video.frame_rate.denominator}")
    return f"{video.codec} {video.width}×{video.height}p{rate}"


def _basis(choice: Choice | None, cost: RungPrediction) -> str:
    words: Mapping[str, str] = {
        "probed": t("probe", "取样"),
        "kin": t("probe of another rung", "其他档取样"),
        "predicted": t("model", "模型"),
        "most": t("at most, by its cap", "上限"),
    }
    capped = t(", capped", "，受上限约束") if choice and choice.capped else ""
    return words[cost.basis] + capped
