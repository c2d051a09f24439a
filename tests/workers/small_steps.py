"""Small real steps for the engine's tests: a real ffmpeg on a tiny picture, and what goes wrong.

A worker in another process (`worker_main.py`) imports this module too, so it holds no fixture.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import MediaError, ToolFailed
from pipelines.progress import Progress
from pipelines.running.run import Finished, run
from pipelines.running.tools import ffmpeg
from storage.errors import CatalogueFull
from workers.context import StepContext, StepResult
from workers.kinds import Kind


class BadPicture(MediaError):
    code = "bad_picture"


def paint(folder: Path, out: str, seconds: float) -> Generator[Progress, None, Finished]:
    """A real encode that lasts `seconds` of real time and next to no CPU."""
    picture = f"testsrc2=size=64x36:rate=25:duration={seconds}"
    argv = [ffmpeg(), "-v", "warning", "-re", "-f", "lavfi", "-i", picture]
    argv += ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-y", out]
    return run(argv, writable=[folder], total_s=seconds)


def _wait_for(file: Path) -> Generator[Progress, None, None]:
    while not file.exists():
        yield Progress(None, "waits for the test")
        time.sleep(0.05)


def encode(context: StepContext) -> StepResult:
    """Paint for `seconds`, store the file as a result and as work, and count the try.

    With `until` it does not end before that file is there, however slow the machine is.
    """
    payload = context.step.payload
    if "tries" in payload:
        with Path(payload["tries"]).open("a") as tries:
            tries.write(f"{context.step.epoch}\n")
    out = context.folder / "picture.mp4"
    done = context.follow(paint(context.folder, str(out), payload.get("seconds", 0.4)))
    if "until" in payload:
        context.follow(_wait_for(Path(payload["until"])))
    context.put(out, context.work, "picture.mp4")
    key = context.put(out, f"made/{context.step.id}", "picture.mp4")
    return StepResult(result={"files": {"picture": key}}, command=done.argv, log_tail=done.log_tail)


def fill_the_disk(context: StepContext) -> StepResult:
    """What ffmpeg writes meets `/dev/full`, which answers as a full disk does."""
    out = context.folder / "picture.ts"
    out.symlink_to("/dev/full")
    context.follow(paint(context.folder, str(out), 0.4))
    return StepResult()


def need_too_much(context: StepContext) -> StepResult:
    context.need_scratch(1 << 60)
    return StepResult()


def hold_memory(context: StepContext) -> StepResult:
    with context.memory(context.step.payload["bytes"]):
        return StepResult()


def kill_the_worker(context: StepContext) -> StepResult:
    os.kill(os.getpid(), signal.SIGKILL)
    return StepResult()


def fail(context: StepContext) -> StepResult:
    """Fail until the file `heal` exists: for good, for now, or in a way nobody foresaw.

    With `until` it looks at nothing before that file is there.
    """
    payload = context.step.payload
    if "until" in payload:
        while not Path(payload["until"]).exists():
            time.sleep(0.05)
        context.check()
    if Path(payload.get("heal", "/dev/null/none")).exists():
        return StepResult(result={"healed": True})
    if payload["how"] == "permanent":
        raise BadPicture("the picture is bad: send another one")
    if payload["how"] == "transient":
        raise ToolFailed("the tool had a bad day", ("ffmpeg", "-x"), "its last words")
    if payload["how"] == "full catalogue":
        raise CatalogueFull("there is no room")
    raise ZeroDivisionError("secret internals")


def do(context: StepContext) -> StepResult:
    """What `payload["do"]` names."""
    return DEEDS[context.step.payload["do"]](context)


DEEDS = {
    "encode": encode,
    "fill_the_disk": fill_the_disk,
    "need_too_much": need_too_much,
    "hold_memory": hold_memory,
    "kill_the_worker": kill_the_worker,
    "fail": fail,
}
KINDS: Mapping[str, Kind] = {
    kind: Kind(do) for kind in ("inspect", "encode", "join", "measure", "package", "publish")
}


def payload(deed: str, **more: Any) -> dict[str, Any]:
    return {"do": deed, **more}
