"""Tools run with progress, are killed at once, and fail with words that help."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path

import pytest

from pipelines.errors import (
    DiskFull,
    LimitExceeded,
    ToolCrashed,
    ToolFailed,
    ToolKilled,
    ToolStalled,
    TruncatedMedia,
    Undecodable,
)
from pipelines.inspection.thumbs import chosen
from pipelines.progress import Progress, finish
from pipelines.running.child import NICENESS
from pipelines.running.processes import cpu_s
from pipelines.running.run import capture, run
from pipelines.running.tool_output import LogTail, ProgressText, failure
from pipelines.running.tools import ffmpeg, ffprobe, packager, versions
from pipelines.running.watchdog import Watchdog
from tests.pipelines.test_sandbox import wait_until_gone

ENDLESS = ("-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=64x64:d=60:r=25")
TINY = ("-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64:d=1:r=25")


@pytest.mark.media
def test_progress_counts_frames_to_the_end() -> None:
    """The share is of the frames that the caller expects."""
    argv = [ffmpeg(), *TINY[:2], "-readrate", "2", *TINY[2:], "-f", "null", "-"]
    steps: list[Progress] = []
    operation = run(argv, total_frames=25)
    while True:
        try:
            steps.append(next(operation))
        except StopIteration as end:
            finished = end.value
            break
    assert steps[0].share == 0
    assert [s.share for s in steps] == sorted(s.share or 0 for s in steps)
    assert finished.argv == ("ffmpeg", *argv[1:])
    assert finished.log_tail == ""


@pytest.mark.media
def test_progress_comes_more_than_twice_a_second() -> None:
    """The engine looks for a cancel between two of them."""
    operation = run([ffmpeg(), *ENDLESS, "-f", "null", "-"], total_s=60)
    next(operation)
    gaps = []
    for _ in range(4):
        before = time.monotonic()
        next(operation)
        gaps.append(time.monotonic() - before)
    operation.close()
    assert max(gaps) < 0.8


@pytest.mark.media
def test_closing_the_generator_kills_the_tool_at_once() -> None:
    """Cancel: dead and reaped in less than a second."""
    mark = f"kapok-cancel-{random.getrandbits(64)}"
    argv = [ffmpeg(), *ENDLESS, "-metadata", f"title={mark}", "-f", "null", "-"]
    operation = run(argv)
    next(operation)
    next(operation)
    before = time.monotonic()
    operation.close()
    assert time.monotonic() - before < 1
    assert wait_until_gone(mark, within_s=0.2) == []


def test_a_tool_that_nobody_waits_for_goes_last() -> None:
    """Every process of it is at the niceness that its thread asked for, and no other tool is."""

    def niceness() -> int:
        running = run(["/bin/sleep", "5"])
        next(running)
        found = max(os.getpriority(os.PRIO_PROCESS, pid) for pid in _children())
        running.close()
        return found

    assert niceness() == os.getpriority(os.PRIO_PROCESS, 0)
    assert copy_context().run(lambda: (NICENESS.set(19), niceness())[1]) == 19


def _children() -> list[int]:
    """Of this thread."""
    listed = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()
    return [int(pid) for pid in listed.split()]


@pytest.mark.media
def test_an_error_thrown_into_the_generator_kills_the_tool() -> None:
    """A lost lease is an exception at the yield."""
    mark = f"kapok-lost-{random.getrandbits(64)}"
    operation = run([ffmpeg(), *ENDLESS, "-metadata", f"title={mark}", "-f", "null", "-"])
    next(operation)
    with pytest.raises(KeyError):
        operation.throw(KeyError("lease lost"))
    assert wait_until_gone(mark, within_s=0.5) == []


def test_a_tool_without_progress_is_stalled() -> None:
    """The watchdog needs no help from the tool."""
    with pytest.raises(ToolStalled, match="no progress for 1 s") as stalled:
        finish(run(["/bin/sleep", "60"], stall_s=0.8))
    assert stalled.value.argv == ("sleep", "60")


def test_a_tool_that_moves_data_is_not_stalled() -> None:
    """As ffmpeg does when it rewrites a file at its end, with no position to show."""
    script = "for n in 1 2 3 4 5 6 7 8 9; do head -c 9000000 /dev/zero; sleep 0.3; done >/dev/null"
    assert finish(run(["/bin/sh", "-c", script], stall_s=1.2)).seconds > 2.5


def test_a_tool_that_is_left_little_of_the_machine_is_not_stalled() -> None:
    """It works, and gets in CPU seconds what it would be given on an idle machine."""
    little = "n=0; while [ $n -lt 45000 ]; do n=$((n+1)); done; sleep 0.3"
    script = f"for k in 1 2 3 4 5 6 7 8 9; do {little}; done"
    assert finish(run(["/bin/sh", "-c", script], stall_s=1.5)).seconds > 2.5


def test_a_tool_that_has_just_ended_is_not_stalled() -> None:
    """It worked without a word for as long as a stall takes, and nobody has asked it yet."""
    argv = ["/bin/sh", "-c", "n=0; while [ $n -lt 90000 ]; do n=$((n+1)); done; read end"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True) as tool:
        watchdog = Watchdog(tool.pid, 0.3)
        while cpu_s(tool.pid) < 0.03:
            time.sleep(0.01)
        time.sleep(0.11)
        assert not watchdog.stalled(0)  # its first look
        tool.communicate(b"\n")
        time.sleep(0.4)
        assert not watchdog.stalled(0)


def test_a_tool_that_turns_in_circles_is_stalled() -> None:
    with pytest.raises(ToolStalled):
        finish(run(["/bin/sh", "-c", "while :; do :; done"], stall_s=0.5))


@pytest.mark.media
def test_stdout_and_taps_carry_the_data(tmp_path: Path) -> None:
    """Progress has a pipe of its own, so every other stream is free."""
    tapped = bytearray()
    argv = [ffmpeg(), *TINY, "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    argv += ["-pix_fmt", "gray", "-f", "rawvideo", "pipe:copy"]
    with (tmp_path / "raw").open("w+b") as file:
        finished = finish(run(argv, stdout=file, taps={"copy": tapped.extend}))
    assert (tmp_path / "raw").read_bytes() == bytes(tapped)
    assert len(tapped) == 64 * 64 * 25
    assert finished.argv[-1] == "pipe:copy"


@pytest.mark.media
def test_a_graph_longer_than_linux_takes_is_run_and_told_as_it_is() -> None:
    """The seams of half a day: ffmpeg reads it from a file that nobody sees."""
    numbers = [at for seam in range(20, 2_160_000, 400) for at in range(seam - 4, seam + 4)]
    chain, told = chosen(numbers), bytearray()
    assert len(chain) > 128 << 10
    source = ("-v", "error", "-f", "lavfi", "-i", "nullsrc=s=16x16:r=50,trim=end_frame=1000")
    passed = ("-fps_mode", "passthrough", "-f", "framecrc", "pipe:told")
    for option, value in (("-vf", chain), ("-filter_complex", f"[0:v]{chain}")):
        told.clear()
        argv = [ffmpeg(), *source, option, value, *passed]
        assert finish(run(argv, taps={"told": told.extend})).argv == ("ffmpeg", *argv[1:])
        lines = [line for line in told.decode().splitlines() if not line.startswith("#")]
        seen = [int(line.split(",")[2]) for line in lines]
        assert seen == [number for number in numbers if number < 1000]


@pytest.mark.media
def test_a_failed_command_says_what_ffmpeg_said() -> None:
    """With the command and the end of its log."""
    with pytest.raises(ToolFailed, match="nosuchencoder") as failed:
        finish(run([ffmpeg(), *TINY, "-c:v", "nosuchencoder", "-f", "null", "-"]))
    assert failed.value.argv[0] == "ffmpeg"
    assert "nosuchencoder" in failed.value.log_tail


@pytest.mark.media
def test_input_that_is_no_media_is_a_permanent_error(tmp_path: Path) -> None:
    """Trying again cannot help."""
    (tmp_path / "text").write_text("no media\n" * 99)
    with pytest.raises(Undecodable) as refused:
        finish(
            run(
                [ffmpeg(), "-v", "error", "-i", str(tmp_path / "text"), "-f", "null", "-"],
                readable=[tmp_path / "text"],
            )
        )
    assert refused.value.retryable is False


def test_capture_returns_both_streams() -> None:
    """The short way, for tools that answer in one breath."""
    captured = capture(["/bin/sh", "-c", "echo answer; echo aside >&2"])
    assert (captured.stdout, captured.stderr) == (b"answer\n", "aside")


def test_capture_gives_up_in_time() -> None:
    """And kills what it gave up on."""
    before = time.monotonic()
    with pytest.raises(ToolStalled, match="did not end in 0 s"):
        capture(["/bin/sleep", "30"], timeout_s=0.4)
    assert time.monotonic() - before < 15


@pytest.mark.parametrize(
    ("status", "log", "error"),
    [
        (1, "av_interleaved_write_frame(): No space left on device", DiskFull),
        (134, "write: Disk quota exceeded", DiskFull),
        (-9, "", ToolKilled),
        (137, "", ToolKilled),
        (-15, "", ToolKilled),
        (-6, "", ToolCrashed),
        (134, "frame->i_disposable == 0", ToolCrashed),
        (139, "", ToolCrashed),
        (134, "terminate called after throwing an instance of 'std::bad_alloc'", LimitExceeded),
        (139, "x265 [error]: malloc of size 33177600 failed", LimitExceeded),
        (152, "", LimitExceeded),
        (153, "", LimitExceeded),
        (244, "Error: Cannot allocate memory", LimitExceeded),
        (183, "[mov] moov atom not found\nInvalid data found", TruncatedMedia),
        (183, "in.ts: Invalid data found when processing input", Undecodable),
        (1, "anything else", ToolFailed),
    ],
)
def test_each_way_to_fail_has_its_error(status: int, log: str, error: type[Exception]) -> None:
    """Without bubblewrap a signal is negative; bubblewrap adds 128 to it."""
    found = failure(("ffmpeg", "-i", "in.ts"), status, log)
    assert type(found) is error


def test_a_crash_is_not_lack_of_memory() -> None:
    """Only who was killed from outside may have lacked some, and may fare better another time."""
    said = "Assertion frame->i_disposable == 0 failed"
    crashed = failure(("ffmpeg",), 134, f"[libdavs2] {said}")
    killed, ended = failure(("ffmpeg",), 137, ""), failure(("ffmpeg",), 143, "")
    assert (crashed.retryable, killed.retryable, ended.retryable) == (False, True, True)
    assert "SIGABRT" in str(crashed)
    assert said in str(crashed)
    assert ["memory" in str(one) for one in (crashed, killed, ended)] == [False, True, False]


def test_a_log_keeps_its_end() -> None:
    """The cause of a failure stands last."""
    log = LogTail()
    for number in range(100_000):
        log.feed(f"line {number}\r".encode())
    lines = log.text().splitlines()
    assert len(lines) == 200
    assert lines[-1] == "line 99999"


def test_progress_lines_may_be_torn_anywhere() -> None:
    """A pipe knows no lines; before the first frame the values are N/A."""
    text = ProgressText(total_frames=None, total_s=4.0)
    text.feed(b"out_time_us=N/A\nfra")
    assert text.progress() == Progress(share=0.0)
    text.feed(b"me=50\nfps=25.0\nout_time_us=10000")
    text.feed(b"00\nprogress=continue\n")
    step = text.progress()
    assert (step.frames, step.fps, step.share) == (50, 25.0, 0.25)


def test_the_tools_tell_their_versions() -> None:
    """A rendition records them."""
    assert {"ffmpeg", "libx264", "libx265", "shaka-packager", "kapok"} <= set(versions())
    assert re.match(r"v\d+\.\d+\.\d+", versions()["libsvtav1"])
    assert re.match(r"\d+\.\d+\.\d+", versions()["libvvenc"])
    assert "unknown" not in versions().values()
    assert versions()["ffmpeg"].startswith("n9.")
    assert all(Path(tool).is_absolute() for tool in (ffmpeg(), ffprobe(), packager()))


ASKING = """
import socket, struct, sys
asked = socket.socket(fileno=int(sys.argv[1].removeprefix("pipe:")))
for number in range(int(sys.argv[2])):
    asked.sendall(struct.pack(">QQ", number, int(sys.argv[3])))
    assert asked.recv(1) == b"x", "not read to"
"""


def asking(count: int, end: int, reader: Callable[[int, int], bytes], stall_s: float = 60) -> None:
    argv = [sys.executable, "-I", "-c", ASKING, "pipe:source", str(count), str(end)]
    python = [Path(sys.prefix), Path(sys.base_prefix)]
    finish(run(argv, readable=python, served={"source": reader}, stall_s=stall_s))


def test_a_tool_that_is_read_to_slowly_does_not_hang() -> None:
    """What it gets is a sign of life, although it shows no progress and writes nothing."""

    def slowly(start: int, end: int) -> bytes:
        time.sleep(0.25)
        return b"x" * (end - start)

    asking(12, 12, lambda start, end: slowly(start, end)[: end - start], stall_s=1)


def test_a_tool_gets_no_more_than_it_may_ask_for() -> None:
    """A demuxer that was taken over can neither fill the memory nor hold the worker."""
    for end in (1 << 62, 0):
        with pytest.raises(LimitExceeded, match="that is refused"):
            asking(1, end, lambda start, end: b"x" * (end - start))


def test_a_source_that_ends_early_is_said_to() -> None:
    with pytest.raises(TruncatedMedia, match="has no bytes 0 to 10"):
        asking(1, 10, lambda _start, _end: b"x")
