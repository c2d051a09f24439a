"""`kapok profile …`: recipes and where their numbers come from. Needs no service."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kapok.command import Output, command
from kapok.language import t


def register(app: typer.Typer) -> None:
    profile = typer.Typer(help=t("Profiles and ladders.", "方案与阶梯。"), no_args_is_help=True)
    command(profile, "list", t("Every profile.", "全部方案。"))(list_profiles)
    command(profile, "show", t("One profile and its basis.", "一个方案及其依据。"))(show_profile)
    command(profile, "ladders", t("Every ladder.", "全部阶梯。"))(list_ladders)
    app.add_typer(profile, name="profile")


def list_profiles(out: Output) -> None:
    from kapok import show
    from pipelines.profile import load_profiles

    found = [_record(profile) for profile in load_profiles().values()]
    out.answer({"data": found}, lambda: show.profiles(found))


def show_profile(out: Output, name: Annotated[str, typer.Argument(metavar="PROFILE")]) -> None:
    from kapok import show
    from pipelines.profile import profile

    found = _record(profile(name))
    out.answer(found, lambda: show.profile(found))


def list_ladders(out: Output) -> None:
    from kapok import show
    from pipelines.profile import load_ladders

    found = [_record(ladder) for ladder in load_ladders().values()]
    rows = [(ladder["name"], ", ".join(ladder["profiles"])) for ladder in found]
    out.answer({"data": found}, lambda: show.sheet(rows))


def _record(value: object) -> dict[str, Any]:
    from pipelines.records import to_json

    return to_json(value)
