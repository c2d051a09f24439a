"""Media tools run with nothing but their own files: bubblewrap where it works, limits everywhere.

Whatever is confined dies with the thread that started it, by the kernel's parent-death signal, so a
worker that is killed with SIGKILL leaves no ffmpeg behind. The signal alone misses a worker that
dies before it is set (measured: bubblewrap's own child then lives on), so the tool waits on its
standard input for a word from the worker, and only then begins. `running.child` gives the word.

Paths are the same inside and outside; the working folder is `/`, so argv must be absolute.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pipelines.errors import ToolMissing

Sandbox = Literal["bubblewrap", "none"]

_GIB = 1 << 30
_TRUE = "/usr/bin/true"
_CPU_GRACE_S = 5  # at the soft limit SIGXCPU says why; at the hard one SIGKILL says nothing
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/fonts")
# Standard input is a socket to the worker. It says a word, hears one back, and so knows that the
# worker was alive after every parent-death signal was set.
_AFTER_GREETING = 'echo >&0 && read -r word && exec "$@" </dev/null'


@dataclass(frozen=True, slots=True)
class Limits:
    """Per process, by setrlimit(2); `None` is no limit. Memory counts private writable pages
    (RLIMIT_DATA), because address space says nothing about a tool with many threads. `processes`
    holds under bubblewrap alone: elsewhere it would count everything the user runs.
    """

    memory_bytes: int | None
    cpu_s: int | None
    file_bytes: int | None
    processes: int | None


def machine_memory_bytes(group: Path = Path("/sys/fs/cgroup")) -> int:
    """All memory that this machine has, or that a container lets its processes have."""
    had = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        allowed = (group / "memory.max").read_text().strip()
    except OSError:
        return had
    return min(had, int(allowed)) if allowed.isdigit() else had


# A short look at a file that nobody has vouched for.
SNIFF_LIMITS = Limits(memory_bytes=2 * _GIB, cpu_s=60, file_bytes=64 << 20, processes=512)
# Whole encodes: time is watched by the stall watchdog of `run`, since 8K for a day is honest work.
MEDIA_LIMITS = Limits(
    memory_bytes=max(4 * _GIB, machine_memory_bytes()),
    cpu_s=None,
    file_bytes=16 << 40,
    processes=8192,
)


@cache
def active() -> Sandbox:
    """Which sandbox this machine really has: bubblewrap is believed once it has run.

    `KAPOK_SANDBOX=none` switches it off; `KAPOK_SANDBOX=bubblewrap` makes its absence an error.
    """
    wanted = os.environ.get("KAPOK_SANDBOX", "")
    if wanted == "none":
        return "none"
    if shutil.which("bwrap") and _runs(_bubblewrap(_TRUE, [_TRUE], (), (), SNIFF_LIMITS)):
        return "bubblewrap"
    if wanted == "bubblewrap":
        message = "KAPOK_SANDBOX=bubblewrap, but bwrap does not run here: install bubblewrap"
        raise ToolMissing(message)
    return "none"


def confine(
    argv: Sequence[str],
    *,
    readable: Sequence[Path],
    writable: Sequence[Path],
    limits: Limits,
) -> list[str]:
    """The argv that runs `argv` confined; its standard input must be a socket that answers.

    `readable` are files or folders, `writable` folders; without bubblewrap only the limits and the
    parent-death signal hold.
    """
    greeting = ["/bin/sh", "-c", _AFTER_GREETING, "sh", *argv]
    if active() == "bubblewrap":  # which sets its own signals; set earlier, its child would hang
        return _bubblewrap(argv[0], greeting, readable, writable, limits)
    return [_found("setpriv"), "--pdeathsig", "KILL", "--", *_limited(limits), *greeting]


def _bubblewrap(
    tool: str,
    argv: Sequence[str],
    readable: Sequence[Path],
    writable: Sequence[Path],
    limits: Limits,
) -> list[str]:
    folders = [Path(tool).absolute().parent, Path(tool).resolve().parent]
    return [
        *(_found("bwrap"), "--unshare-all", "--die-with-parent"),
        *("--cap-drop", "ALL"),  # run by root, it would else keep root's capabilities
        *("--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/"),  # noqa: S108 - the sandbox's own, empty
        *(word for path in _SYSTEM for word in _system_bind(Path(path))),
        *(word for path in (*folders, *readable) for word in _bind("--ro-bind", path)),
        *(word for path in writable for word in _bind("--bind", path)),
        "--",
        *_limited(
            limits, limits.processes
        ),  # counted here alone: a user namespace has its own count
        *argv,
    ]


@cache
def _system_bind(path: Path) -> tuple[str, ...]:
    if path.is_symlink():  # merged /usr: /lib is a link
        return ("--symlink", str(path.readlink()), str(path))
    return ("--ro-bind-try", str(path), str(path))


def _bind(option: str, path: Path) -> tuple[str, ...]:
    """Bind a path to itself; a link's target appears under the link's name."""
    absolute = path.absolute()
    if option == "--ro-bind" and absolute.is_relative_to("/usr"):
        return ()  # there already
    return (option, str(absolute.resolve()), str(absolute))


def _limited(limits: Limits, processes: int | None = None) -> list[str]:
    values = {
        "data": limits.memory_bytes,
        "cpu": limits.cpu_s and f"{limits.cpu_s}:{limits.cpu_s + _CPU_GRACE_S}",
        "fsize": limits.file_bytes,
        "nproc": processes,
        "core": 0,
    }
    return [
        _found("prlimit"),
        *(f"--{name}={value}" for name, value in values.items() if value is not None),
        "--",
    ]


@cache
def _found(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        package = "bubblewrap" if tool == "bwrap" else "util-linux"
        message = f"{tool} is not on the PATH: install the package {package}"
        raise ToolMissing(message)
    return path


def _runs(argv: list[str]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
