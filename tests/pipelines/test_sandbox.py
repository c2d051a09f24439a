"""A media tool sees its own files and nothing else, and never outlives its worker."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from missing import missing_tool

from pipelines.errors import DiskFull, LimitExceeded, ToolFailed, ToolMissing
from pipelines.running import sandbox
from pipelines.running.run import capture
from pipelines.running.sandbox import SNIFF_LIMITS, Limits

ROOT = Path(__file__).parents[2]
WORKER = """
import sys
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
source = "testsrc2=s=64x64:d=60:r=5"
argv = [ffmpeg(), "-v", "error", "-re", "-f", "lavfi", "-i", source]
print("starting", flush=True)
for step in run([*argv, "-metadata", "title=" + sys.argv[1], "-f", "null", "-"]):
    if step.frames:
        print("running", flush=True)
"""


def chosen_sandbox(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[str]:
    monkeypatch.setenv("KAPOK_SANDBOX", name)
    sandbox.active.cache_clear()
    try:
        sandbox.active()
    except ToolMissing as missing:
        missing_tool(str(missing))
    yield name
    monkeypatch.undo()
    sandbox.active.cache_clear()


@pytest.fixture(params=["bubblewrap", "none"])
def confined(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways of confining; bubblewrap only where it runs."""
    yield from chosen_sandbox(monkeypatch, request.param)


