"""`kapok demo`: the main job, from a file to a centre that pulled it, in a few minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kapok.command import Output, command, end_on_sigterm
from kapok.commands.local import ChunkMin, SourceColour
from kapok.errors import FileMissing
from kapok.language import t

DEFAULT_KEEP = Path("kapok-demo")
Input = Annotated[
    Path | None,
    typer.Option("--input", metavar="FILE", help=t("Your own file.", "使用自己的文件。")),
]
Keep = Annotated[
    Path, typer.Option(metavar="DIR", help=t("Where the files stay.", "成品保存目录。"))
]
Profiles = Annotated[
    str | None,
    typer.Option(metavar="A,B", help=t("Renditions to make.", "要生成的方案，逗号分隔。")),
]


def register(app: typer.Typer) -> None:
    about = t(
        "Play the whole way: upload, encode, measure, publish, pull.",
        "完整演示：上传、转码、测量、发布、拉取。",
    )
    command(app, "demo", about)(demo)


def demo(
    out: Output,
    file: Input = None,
    keep: Keep = DEFAULT_KEEP,
    profiles: Profiles = None,
    chunk_min_s: ChunkMin = None,
    source_colour: SourceColour = None,
) -> None:
    from kapok.commands.upload import names
    from kapok.demo import play
    from kapok.demo_screen import Screen, closing

    if file is not None and not file.is_file():
        raise FileMissing(t(f"there is no file {file}", f"文件 {file} 不存在：请检查路径"))
    end_on_sigterm()
    wanted = names(profiles)
    result = play(
        Screen(out),
        keep.absolute(),
        file=file,
        profiles=wanted,
        chunk_min_s=chunk_min_s,
        source_colour=source_colour,
    )
    out.answer(result, lambda: closing(result))
