"""`kapok profile …`: recipes and where their numbers come from. These need no service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kapok.command import Group, Output, command
from kapok.commands import own_profiles
from kapok.errors import USAGE
from kapok.language import t


def register(app: typer.Typer) -> None:
    profile = typer.Typer(
        cls=Group, help=t("Profiles and ladders.", "方案与阶梯。"), no_args_is_help=True
    )
    command(profile, "list", t("Every profile.", "全部方案。"))(list_profiles)
    command(profile, "show", t("One profile and its basis.", "一个方案及其依据。"))(show_profile)
    command(profile, "ladders", t("Every ladder.", "全部阶梯。"))(list_ladders)
    command(profile, "validate", t("Profiles of your own.", "校验自己的方案。"))(validate_profiles)
    own_profiles.register(profile)
    app.add_typer(profile, name="profile")


def list_profiles(out: Output) -> None:
    from kapok import show
    from pipelines.profiles.profile import load_profiles

    found = [_record(profile) for profile in load_profiles().values()]
    out.answer({"data": found}, lambda: show.profiles(found))


def show_profile(out: Output, name: Annotated[str, typer.Argument(metavar="PROFILE")]) -> None:
    from kapok import show
    from pipelines.profiles.profile import profile

    found = _record(profile(name))
    out.answer(found, lambda: show.profile(found))


def list_ladders(out: Output) -> None:
    from kapok import show
    from pipelines.profiles.profile import load_ladders

    found = [_record(ladder) for ladder in load_ladders().values()]
    rows = [
        (ladder["name"], f"{ladder[t('title_en', 'title_zh')]}\n{', '.join(ladder['profiles'])}")
        for ladder in found
    ]
    out.answer({"data": found}, lambda: show.sheet(rows))


def validate_profiles(
    out: Output,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help=t("TOML.", "TOML 文件。"))],
) -> None:
    """Every fault of every file, with the field and what may stand there."""
    from kapok import show

    found = [_validated(path) for path in files]
    good = t("a valid profile", "方案有效")
    rows = [
        (one["path"], text)
        for one in found
        for text in one["faults"] or [f"{good}: {one['profile']} v{one['version']}"]
    ]
    out.answer({"data": found}, lambda: show.sheet(rows))
    if any(one["faults"] for one in found):
        raise typer.Exit(USAGE)


def _validated(path: Path) -> dict[str, Any]:
    from kapok.local import need_file
    from pipelines.errors import InvalidProfile
    from pipelines.profiles.profile import read_profile

    need_file(path)
    record: dict[str, Any] = {"path": str(path), "profile": None, "version": None, "faults": []}
    try:
        made = read_profile(path.read_bytes())
    except InvalidProfile as error:
        return {**record, "faults": list(error.faults or [str(error)])}
    return {**record, "profile": made.name, "version": made.version}


def _record(value: object) -> dict[str, Any]:
    from pipelines.records import to_json

    return to_json(value)
