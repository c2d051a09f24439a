"""`kapok upload`: a file in, its asset out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kapok.command import Output, online
from kapok.commands.local import Programme, SourceColour, Subtitles
from kapok.errors import JobFailed, Usage
from kapok.language import t

if TYPE_CHECKING:
    from kapok.client import Client

File = Annotated[Path, typer.Argument(metavar="FILE", help=t("What to send.", "要上传的文件。"))]
Title = Annotated[str, typer.Option(help=t("Default: the file's name.", "默认取文件名。"))]
Profiles = Annotated[
    str | None,
    typer.Option(
        "--profiles", metavar="A,B", help=t("Renditions to make.", "要生成的方案，逗号分隔。")
    ),
]
Ladder = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=t(
            "Or a ladder: cn-uhd-zone, archive, audio…", "或一个阶梯：cn-uhd-zone、archive、audio……"
        ),
    ),
]
Zone = Annotated[
    str, typer.Option(help=t("Publish there when it is done.", "完成后发布到该专区。"))
]
Meta = Annotated[
    list[str] | None, typer.Option("--meta", metavar="NAME=VALUE", help=t("Metadata.", "元数据。"))
]
ChecksumFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=t(
            "The owner's checksum file or manifest; FILE.sha256 and FILE.md5 are found.",
            "提供方的校验文件或清单；同名的 .sha256、.md5 会自动识别。",
        ),
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait", help=t("Follow the job to its end.", "一直跟随任务直到结束。"))
]
Parallel = Annotated[int, typer.Option(min=1, max=16, help=t("Parts at a time.", "并行分片数。"))]
Scores = Annotated[
    bool, typer.Option("--scores/--no-scores", help=t("Score every rendition.", "给每个成品打分。"))
]
Resume = Annotated[
    bool, typer.Option("--resume/--no-resume", help=t("Go on after a break.", "中断后续传。"))
]


def register(app: typer.Typer) -> None:
    about = t(
        "Send a file; run it again after any break and it goes on.",
        "上传文件；任何中断后再次运行即可续传。",
    )
    online(app, "upload", about)(upload)


def upload(
    out: Output,
    client: Client,
    file: File,
    title: Title = "",
    profiles: Profiles = None,
    ladder: Ladder = None,
    zone: Zone = "",
    meta: Meta = None,
    checksum_file: ChecksumFile = None,
    source_colour: SourceColour = None,
    programme: Programme = None,
    subtitles: Subtitles = None,
    *,
    wait: Wait = False,
    scores: Scores = True,
    parallel: Parallel = 4,
    resume: Resume = True,
) -> None:
    from kapok.live import transfers

    with transfers(out, t("sending", "上传")) as view:
        sent = client.upload(
            file,
            title=title or None,
            profiles=names(profiles),
            ladder=ladder,
            zone=zone or None,
            scores=scores,
            source_colour=source_colour,
            programme=programme,
            subtitles=subtitles or (),
            metadata=pairs(meta or []),
            checksum_file=checksum_file,
            parallel=parallel,
            resume=resume,
            on_progress=view,
        )
    if not wait:
        job = client.job(sent.job_id)
        record = {"id": sent.asset_id, "sha256": sent.sha256, "job": job, "renditions": []}
        out.answer(record, lambda: _sent_text(sent.asset_id, sent.job_id))
        return
    follow_job(out, client, sent.job_id, sent.asset_id)


def follow_job(out: Output, client: Client, job_id: str, asset_id: str | None) -> None:
    """Wait for a job and answer with the asset as it then is, also when the job failed.

    The job's id is told before: who is interrupted, or loses the service, finds the job by it.
    """
    from kapok.live import job_progress

    failure: JobFailed | None = None
    out.note(t(f"job {job_id}", f"任务 {job_id}"))
    try:
        with job_progress(out, t("job", "任务")) as view:
            job = client.wait(job_id, on_progress=view)
    except JobFailed as error:
        failure, job = error, dict(error.job)
    except KeyboardInterrupt:
        out.note(_goes_on(job_id))
        raise
    record = asset_record(client, job, asset_id)
    out.answer(record, lambda: _asset_text(record))
    if failure is not None:
        raise failure


def _goes_on(job_id: str) -> str:
    watch, cancel = f"kapok job watch {job_id}", f"kapok job cancel {job_id}"
    return t(
        f"the job goes on: `{watch}` follows it again, `{cancel}` ends it",
        f"任务仍在继续：`{watch}` 可再次跟随，`{cancel}` 可取消",
    )


def asset_record(client: Client, job: dict[str, Any], asset_id: str | None) -> dict[str, Any]:
    """The asset with its job and renditions; before its bytes are proven, its reserved id alone."""
    if job.get("asset_id") is None:
        return {"id": asset_id, "state": job["state"], "job": job, "renditions": []}
    asset = client.asset(job["asset_id"])
    made = [item for item in client.renditions(job["asset_id"]) if item["job_id"] == job["id"]]
    return {**asset, "job": job, "renditions": made}


def _sent_text(asset_id: str, job_id: str) -> Any:
    from kapok import show

    return show.sheet(
        [
            (t("asset", "素材"), asset_id),
            (t("job", "任务"), job_id),
            (t("next", "下一步"), f"kapok job watch {job_id}"),
        ]
    )


def _asset_text(record: dict[str, Any]) -> Any:
    from rich.console import Group

    from kapok import show, show_jobs

    job = record["job"]
    if "title" not in record:
        return show_jobs.job(job, [])
    return Group(
        show.asset(record),
        show.renditions(record["renditions"]),
        show.refusals(job.get("refused") or []),
        show.sheet(
            [(t("decisions", "决定"), f"kapok job show {job['id']}" if job["plan"] else None)]
        ),
    )


def names(text: str | None) -> tuple[str, ...]:
    """Without the option none. An empty one is a script's lost word, and never means all."""
    found = tuple(word.strip() for word in (text or "").split(",") if word.strip())
    if text is not None and not found:
        raise Usage(
            t(
                f"{text!r} names nothing: give a name, or leave the option out",
                f"{text!r} 没有给出名称：请填写名称，或去掉该选项",
            )
        )
    return found


def pairs(words: list[str]) -> dict[str, str | list[str]]:
    """A name that is given more than once has all its values, in their order."""
    split = [word.partition("=") for word in words]
    wrong = [name for name, equals, _ in split if not (name and equals)]
    if wrong:
        raise Usage(
            t(
                f"write --meta as NAME=VALUE, not {wrong[0]!r}",
                f"--meta 应写成 名称=值：{wrong[0]!r}",
            )
        )
    found: dict[str, list[str]] = {}
    for name, _, value in split:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
