"""`kapok job …`: the plan being executed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kapok.command import Group, Output, online
from kapok.language import t

if TYPE_CHECKING:
    from kapok.client import Client

JobId = Annotated[str, typer.Argument(metavar="JOB", help="job_…")]

State = Annotated[str, typer.Option(help="queued, running, cancelling, done, failed, cancelled")]
Limit = Annotated[int, typer.Option(min=1, help=t("At most so many.", "最多条数。"))]


def register(app: typer.Typer) -> None:
    job = typer.Typer(
        cls=Group, help=t("Jobs and their steps.", "任务与步骤。"), no_args_is_help=True
    )
    online(job, "list", t("Newest first.", "最新在前。"))(list_jobs)
    online(
        job,
        "show",
        t("State, decisions, steps, refused profiles.", "状态、决定、步骤与未采用的方案。"),
    )(show_job)
    online(job, "watch", t("Follow a job to its end.", "跟随任务直到结束。"))(watch)
    online(job, "cancel", t("Stop it; its tools are dead within 2 s.", "取消任务。"))(cancel)
    online(job, "retry", t("Run again only what failed.", "只重跑失败的步骤。"))(retry)
    online(job, "log", t("Commands and last log lines of steps.", "各步骤的命令与日志末尾。"))(log)
    app.add_typer(job, name="job")


def list_jobs(
    out: Output,
    client: Client,
    asset: Annotated[str, typer.Option(metavar="ASSET", help="ast_…")] = "",
    state: State = "",
    limit: Limit = 50,
) -> None:
    from kapok import show_jobs

    found = list(client.jobs(asset_id=asset or None, state=state or None, limit=limit))
    out.answer({"data": found}, lambda: show_jobs.jobs(found))


def show_job(out: Output, client: Client, job: JobId) -> None:
    from rich.console import Group

    from kapok import show_jobs
    from kapok.show_colour import of_plan

    found, steps = client.job(job), client.steps(job)
    out.answer(
        {**found, "steps": steps},
        lambda: Group(show_jobs.job(found, steps), of_plan(found["plan"])),
    )


def watch(out: Output, client: Client, job: JobId) -> None:
    from kapok.commands.upload import follow_job

    follow_job(out, client, job, None)


def cancel(out: Output, client: Client, job: JobId) -> None:
    from kapok import show_jobs

    record = client.cancel(job)
    out.answer(record, lambda: show_jobs.jobs([record]))


def retry(out: Output, client: Client, job: JobId) -> None:
    from kapok import show_jobs

    record = client.retry(job)
    out.answer(record, lambda: show_jobs.jobs([record]))


def log(out: Output, client: Client, job: JobId) -> None:
    import shlex

    from rich.console import Group
    from rich.text import Text

    from kapok import show_jobs

    steps = client.steps(job)
    parts = [
        Group(
            Text(f"\n{step['name']}: {step['state']}", style="bold"),
            Text(shlex.join(map(str, step["command"] or [])), style="dim"),
            Text(step["log_tail"] or ""),
        )
        for step in steps
        if step["command"] or step["log_tail"]
    ]
    out.answer(
        {"data": steps},
        lambda: Group(*parts) if parts else show_jobs.step_table(steps),
        whole_lines=True,
    )
