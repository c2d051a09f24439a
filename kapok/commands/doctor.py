"""`kapok doctor`: what this machine can really do, and why not the rest."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kapok.command import Output, command
from kapok.errors import FAILED
from kapok.language import t

Quick = Annotated[
    bool, typer.Option("--quick", help=t("Without the tiny encodes.", "不做实际试编码。"))
]
GROUPS = {
    "machine": "机器", "tools": "工具", "sandbox": "沙箱", "servers": "服务器",
    "workers": "工作进程", "disk": "磁盘", "profiles": "方案",
}  # fmt: skip
MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "bold red")}


def register(app: typer.Typer) -> None:
    about = t(
        "Tools, versions, sandbox, servers, and which profiles really work here.",
        "检查工具、版本、沙箱、服务器，以及本机真正可用的方案。",
    )
    command(app, "doctor", about)(doctor)


def doctor(out: Output, *, quick: Quick = False) -> None:
    from kapok.doctor import Finding, examine, record
    from storage.settings import load_settings

    findings: list[Finding] = []
    for finding in examine(load_settings(), prove=not quick):
        if not out.json:
            _print(finding, new_group=not findings or findings[-1].group != finding.group)
        findings.append(finding)
    found = record(findings)
    if out.json:
        out.answer(found, str)
    else:
        _summary(found)
    if not found["ok"]:
        raise typer.Exit(FAILED)


def _print(finding: Any, *, new_group: bool) -> None:
    from rich.text import Text

    from kapok.show import console

    if new_group:
        console().print(f"\n{t(finding.group, GROUPS[finding.group])}", style="bold")
    words = f" {finding.name:<20} {finding.text}"
    console().print(Text.assemble("  ", MARKS[finding.level], words))


def _summary(found: dict[str, Any]) -> None:
    from kapok.show import console

    counts = [f["level"] for f in found["findings"]]
    warnings, errors = counts.count("warning"), counts.count("error")
    text = (
        t(f"{errors} problems, {warnings} limits", f"{errors} 个问题，{warnings} 处受限")
        if errors or warnings
        else t("everything works", "一切正常")
    )
    console().print(f"\n{text}", style="bold green" if found["ok"] else "bold red")