@pytest.fixture
def bubblewrapped(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What bubblewrap alone can do: hide files and the network."""
    yield from chosen_sandbox(monkeypatch, "bubblewrap")


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-c", code, *arguments]


PYTHON = (Path(sys.prefix), Path(sys.base_prefix))


def processes_naming(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def wait_until_gone(mark: str, within_s: float) -> list[int]:
    ends = time.monotonic() + within_s
    while (left := processes_naming(mark)) and time.monotonic() < ends:
        time.sleep(0.02)
    return left


def test_a_tool_reads_what_it_may_and_writes_where_it_may(confined: str, tmp_path: Path) -> None:
    """Paths are the same inside and outside."""
    (tmp_path / "in").write_text("essence")
    (tmp_path / "out").mkdir()
    code = "import sys; open(sys.argv[2] + '/copy', 'w').write(open(sys.argv[1]).read())"
    argv = python(code, str(tmp_path / "in"), str(tmp_path / "out"))
    capture(argv, readable=[tmp_path / "in", *PYTHON], writable=[tmp_path / "out"])
    assert (tmp_path / "out" / "copy").read_text() == "essence"


@pytest.mark.usefixtures("bubblewrapped")
def test_other_files_and_the_network_are_not_there(tmp_path: Path) -> None:
    """Not the password file, not the neighbour's master, not the database on this machine."""
    (tmp_path / "neighbour").write_text("secret")
    code = (
        "import os, socket, sys\n"
        "print(os.path.exists('/etc/passwd'), os.path.exists(sys.argv[1]))\n"
        "for place in (('127.0.0.1', int(sys.argv[2])), ('192.0.2.1', 80)):\n"
        "    try: socket.create_connection(place, 1)\n"
        "    except OSError as error: print(os.strerror(error.errno))\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as database:
        port = str(database.getsockname()[1])
        captured = capture(python(code, str(tmp_path / "neighbour"), port), readable=PYTHON)
    assert captured.stdout.decode().splitlines() == [
        "False False",
        "Connection refused",
        "Network is unreachable",
    ]


@pytest.mark.usefixtures("bubblewrapped")
def test_a_readable_file_cannot_be_written(tmp_path: Path) -> None:
    """A master is never changed."""
    master = tmp_path / "master"
    master.write_text("essence")
    with pytest.raises(ToolFailed, match="Read-only file system"):
        capture(
            python("import sys; open(sys.argv[1], 'w')", str(master)), readable=[master, *PYTHON]
        )
    assert master.read_text() == "essence"


def test_the_environment_of_the_service_does_not_reach_a_tool(
    confined: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the database's password and the store's keys."""
    monkeypatch.setenv("KAPOK_S3_SECRET_KEY", "hush")
    captured = capture(python("import os; print(sorted(os.environ))"), readable=PYTHON)
    assert b"KAPOK" not in captured.stdout


def test_memory_is_limited(confined: str) -> None:
    """The limit is on what is really written to, not on address space."""
    limits = Limits(memory_bytes=256 << 20, cpu_s=None, file_bytes=None, processes=None)
    with pytest.raises(LimitExceeded, match="more memory"):
        capture(python("bytearray(1 << 30)"), readable=PYTHON, limits=limits)


def test_processor_time_is_limited(confined: str) -> None:
    """A loop without end is not a decode."""
    limits = Limits(memory_bytes=None, cpu_s=1, file_bytes=None, processes=None)
    with pytest.raises(LimitExceeded, match="processor time"):
        capture(python("while True: pass"), readable=PYTHON, limits=limits)


def test_file_size_is_limited(confined: str, tmp_path: Path) -> None:
    """Python ignores the signal and sees the error of the write instead."""
    limits = Limits(memory_bytes=None, cpu_s=None, file_bytes=1 << 20, processes=None)
    code = "import sys; open(sys.argv[1], 'wb').write(bytes(1 << 24))"
    argv = python(code, str(tmp_path / "big"))
    with pytest.raises((ToolFailed, LimitExceeded), match=r"File too large|larger file"):
        capture(argv, readable=PYTHON, writable=[tmp_path], limits=limits)
    assert (tmp_path / "big").stat().st_size <= 1 << 20


def test_a_full_disk_has_its_own_error(confined: str) -> None:
    """Writing to `/dev/full` says what a full disk says."""
    with pytest.raises(DiskFull, match="KAPOK_SCRATCH"):
        capture(python("open('/dev/full', 'w').write('x' * 99999)"), readable=PYTHON)


@pytest.mark.media
@pytest.mark.parametrize("wait_s", [0.0, 0.002, 0.005, 0.01, 0.02, 0.5])
def test_kill_9_of_the_worker_leaves_no_tool_behind(confined: str, wait_s: float) -> None:
    """At whatever moment of the start it comes; bubblewrap alone lets its child live then."""
    mark = f"kapok-orphan-{random.getrandbits(64)}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, mark], stdout=subprocess.PIPE, env=environment
    ) as worker:
        assert worker.stdout
        worker.stdout.readline()
        time.sleep(wait_s)
        worker.send_signal(signal.SIGKILL)
    assert wait_until_gone(mark, within_s=5) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv")
def test_a_user_without_privileges_is_confined_as_well(confined: str) -> None:
    """The service in its container is not root."""
    code = "from pipelines.running import sandbox; print(sandbox.active())"
    argv = [
        *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
        *(sys.executable, "-c", code),
    ]
    environment = {
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if "Permission denied" in done.stderr:
        pytest.skip("this Python is root's alone")
    assert done.stdout.strip() == sandbox.active() or confined == "none"


def test_sniffing_is_limited_in_every_way() -> None:
    """No field is left open for a file that nobody has vouched for."""
    fields = ("memory_bytes", "cpu_s", "file_bytes", "processes")
    assert all(getattr(SNIFF_LIMITS, field) for field in fields)


def test_bubblewrap_asked_for_but_absent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever demands the sandbox does not run without it."""
    monkeypatch.setenv("KAPOK_SANDBOX", "bubblewrap")
    monkeypatch.setenv("PATH", "/nowhere")
    sandbox.active.cache_clear()
    try:
        with pytest.raises(ToolMissing, match="install bubblewrap"):
            sandbox.active()
    finally:
        monkeypatch.undo()
        sandbox.active.cache_clear()


def test_no_media_is_opened_in_the_worker_itself() -> None:
    """But for packets of what a confined tool wrote, and a sample of Kapok's own."""
    opening = {
        str(path.relative_to(ROOT))
        for folder in ("pipelines", "workers", "storage", "api", "kapok")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\bav\.open\(|\bCodecContext\.create\(|VideoCapture\(", path.read_text())
    }
    confined = {f"pipelines/sources/{name}_child.py" for name in ("probe", "track")}
    assert opening == {
        *confined,
        "pipelines/encoding/cut_child.py",
        "pipelines/subtitles/letters_child.py",
        "pipelines/sources/written_packets.py",
        "pipelines/profiles/vivid_sample.py",
    }
