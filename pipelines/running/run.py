"""Run a media tool: confined, watched, with progress, and never left behind.

`run` is a generator. Closing it, or any exception inside it, kills the tool's whole process group
and reaps it, so a caller cancels by `close()` and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import BinaryIO

from pipelines.errors import LimitExceeded, ToolStalled
from pipelines.progress import Progress
from pipelines.running.child import Consumer, Reader, started
from pipelines.running.processes import peak_bytes
from pipelines.running.sandbox import MEDIA_LIMITS, SNIFF_LIMITS, Limits
from pipelines.running.tool_output import LogTail, ProgressText, failure
from pipelines.running.tools import ffmpeg
from pipelines.running.watchdog import Watchdog

_TICK_S = 0.2
_YIELD_S = 0.4
_LOOK_S = 1.0
_LOOK_SHARE = 0.05
_CAPTURE_BYTES = 256 << 20
_ARGUMENT_BYTES = 128 << 10  # Linux takes none that is so long (execve(2): MAX_ARG_STRLEN)
_NO_TAPS: Mapping[str, Consumer] = MappingProxyType({})
_NOTHING_SERVED: Mapping[str, Reader] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Finished:
    """`argv` is the plain command, without the sandbox, as a rendition records it.

    `peak_bytes` is the most memory that a process of the tool was seen to hold: looked at every
    second, and more often in the first ones, so that a short run's peak is seen too; 0 of one that
    ended within a tick.
    """

    argv: tuple[str, ...]
    log_tail: str
    seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Captured:
    stdout: bytes
    stderr: str


def run(
    argv: Sequence[str],
    *,
    readable: Sequence[Path] = (),
    writable: Sequence[Path] = (),
    total_frames: int | None = None,
    total_s: float | None = None,
    stall_s: float = 120.0,
    stdout: BinaryIO | None = None,
    taps: Mapping[str, Consumer] = _NO_TAPS,
    said: Consumer | None = None,
    served: Mapping[str, Reader] = _NOTHING_SERVED,
    limits: Limits = MEDIA_LIMITS,
) -> Generator[Progress, None, Finished]:
    """Run a tool to its end; paths in argv must be absolute.

    Each `pipe:NAME` in argv whose NAME is in `taps` becomes a pipe, and its consumer gets every
    block that the tool writes there; `said` gets its whole log. A NAME in `served` becomes a socket
    on which the tool asks for ranges of bytes (see `child.started`); errors of its reader end the
    tool and pass through. Raises `ToolFailed`, `ToolKilled`, `ToolCrashed`,
    `ToolStalled`, `DiskFull`, `LimitExceeded`, `TruncatedMedia` or `Undecodable`.
    """
    plain = _plain(argv)
    lines = ProgressText(total_frames=total_frames, total_s=total_s)
    log = LogTail()

    def keep(block: bytes) -> None:
        log.feed(block)
        if said:
            said(block)

    watched = plain[0] == "ffmpeg"
    read_bytes = 0

    def counted(reader: Reader) -> Reader:
        def read(start: int, end: int) -> bytes:
            nonlocal read_bytes
            found = reader(start, end)
            read_bytes += len(found)
            return found

        return read

    with (
        _short(argv) as (short, files),
        started(
            _watched_ffmpeg(short) if watched else short,
            readable=[*readable, *files],
            writable=writable,
            limits=limits,
            taps={**taps, "progress": lines.feed} if watched else taps,
            log=keep,
            stdout=stdout,
            served={name: counted(reader) for name, reader in served.items()},
        ) as child,
    ):
        watchdog = Watchdog(child.pid, stall_s)
        yield lines.progress()
        shown, next_look, peak = time.monotonic(), 0.0, 0
        while child.read(_TICK_S):
            if lines.elapsed_s() >= next_look:
                peak = max(peak, peak_bytes(child.pid))
                next_look = lines.elapsed_s() + min(_LOOK_S, _LOOK_SHARE * lines.elapsed_s())
            if watchdog.stalled((lines.position, read_bytes)):
                message = f"{plain[0]} made no progress for {stall_s:.0f} s"
                raise ToolStalled(message, plain, log.text())
            if time.monotonic() - shown >= _YIELD_S:
                shown = time.monotonic()
                yield lines.progress()
    if child.status != 0:
        raise failure(plain, child.status, log.text())
    return Finished(plain, log.text(), lines.elapsed_s(), peak)


def capture(
    argv: Sequence[str],
    *,
    readable: Sequence[Path] = (),
    writable: Sequence[Path] = (),
    timeout_s: float = 60.0,
    limits: Limits = SNIFF_LIMITS,
) -> Captured:
    """Run a short command and return what it wrote; errors as in `run`."""
    plain = _plain(argv)
    log = LogTail()
    out = bytearray()
    ends = time.monotonic() + timeout_s
    with started(
        argv,
        readable=readable,
        writable=writable,
        limits=limits,
        taps=_NO_TAPS,
        log=log.feed,
        stdout=out.extend,
        served=_NOTHING_SERVED,
    ) as child:
        while child.read(_TICK_S):
            if time.monotonic() > ends:
                message = f"{plain[0]} did not end in {timeout_s:.0f} s"
                raise ToolStalled(message, plain, log.text())
            if len(out) > _CAPTURE_BYTES:
                message = f"{plain[0]} wrote more than {_CAPTURE_BYTES >> 20} MiB"
                raise LimitExceeded(message)
    if child.status != 0:
        raise failure(plain, child.status, log.text())
    return Captured(bytes(out), log.text())


@contextmanager
def _short(argv: Sequence[str]) -> Iterator[tuple[list[str], list[Path]]]:
    """The command with its longest values, as graphs of thousands of seams are, in files.

    Ffmpeg reads an option's value from a file where a slash stands before its name.
    """
    long = [at for at, word in enumerate(argv) if len(os.fsencode(word)) >= _ARGUMENT_BYTES]
    short = list(argv)
    if not long:
        yield short, []
        return
    with TemporaryDirectory(prefix="kapok-arguments-") as folder:
        files = [Path(folder, str(at)) for at in long]
        for at, file in zip(long, files, strict=True):
            file.write_bytes(os.fsencode(argv[at]))
            short[at - 1 : at + 1] = [f"-/{argv[at - 1].removeprefix('-')}", str(file)]
        yield short, files


def _plain(argv: Sequence[str]) -> tuple[str, ...]:
    """The command as a person would type it: `ffmpeg` for the wheel's long file name."""
    name = "ffmpeg" if argv[0] == ffmpeg() else Path(argv[0]).name.split("-")[0]
    return (name, *argv[1:])


def _watched_ffmpeg(argv: Sequence[str]) -> list[str]:
    return [
        argv[0],
        *("-nostdin", "-hide_banner", "-nostats"),
        *("-progress", "pipe:progress", "-stats_period", "0.4"),
        *argv[1:],
    ]
