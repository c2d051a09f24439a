"""Jobs and their steps as tables and sheets that people read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Group, RenderableType

from kapok import show
from kapok.language import t
from kapok.listing import Listing
from kapok.show import Record
from kapok.ways_out import reason

# Names of steps as the service gives them, and what they are in Chinese.
_STEPS = (
    (r"verify the upload", "校验上传的文件"),
    (r"inspect the source", "检查源文件"),
    (r"inspect the source again for the light of a PQ rendition", "重新检查源文件：PQ 成品的亮度"),
    (r"inspect the source again for the size of the bars", "重新检查源文件：黑边的大小"),
    (r"plan the renditions", "规划成品"),
    (r"plan the renditions after that", "重新检查后规划成品"),
    (r"encode chunk (\d+) of (\d+)(.*)", r"编码分块 \1/\2\3"),
    (r"encode the sound", "编码声音"),
    (r"encode the subtitles", "编码字幕"),
    (r"join (.+)", r"合并 \1"),
    (r"measure (.+)", r"评测 \1"),
    (r"package for HLS and DASH", "打包为 HLS 与 DASH"),
    (r"publish to (.+)", r"发布到专区 \1"),
)
FOLDED_CHUNKS = 2  # from so many on they are shown as one step
_FOR_MEMORY = re.compile(r"waits for (\S+ GB) of memory")


def jobs(records: Sequence[Record]) -> RenderableType:
    made = show.table(
        None,
        "id",
        t("state", "状态"),
        t("asset", "素材"),
        t("created", "创建时间"),
        t("error", "错误"),
    )
    listed = Listing(made, head=(0, 1))
    for record in records:
        error = (record.get("error") or {}).get("code", "")
        listed.add_row(
            record["id"],
            show.state(record["state"]),
            record["asset_id"] or "–",
            show.moment(record["created_at"]),
            error,
        )
    return listed


def job(record: Record, steps: Sequence[Record]) -> RenderableType:
    error = record.get("error")
    head = show.sheet(
        [
            ("id", record["id"]),
            (t("state", "状态"), show.state(record["state"])),
            (t("asset", "素材"), record["asset_id"]),
            (t("error", "错误"), reason(error) if error else None),
            (t("waits", "等待"), "\n".join(map(waits, record.get("waiting") or [])) or None),
            (t("decisions", "决定"), "\n".join((record.get("plan") or {}).get("decisions") or [])),
        ]
    )
    return Group(head, step_table(steps), show.refusals(record.get("refused") or []))


def last_job(record: Record) -> RenderableType:
    """Of an asset that is not ready: the job that ended so, why, and what to do next."""
    error = record.get("error")
    again = error["retryable"] if error else record["state"] == "cancelled"
    commands = ("show", "retry") if again else ("show",)
    return show.sheet(
        [
            (t("job", "任务"), record["id"]),
            (t("error", "错误"), reason(error) if error else None),
            (t("next", "下一步"), "\n".join(f"kapok job {one} {record['id']}" for one in commands)),
        ]
    )


def waits(waiting: Record) -> str:
    """What stands still, for lack of a worker, and why."""
    count, profiles = waiting["steps"], ", ".join(waiting["profiles"])
    able, able_zh = (f" that can do {profiles}", f"能做 {profiles} 的") if profiles else ("", "")
    return t(
        f"{count} {'step waits' if count == 1 else 'steps wait'} for a worker{able}:"
        f" {waiting['reason']}",
        f"{count} 个步骤在等待{able_zh}工作进程：{waiting['reason']}",
    )


def folded(steps: Sequence[Record]) -> list[Record]:
    """The steps with all chunks as one, but for those that failed: a programme has hundreds."""
    chunks = [step for step in steps if step.get("kind") == "encode"]
    if len(chunks) < FOLDED_CHUNKS:
        return list(steps)
    rest = [step for step in chunks if step["state"] != "failed"]
    shown: list[Record] = []
    for step in steps:
        if step.get("kind") != "encode" or step["state"] == "failed":
            shown.append(step)
        elif step is rest[0]:
            shown.append(_as_one(rest))
    return shown


def _as_one(chunks: Sequence[Record]) -> Record:
    states = [step["state"] for step in chunks]
    begun = "running" if {"running", "done"} & set(states) else states[0]
    state_of_all = states[0] if len(set(states)) == 1 else begun
    done = states.count("done") + sum(
        (step.get("progress") or {}).get("share") or 0.0
        for step in chunks
        if step["state"] == "running"
    )
    many = t(f"encode {len(chunks)} chunks", f"编码 {len(chunks)} 个分块")
    return {
        "id": "chunks",
        "kind": "encode",
        "name": many,
        "state": state_of_all,
        "attempts": max(step.get("attempts") or 0 for step in chunks),
        "progress": {"share": done / len(chunks), "note": f"{states.count('done')}/{len(chunks)}"},
    }


def step_name(step: Record) -> str:
    """In the reader's language; one that is not known here stays as the service names it."""
    name = str(step["name"])
    chinese = (found.expand(text) for said, text in _STEPS if (found := re.fullmatch(said, name)))
    return t(name, next(chinese, name))


def note(progress: Record) -> str:
    """What a running step says of itself where nobody knows how far it is."""
    said = str(progress.get("note") or "")
    waiting = _FOR_MEMORY.fullmatch(said)
    return t(said, f"等待 {waiting[1]} 内存") if waiting else said


def step_table(steps: Sequence[Record]) -> RenderableType:
    made = show.table(
        None, t("step", "步骤"), t("state", "状态"), t("try", "次数"), t("progress", "进度"),
        t("worker", "工作进程"), t("error", "错误"), right=(2,),
    )  # fmt: skip
    listed = Listing(made, head=(1, 0))
    for step in folded(steps):
        progress = step.get("progress") or {}
        done = progress.get("share")
        far = note(progress) if done is None else f"{done * 100:.0f} %"
        error = step.get("error") or {}
        listed.add_row(
            step_name(step),
            show.state(step["state"]),
            str(step["attempts"]),
            far if step["state"] == "running" else "",
            step.get("worker") or "",
            f"{error.get('code', '')} {error.get('detail', '')}".strip(),
        )
    return listed
