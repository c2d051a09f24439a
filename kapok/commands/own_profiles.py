"""`kapok profile available`, `add` and `withdraw`: the profiles of a running service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kapok.command import Output, online
from kapok.language import t

if TYPE_CHECKING:
    from kapok.client import Client


def register(profile: typer.Typer) -> None:
    about = t("What the service can make, and why not the rest.", "服务能做的方案，及其余的原因。")
    online(profile, "available", about)(available)
    online(profile, "add", t("Add one of your own (admin).", "添加自己的方案（管理员）。"))(add)
    online(profile, "withdraw", t("Withdraw one of your own.", "撤回自己的方案。"))(withdraw)


def available(out: Output, client: Client) -> None:
    from kapok import show

    found = client.profiles()
    out.answer({"data": found}, lambda: show.sheet([_row(one) for one in found]))


def add(
    out: Output,
    client: Client,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=t("TOML.", "TOML 文件。"))],
) -> None:
    from kapok import show
    from kapok.local import need_file
    from pipelines.profiles.profile import read_profile

    need_file(file)
    text = file.read_bytes()
    read_profile(text)  # every fault is told here, before anything is sent
    record = client.add_profile(text.decode())
    out.answer(record, lambda: show.profile(record))


def withdraw(
    out: Output, client: Client, name: Annotated[str, typer.Argument(metavar="PROFILE")]
) -> None:
    from kapok import show

    client.withdraw_profile(name)
    rows = [(name, t("withdrawn; planned jobs go on", "已撤回；已规划的任务继续"))]
    out.answer({"name": name, "withdrawn": True}, lambda: show.sheet(rows))


def _row(record: dict[str, Any]) -> tuple[str, str]:
    found = record["availability"]
    workers = found["workers"]
    words = {
        "available": t(
            f"available on {workers} {'worker' if workers == 1 else 'workers'}",
            f"可用，{workers} 个工作进程",
        ),
        "unproven": t("not proven yet", "尚未验证"),
        "unavailable": t(f"unavailable: {found['reason']}", f"不可用：{found['reason']}"),
    }
    own = t(", your own", "，自有") if record["own"] else ""
    return f"{record['name']} v{record['version']}", words[found["state"]] + own
