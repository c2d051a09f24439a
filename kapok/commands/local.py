"""`kapok inspect`, `encode`, `measure`: the media logic on files here, with no service."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kapok.command import Output, command, end_on_sigterm, need_folder
from kapok.language import t, told
from pipelines.colour.colour_types import StatedColour

if TYPE_CHECKING:
    from kapok.local_encode import Encoded, RungsFailed, Work

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help=t("Or a folder: images, IMF, MXF OP-Atom.", "或目录：图像序列、IMF、MXF OP-Atom。"),
    ),
]
Rate = Annotated[
    str,
    typer.Option(metavar="FPS", help=t("Of images: 24, 24000/1001…", "图像序列的帧率。")),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="DIR",
        help=t("Keep posters, storyboard and waveform there.", "保存海报、故事板、波形。"),
    ),
]  # fmt: skip
OutputFolder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help=t("Where it goes.", "输出目录。"))
]
Profile = Annotated[
    list[str] | None,
    typer.Option(
        "--profile", metavar="NAME",
        help=t("Or A,B; may be given again.", "或 A,B；可重复指定。"),
    ),
]  # fmt: skip
Ladder = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=t("Or a ladder: `kapok profile ladders`.", "或一个阶梯，见 `kapok profile ladders`。"),
    ),
]
Scores = Annotated[
    bool, typer.Option("--scores/--no-scores", help=t("Measure quality.", "是否测量画质。"))
]
ChunkMin = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="SECONDS", help=t("Least length of a chunk.", "分块的最短时长（秒）。")
    ),
]
SourceColour = Annotated[
    StatedColour | None,
    typer.Option(
        help=t("What the pictures are, whatever their tags say.", "画面的真实色彩，不论标签。")
    ),
]
Programme = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N",
        help=t("Of a transport stream with several.", "TS 含多个节目时选用的节目号。"),
    ),
]  # fmt: skip
SearchShare = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="SHARE",
        help=t(
            "What probing may take of the encode's time.", "为目标画质取样可占转码用时的比例。"
        ),
    ),
]  # fmt: skip
Subtitles = Annotated[
    list[str] | None,
    typer.Option(
        "--subtitles", metavar="LANG:FILE",
        help=t(
            "SubRip, WebVTT, ASS or TTML beside it.", "文件之外的 SubRip、WebVTT、ASS、TTML 字幕。"
        ),
    ),
]  # fmt: skip
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help=t("Replace files that are there already.", "替换已有的同名文件。")
    ),
]
Reference = Annotated[
    Path, typer.Argument(metavar="REF", help=t("The original.", "参考（原片）。"))
]
Distorted = Annotated[
    Path, typer.Argument(metavar="DIST", help=t("What was made of it.", "被测文件。"))
]


def register(app: typer.Typer) -> None:
    command(app, "inspect", t("Measure a file in one decode.", "一次解码检查文件。"))(inspect)
    command(app, "encode", t("Encode a file here, without a service.", "在本机直接转码。"))(encode)
    command(app, "measure", t("Score one file against another.", "以参考文件评测画质。"))(measure)


def inspect(
    out: Output,
    file: File,
    output: Folder = None,
    programme: Programme = None,
    rate: Rate = "",
) -> None:
    from kapok.live import step_progress
    from kapok.local import look
    from kapok.local_show import inspection_sheet
    from kapok.local_source import one_file
    from pipelines.records import to_json

    end_on_sigterm()
    file = file.absolute()  # the tools work in folders of their own
    if output is not None:
        need_folder(output)
        output = output.absolute()
    with scratch_folder() as scratch, step_progress(out) as view:
        one = one_file(file, rate, Path(scratch) / "source", beginner(view))
        view.begin(t("inspecting", "检查"))
        info, found = look(one.path, output or Path(scratch), view, programme)
    record = {"path": str(file), "media": to_json(info, said=told)}
    record["inspection"] = to_json(found, said=told)
    record["said"] = [told(words) for words in one.said]
    out.answer(record, lambda: inspection_sheet(file, info, found, one.said))


def encode(
    out: Output,
    file: File,
    output: OutputFolder,
    profile: Profile = None,
    ladder: Ladder = None,
    *,
    scores: Scores = True,
    chunk_min_s: ChunkMin = None,
    source_colour: SourceColour = None,
    search_share: SearchShare = None,
    programme: Programme = None,
    rate: Rate = "",
    subtitles: Subtitles = None,
    overwrite: Overwrite = False,
) -> None:
    from kapok import local, local_encode
    from kapok.commands.upload import names
    from kapok.live import step_progress
    from kapok.local_plan import Looked, searched_plan
    from kapok.local_source import one_file
    from kapok.local_subtitles import sidecars
    from pipelines.inspection.thumbs import thumbs_in

    end_on_sigterm()
    file, output = file.absolute(), output.absolute()
    wanted = local.chosen([name for word in profile or [] for name in names(word)], ladder)
    need_folder(output)
    output.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".kapok-", dir=output) as folder,
        step_progress(out) as view,
    ):
        scratch = Path(folder)
        beside = sidecars(subtitles or [], scratch / "sidecars")
        begin = beginner(view)
        one = one_file(file, rate, scratch / "source", begin)
        local_encode.refuse_names(one.path, output, wanted, overwrite=overwrite)
        view_of_it = begin(t("inspecting", "检查"))
        images, source = scratch / "inspection", one.path
        info, found = local.look_for(source, images, view_of_it, wanted, source_colour, programme)
        info = replace(info, subtitles=(*info.subtitles, *beside))
        looked_at = Looked(
            *(source, info, found, wanted, chunk_min_s, search_share, source_colour),
            *(one.said, file),
        )
        plan = searched_plan(looked_at, scratch / "search", begin)
        thumbs = thumbs_in(images, found.thumbs)
        work = local_encode.Work(
            source, info, found, plan, thumbs, output, scratch, begin, scores, overwrite
        )
        work = local_encode.with_parts_that_decode(work)
        made, failure = _finished(work)
    _answer_encoded(out, file, work, made, failure)
    if failure is not None:
        raise failure


def _finished(work: Work) -> tuple[list[Encoded], RungsFailed | None]:
    """What a failing rung must not hide: the finished ones, and then the error."""
    from kapok import local_encode

    made: list[Encoded] = []
    try:
        made.extend(local_encode.encode(work))
    except local_encode.RungsFailed as failure:
        return made, failure
    return made, None


def _answer_encoded(
    out: Output, file: Path, work: Work, made: Sequence[Encoded], failure: RungsFailed | None
) -> None:
    from kapok.local_show import encoded_table
    from pipelines.records import to_json

    plan = work.plan
    refused = [to_json(refusal, said=told) for refusal in plan.refused]
    renditions = [encoded.record() for encoded in made]
    failed = [to_json(rung) for rung in failure.failed] if failure else []
    decisions = [told(decision) for decision in plan.decisions]
    record = {
        "path": str(file),
        "renditions": renditions,
        "failed": failed,
        "refused": refused,
        "decisions": decisions,
    }
    found = [told(finding) for finding in work.inspection.findings]
    out.answer(record, lambda: encoded_table(renditions, failed, refused, found, decisions))


def measure(out: Output, reference: Reference, distorted: Distorted) -> None:
    from kapok.live import step_progress
    from kapok.local_compare import compare
    from kapok.local_show import score_table
    from pipelines.records import to_json

    end_on_sigterm()
    reference, distorted = reference.absolute(), distorted.absolute()
    with scratch_folder() as folder, step_progress(out) as view:
        scores = compare(reference, distorted, Path(folder), beginner(view))
    record = {
        "reference": str(reference),
        "distorted": str(distorted),
        "measurements": [to_json(score) for score in scores.measurements],
        "command": list(scores.command),
    }
    out.answer(record, lambda: score_table(scores.measurements))


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """In `KAPOK_SCRATCH`, where it is set: a whole package may be put together there."""
    place = os.environ.get("KAPOK_SCRATCH") or None
    if place is not None:
        Path(place).mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="kapok-", dir=place)


def beginner(view: Any) -> Callable[[str], Any]:
    """Starts the next stage on the view and hands it back as the place for its progress."""

    def begin(title: str) -> Any:
        view.begin(title)
        return view

    return begin
