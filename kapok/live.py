"""Progress on stderr: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from kapok.command import Output
from kapok.language import t
from kapok.names import visible
from kapok.show import PlainConsole
from kapok.show_jobs import folded, note, step_name, waits
from kapok.transfer import Transfer
from kapok.units import duration, size
from pipelines.progress import Progress as Step

QUIET_S = 5.0  # without a terminal, at most a line in this time


def stderr() -> Console:
    return PlainConsole(stderr=True)


class TransferView:
    """Shows one file after another, in bytes."""

    def __init__(self, out: Output, verb: str, bars: Progress | None) -> None:
        self._out, self._verb, self._bars = out, verb, bars
        self._tasks: dict[str, TaskID] = {}
        self._next_line = 0.0
        self._troubles: set[str] = set()

    def __call__(self, transfer: Transfer) -> None:
        if transfer.trouble and transfer.trouble not in self._troubles:
            self._troubles.add(transfer.trouble)
            _tell(self._out, self._bars, _tried_again(transfer.trouble), "yellow")
        if self._bars is None:
            self._line(transfer)
            return
        if transfer.name not in self._tasks:
            self._tasks[transfer.name] = self._bars.add_task(
                visible(f"{self._verb} {transfer.name}"), total=transfer.total_bytes
            )
            if transfer.resumed_bytes:
                had = size(transfer.resumed_bytes)
                self._bars.console.print(t(f"resumed: {had} were there", f"续传：已有 {had}"))
        self._bars.update(self._tasks[transfer.name], completed=transfer.done_bytes)

    def _line(self, transfer: Transfer) -> None:
        ended = transfer.done_bytes == transfer.total_bytes
        new = transfer.name not in self._tasks
        self._tasks.setdefault(transfer.name, TaskID(0))
        if not new and not ended and time.monotonic() < self._next_line:
            return
        if ended and self._tasks[transfer.name] == TaskID(1):
            return
        self._tasks[transfer.name] = TaskID(1 if ended else 0)
        self._next_line = time.monotonic() + QUIET_S
        done, total = size(transfer.done_bytes), size(transfer.total_bytes)
        self._out.note(f"{self._verb} {transfer.name}: {done} / {total}")


def _tried_again(trouble: str) -> str:
    return t(f"trying again: {trouble}", f"正在重试：{trouble}")


def _tell(out: Output, bars: Progress | None, text: str, style: str) -> None:
    """A line that stays, above the bars where there are any."""
    if bars is None:
        out.note(text)
    else:
        bars.console.print(visible(text), style=style, markup=False)


@contextmanager
def transfers(out: Output, verb: str) -> Iterator[TransferView]:
    if not out.animated:
        yield TransferView(out, verb, None)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=stderr(), expand=True) as bars:
        yield TransferView(out, verb, bars)


class JobView:
    """Shows a job and its running steps from the records that `Client.wait` polls."""

    def __init__(self, out: Output, bars: Progress | None, title: str) -> None:
        self._out, self._bars, self._title = out, bars, title
        self._tasks: dict[str, TaskID] = {}
        self._seen: dict[str, str] = {}
        self._next_line = time.monotonic() + QUIET_S

    def __call__(self, job: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> None:
        self._say_why_it_waits(job)
        self._say_why_it_is_tried_again(steps)
        steps = folded(steps)
        if self._bars is None:
            self._lines(job, steps)
            return
        self._bar("job", self._title, job.get("progress_share"), job.get("eta_s"), "")
        for step in steps:
            self._step_bar(step)

    def _say_why_it_waits(self, job: Mapping[str, Any]) -> None:
        for text in map(waits, job.get("waiting") or ()):
            self._warn_once(text)

    def _say_why_it_is_tried_again(self, steps: Sequence[Mapping[str, Any]]) -> None:
        for step in steps:
            if step.get("error") and step["state"] in ("ready", "running"):
                self._warn_once(_tried_again(step["error"]["detail"]))

    def _warn_once(self, text: str) -> None:
        if self._seen.get(text) != "warned":
            self._seen[text] = "warned"
            _tell(self._out, self._bars, text, "yellow")

    def _step_bar(self, step: Mapping[str, Any]) -> None:
        if step["state"] == "running":
            progress = step.get("progress") or {}
            fps = f"{progress['fps']:.1f} fps" if progress.get("fps") else note(progress)
            self._bar(
                step["id"],
                f"  {step_name(step)}",
                progress.get("share"),
                progress.get("eta_s"),
                fps,
            )
        elif step["id"] in self._tasks and self._bars is not None:
            self._bars.remove_task(self._tasks.pop(step["id"]))
            self._say(step)
        elif step["state"] in ("done", "failed", "cancelled"):
            self._say(step)

    def _bar(
        self, name: str, text: str, share: float | None, eta_s: float | None, note: str
    ) -> None:
        assert self._bars is not None
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(visible(text), total=1.0, note="", eta="")
        self._bars.update(
            self._tasks[name],
            completed=share or 0.0,
            total=None if share is None else 1.0,
            note=visible(note),
            eta=duration(eta_s) if eta_s else "",
        )

    def _lines(self, job: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> None:
        for step in steps:
            if step["state"] in ("done", "failed", "cancelled"):
                self._say(step)
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + QUIET_S
            running = ", ".join(step_name(step) for step in steps if step["state"] == "running")
            done = (job.get("progress_share") or 0.0) * 100
            self._out.note(f"{self._title}: {done:.0f} %  {running}")

    def _say(self, step: Mapping[str, Any]) -> None:
        """Say once, for good, how a step ended."""
        if self._seen.get(step["id"]) == step["state"]:
            return
        self._seen[step["id"]] = step["state"]
        mark = {"done": "✓", "failed": "✗", "cancelled": "–"}.get(step["state"])
        if mark is None:
            return
        error = step.get("error") or {}
        text = f"{mark} {step_name(step)}  {error.get('code', '')}".rstrip()
        _tell(self._out, self._bars, text, "green" if mark == "✓" else "red")


@contextmanager
def job_progress(out: Output, title: str) -> Iterator[JobView]:
    with _share_bars(out) as bars:
        yield JobView(out, bars, title)


@contextmanager
def _share_bars(out: Output) -> Iterator[Progress | None]:
    if not out.animated:
        yield None
        return
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[note]}", markup=False),
        TextColumn("{task.fields[eta]}"),
    )
    with Progress(*columns, console=stderr(), expand=True) as bars:
        yield bars


class StepView:
    """Shows one operation of `pipelines` that runs in this process."""

    def __init__(self, out: Output, bars: Progress | None) -> None:
        self._out, self._bars = out, bars
        self._task: TaskID | None = None
        self._next_line = 0.0
        self._title = ""

    def begin(self, title: str) -> None:
        self._title = title
        if self._bars is None:
            self._out.note(title)
            self._next_line = time.monotonic() + QUIET_S
            return
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(title, total=1.0, note="", eta="")

    def __call__(self, step: Step) -> None:
        if self._bars is not None and self._task is not None:
            fps = f"{step.fps:.1f} fps" if step.fps else step.note
            eta = duration(step.eta_s) if step.eta_s else ""
            total = None if step.share is None else 1.0
            self._bars.update(
                self._task, completed=step.share or 0.0, total=total, note=fps, eta=eta
            )
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + QUIET_S
            self._out.note(f"{self._title}: {(step.share or 0.0) * 100:.0f} %")


@contextmanager
def step_progress(out: Output) -> Iterator[StepView]:
    with _share_bars(out) as bars:
        yield StepView(out, bars)
