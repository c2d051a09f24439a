"""The commands of `kapok`. They stand in `kapok/commands/`, one module a noun."""

from __future__ import annotations

import importlib.metadata
from typing import Annotated

import typer

from kapok.command import Group, LanguageOption, use_language
from kapok.commands import (
    admin,
    assets,
    demo,
    doctor,
    jobs,
    local,
    plan,
    profiles,
    publications,
    serve,
    upload,
    wrap,
)
from kapok.language import language, t

app = typer.Typer(
    name="kapok",
    cls=Group,
    help=t(
        "Kapok (木棉): 4K/8K media from upload to a published asset that a centre pulls.",
        "木棉 Kapok：4K/8K 媒资，从上传、处理到发布，再到各级中心拉取。",
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # In a narrow window rich ends Chinese, which has no spaces, with an ellipsis.
    rich_markup_mode=None if language() == "zh" else "rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(importlib.metadata.version("kapok"))
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version",
        help=t("Print the version.", "打印版本号。"),
        is_eager=True,
        callback=print_version,
    ),
]


@app.callback()
def root(lang: LanguageOption = "", *, version: Version = False) -> None:  # noqa: ARG001 - eager
    # kapok.language has read it before the parser, so that the help itself is in it.
    use_language(lang)


for module in (
    serve,
    demo,
    doctor,
    upload,
    wrap,
    assets,
    jobs,
    publications,
    profiles,
    local,
    plan,
    admin,
):
    module.register(app)
