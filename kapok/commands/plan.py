"""`kapok plan`: what would be made of a file here, and what it would take, before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from kapok.command import Output, command, end_on_sigterm
from kapok.commands.local import (
    ChunkMin,
    File,
    Ladder,
    Profile,
    Programme,
    Rate,
    SearchShare,
    SourceColour,
    Subtitles,
    beginner,
    scratch_folder,
)
from kapok.language import t


def register(app: typer.Typer) -> None:
    about = t("Show the plan for a file, its size and its time.", "预览文件的规划、大小与用时。")
    command(app, "plan", about)(plan)


def plan(
    out: Output,
    file: File,
    profile: Profile = None,
    ladder: Ladder = None,
    chunk_min_s: ChunkMin = None,
    search_share: SearchShare = None,
    source_colour: SourceColour = None,
    programme: Programme = None,
    rate: Rate = "",
    subtitles: Subtitles = None,
) -> None:
    from kapok.commands.upload import names
    from kapok.live import step_progress
    from kapok.local import chosen, look_for, usable_cores
    from kapok.local_plan import Looked, plan_record, plan_sheet, searched_plan
    from kapok.local_source import one_file
    from kapok.local_subtitles import sidecars
    from pipelines.planning.prediction import predict

    end_on_sigterm()
    file = file.absolute()
    wanted = chosen([name for word in profile or [] for name in names(word)], ladder)
    with scratch_folder() as folder, step_progress(out) as view:
        scratch = Path(folder)
        beside = sidecars(subtitles or [], scratch / "sidecars")
        begin = beginner(view)
        one = one_file(file, rate, scratch / "source", begin)
        show = begin(t("inspecting", "检查"))
        images, source = scratch / "inspection", one.path
        info, found = look_for(source, images, show, wanted, source_colour, programme)
        info = replace(info, subtitles=(*info.subtitles, *beside))
        looked = Looked(
            *(source, info, found, wanted, chunk_min_s, search_share, source_colour),
            *(one.said, file),
        )
        made = searched_plan(looked, scratch / "search", begin)
    cores = usable_cores()
    prediction = predict(made, info, found, cores)
    record = plan_record(looked, made, prediction, cores)
    out.answer(record, lambda: plan_sheet(looked, made, prediction, cores))
