"""What every process of a whole 4320p job holds: `python -m benchmarks.job_memory [--clip FILE]`.

A service of its own takes the clip (one of 56 frames is made: two shots of 42 and 14) from its
upload to the package, in two chunks. Each line is what a kind of process held at most (its VmHWM),
in GB, and what was foreseen of it where it takes a share of the account. It takes some 500 CPU
seconds and 9 GB. The exit status is 1 where a process passes 8 GB, or an encode is more than 25 %
off what was foreseen of it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from benchmarks.service import Service
from pipelines.running.tools import ffmpeg

SHOTS = {42: "teal", 14: "maroon"}  # frames; the first fills every queue, and is cut hard
CHUNK_MIN_S = "0.279"  # 14 frames: the cut is looked for up to three times as far
TAGS = "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
LOOK_S = 0.2
MOST_BYTES, MOST_OFF = 8_000_000_000, 0.25  # the bars
KINDS = {  # words of a command that tell what it is for; the first that is found
    "packager": "package",
    "cut_child": "cut",
    "probe_child": "probe",
    "[grey]": "inspect",
    "xpsnr": "measure",
    "[few]": "verify",
    "-c:v lib": "encode",
    "-c copy": "join",
    "kapok up": "service",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--profile", default="cn8k-hevc-hlg")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kapok-memory-") as name:
        folder = Path(name)
        clip = options.clip or make(folder / "clip.mov")
        service = Service(folder)
        service.env["KAPOK_CHUNK_MIN_S"] = CHUNK_MIN_S
        with service, Watch(service.process.pid) as watch:
            record = service.upload(clip, "--profiles", options.profile)
            log = (folder / "up.log").read_text()
    for kind, (peak_bytes, count) in sorted(watch.peaks.items()):
        print(f"{peak_bytes / 1e9:6.2f} GB  {kind}, {count} processes")
    off = []
    for line, held, foreseen in re.findall(r"(step .* held (.*) GB of memory, (.*) GB .*)", log):
        print(line)
        off.append(abs(float(foreseen) / float(held) - 1))
    print(f"the asset is {record['state']}")
    most = max(peak_bytes for peak_bytes, _ in watch.peaks.values())
    kept = record["state"] == "ready" and most <= MOST_BYTES and off and max(off) <= MOST_OFF
    sys.exit(0 if kept else 1)


def make(path: Path) -> Path:
    """Two shots in HEVC and HLG, with sound; little moves, so that they are soon encoded."""
    shots = [
        f"color=c={colour}:s=7680x4320:r=50:d={frames / 50}[back{at}];"
        f"testsrc2=s=960x540:r=50:d={frames / 50}[moving{at}];"
        f"[back{at}][moving{at}]overlay=x=40*n:y=20*n,format=yuv420p10le,setparams={TAGS}"
        for at, (frames, colour) in enumerate(SHOTS.items())
    ]
    graph = f"{shots[0]}[a];{shots[1]}[b];[a][b]concat[v];sine=r=48000:d={sum(SHOTS) / 50}[s]"
    argv = [ffmpeg(), "-nostdin", "-v", "error", "-filter_complex", graph]
    argv += ["-map", "[v]", "-map", "[s]", "-c:v", "libx265", "-preset", "ultrafast"]
    argv += ["-x265-params", "log-level=error:keyint=14:frame-threads=1", "-tag:v", "hvc1"]
    subprocess.run([*argv, "-c:a", "aac", "-y", str(path)], check=True)
    return path


class Watch:
    """The most memory of each kind of process below `root`, and how many there were."""

    def __init__(self, root: int) -> None:
        self.peaks: dict[str, tuple[int, int]] = {}
        self._root, self._seen = root, set[int]()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.is_set():
            for pid in _below(self._root):
                self._look(pid)
            time.sleep(LOOK_S)

    def _look(self, pid: int) -> None:
        process = Path(f"/proc/{pid}")
        try:
            found = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended
            return
        if found is None or words.startswith(("bwrap", "/usr/bin/bwrap", "/bin/sh")):
            return
        kind = next((kind for word, kind in KINDS.items() if word in words), "other")
        peak, count = self.peaks.get(kind, (0, 0))
        new = pid not in self._seen
        self._seen.add(pid)
        self.peaks[kind] = (max(peak, int(found[1]) * 1024), count + new)


def _below(root: int) -> Iterator[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(after_name[1]), []).append(int(entry.name))
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += parents.get(pid, [])


if __name__ == "__main__":
    main()
