"""`kapok wrap`: a folder of images, an IMF package or an OP-Atom clip becomes one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kapok.command import Output, command, end_on_sigterm, need_folder
from kapok.commands.local import Rate, beginner
from kapok.errors import Usage
from kapok.language import t, told
from kapok.names import readable

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", help=t("Or FOLDER/*.dpx, or a CPL.", "或 FOLDER/*.dpx、CPL。")
    ),
]
File = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE.mov", help=t("What is made.", "生成的文件。")),
]


def register(app: typer.Typer) -> None:
    about = t(
        "Make one file of a folder: images, an IMF package, an MXF OP-Atom clip.",
        "把一个目录合为一个文件：图像序列、IMF 包、MXF OP-Atom。",
    )
    command(app, "wrap", about)(wrap)


def wrap(out: Output, folder: Folder, output: File, rate: Rate = "") -> None:
    from kapok.live import step_progress
    from kapok.local import follow
    from kapok.local_source import parts_here
    from pipelines.sources.wrap import wrap as wrapping

    end_on_sigterm()
    folder, output = folder.absolute(), output.absolute()
    if output.suffix.lower() != ".mov":
        text = t(
            "what is made is QuickTime: name it FILE.mov", "生成的是 QuickTime：请命名为 FILE.mov"
        )
        raise Usage(text)
    if output.exists():
        text = t(
            f"{readable(output)} is there already: name another file, or remove that one",
            f"{readable(output)} 已存在：请换一个文件名，或先删除它",
        )
        raise Usage(text)
    need_folder(output.parent)
    parts = parts_here(folder, rate)
    output.parent.mkdir(parents=True, exist_ok=True)
    with step_progress(out) as view:
        begin = beginner(view)
        title = t(f"making one file of {parts.name}", f"把 {parts.name} 合为一个文件")
        made = follow(wrapping(parts, output), begin(title))
    record = {
        "path": str(made.path),
        "kind": told(parts.kind),
        "frames": parts.frames,
        "size_bytes": made.path.stat().st_size,
        "hashes": list(made.hashes),
        "left_out": [told(name) for name in parts.left_out],
        "command": list(made.argv),
    }
    out.answer(record, lambda: _sheet(record))


def _sheet(record: dict[str, Any]) -> Any:
    from kapok import show
    from kapok.units import size

    return show.sheet(
        [
            (t("file", "文件"), f"{record['path']}  {size(record['size_bytes'])}"),
            (t("made of", "来源"), record["kind"]),
            (t("left out", "未采用"), "\n".join(record["left_out"])),
            (t("next", "下一步"), f"kapok upload {record['path']}"),
        ]
    )
