"""What the processes of a tool's session do, by /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def bytes_moved(session: int) -> int:
    """Bytes that the living processes of a session have read and written."""
    return sum(_bytes_of(process) for process in _living(session))


def cpu_s(session: int) -> float:
    """CPU seconds of the living processes of a session, and of those that they waited for."""
    return sum(_cpu_of(process) for process in _living(session))


def peak_bytes(session: int) -> int:
    """The most memory that one of the session's living processes has held (its resident set)."""
    return max((_peak_of(process) for process in _living(session)), default=0)


def _living(session: int) -> Iterator[Path]:
    """Asked of the kernel by number: to read a file of every process costs fifty times as much."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - names, most of which become no path
        if name.isdigit() and _session_of(int(name)) == session:
            yield Path("/proc", name)


def _session_of(process: int) -> int | None:
    try:
        return os.getsid(process)
    except OSError:  # it has ended
        return None


def _bytes_of(process: Path) -> int:
    with suppress(OSError, ValueError):
        lines = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
        return int(lines["rchar"]) + int(lines["wchar"])
    return 0


def _cpu_of(process: Path) -> float:
    """User and system time, its own and of ended children: fields 14 to 17 of proc_pid_stat(5), of
    which two precede these.
    """
    with suppress(OSError, ValueError, IndexError):
        after_name = (process / "stat").read_text().rpartition(")")[2].split()
        return sum(map(int, after_name[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _peak_of(process: Path) -> int:
    with suppress(OSError, ValueError, StopIteration):
        lines = (process / "status").read_text().splitlines()
        said = next(line for line in lines if line.startswith("VmHWM:"))
        return int(said.split()[1]) * 1024
    return 0
