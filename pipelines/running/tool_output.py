"""What a media tool says while it runs: progress lines, a bounded log, and why it failed."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Mapping

from pipelines.errors import (
    DiskFull,
    KapokError,
    LimitExceeded,
    ToolCrashed,
    ToolFailed,
    ToolKilled,
    TruncatedMedia,
    Undecodable,
)
from pipelines.progress import Progress

_LOG_BYTES = 64 << 10
_LOG_LINES = 200
_SAID_LINES = 3
_SAYS_NOTHING = (
    *("Error opening output file", "Error opening input file", "Conversion failed!"),
    "Nothing was written into output file",
)
# What swscale, the filter graph and zscale say of tags that they do not know.
_ODD_COLOUR = re.compile(
    "Impossible to convert between the formats|Unsupported input [(]Operation not supported"
    "|no path between colorspaces"
)
_OUT_OF_MEMORY = re.compile(
    "Cannot allocate memory|MemoryError|std::bad_alloc"
    "|malloc of size|Resource temporarily unavailable"  # x265's words, and of threads
)
_CRASHES = (signal.SIGILL, signal.SIGABRT, signal.SIGFPE, signal.SIGSEGV)
_SHELL_SIGNAL = 128  # bubblewrap says 128 + n where its child died of signal n
_SIGNALS = {
    _SHELL_SIGNAL + number: signal.Signals(number) for number in (4, 6, 7, 8, 9, 11, 15, 24, 25, 31)
}


class LogTail:
    """The last 64 KiB and at most 200 lines of a log."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, block: bytes) -> None:
        self._bytes += block
        del self._bytes[:-_LOG_BYTES]

    def text(self) -> str:
        text = self._bytes.decode(errors="replace").replace("\r", "\n").replace("\0", "")
        return "\n".join([line for line in text.split("\n") if line.strip()][-_LOG_LINES:])


class ProgressText:
    """ffmpeg's `-progress` lines, read as they come."""

    def __init__(self, *, total_frames: int | None, total_s: float | None) -> None:
        self._total_frames = total_frames
        self._total_s = total_s
        self._started = time.monotonic()
        self._rest = b""
        self._values: dict[str, str] = {}

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            key, _, value = line.decode(errors="replace").partition("=")
            self._values[key] = value.strip()

    @property
    def position(self) -> tuple[str | None, ...]:
        """Changes whenever the tool gets on."""
        return tuple(self._values.get(key) for key in ("frame", "out_time_us", "total_size"))

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def progress(self) -> Progress:
        frames = _number(self._values, "frame")
        share = self._share(frames)
        return Progress(
            share=share,
            frames=None if frames is None else int(frames),
            fps=_number(self._values, "fps"),
            eta_s=self.elapsed_s() * (1 - share) / share if share else None,
        )

    def _share(self, frames: float | None) -> float | None:
        if self._total_frames:
            return min((frames or 0.0) / self._total_frames, 1.0)
        if self._total_s:
            done_us = _number(self._values, "out_time_us") or 0.0
            return min(max(done_us / 1e6 / self._total_s, 0.0), 1.0)
        return None


def failure(argv: tuple[str, ...], status: int, log: str) -> KapokError:
    """The error that an exit status and a log mean; permanent where the essence is at fault."""
    telling = [
        line
        for line in log.splitlines()
        if "[info] " not in line and not any(word in line for word in _SAYS_NOTHING)
    ]
    said = "\n".join(telling[-_SAID_LINES:]) or f"exit status {status}"
    if re.search("No space left on device|Disk quota exceeded", log):
        return DiskFull("the disk is full: free space, or point KAPOK_SCRATCH elsewhere, and retry")
    killed_by = signal.Signals(-status) if status < 0 else _SIGNALS.get(status)
    if killed_by in _CRASHES and not _OUT_OF_MEMORY.search(log):
        return _crashed(argv, killed_by, telling, log)
    if killed_by is not None and killed_by not in _CRASHES:
        return _killed(argv, killed_by, log)
    if _OUT_OF_MEMORY.search(log):
        return LimitExceeded(f"{argv[0]} asked for more memory than it may have")
    return _fault_of_essence(argv, said, log) or ToolFailed(f"{argv[0]} failed: {said}", argv, log)


def _fault_of_essence(argv: tuple[str, ...], said: str, log: str) -> KapokError | None:
    """The permanent error where the log says that the input is wrong."""
    if "moov atom not found" in log:
        return TruncatedMedia("the file ends before its index (moov): upload it again, whole")
    if _ODD_COLOUR.search(log):
        return Undecodable(f"{argv[0]} cannot convert the colour of the input: {said}", argv, log)
    if "Invalid data found when processing input" in log:
        return Undecodable(f"{argv[0]} cannot read it: {said}", argv, log)
    return None


def _crashed(
    argv: tuple[str, ...], killed_by: signal.Signals, telling: list[str], log: str
) -> KapokError:
    said = f"; it said: {telling[-1]}" if telling else ""
    message = (
        f"{argv[0]} crashed ({killed_by.name}), and would again with this input and these "
        f"settings: choose another profile, or export the source anew{said}"
    )
    return ToolCrashed(message, argv, log)


def _killed(argv: tuple[str, ...], killed_by: signal.Signals, log: str) -> KapokError:
    match killed_by:
        case signal.SIGXCPU:
            return LimitExceeded(f"{argv[0]} used all the processor time that it may have")
        case signal.SIGXFSZ:
            return LimitExceeded(f"{argv[0]} wrote a larger file than it may")
        case signal.SIGKILL:
            message = f"{argv[0]} was killed by {killed_by.name}: the machine may lack memory"
            return ToolKilled(message, argv, log)
        case _:
            message = f"{argv[0]} was ended by {killed_by.name}: try again"
            return ToolKilled(message, argv, log)


def _number(values: Mapping[str, str], key: str) -> float | None:
    try:
        return float(values[key])
    except (KeyError, ValueError):
        return None  # "N/A" before the first frame
