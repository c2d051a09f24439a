"""What ffmpeg says while it decodes a source: damage, jumps of the file's clock, new formats."""

from __future__ import annotations

import re

from pipelines.inspection.track_gaps import PAUSE_S
from pipelines.words import Words

# Ffmpeg takes a step of a track for a jump of the whole clock, and moves all tracks by as much.
_JUMP = re.compile(r"timestamp discontinuity \(stream id=(-?\d+)\): (-?\d+)")
_DAMAGED = "corrupt decoded frame"  # of a picture: what was missing is made up
# It builds a graph again, and goes on as if nothing had been: what was first is what comes out.
_CHANGED = re.compile(r"\[fc#(\d+) @ \S+\] \[info\] .*(video|audio) parameters changed to ([^,(]+)")
_LATER = re.compile(r"New (\w+) stream with index (\d+) at pos:(\d+)")
_ABSENT = re.compile(r"stream (\d+) : no TS found at start of file")
_OF_OUTPUTS = "to muxer in stream"  # about the order of stamps, which `frame_times` judges


class DecoderWords:
    """Takes a log at `repeat+level+info`; only errors count as damage.

    `changed_formats` are the pixel formats that follow the first one, in order (one may be the
    first one again, with other tags), `changed_sounds` the graphs of sound with another rate, other
    channels or another format of samples. `later` are the kinds, indices and places in bytes of
    streams that appear: of several at once, the first. `absent` are the indices of those that are
    known, and not there where the file begins. `answered` counts those of all `steps` that go
    forward in one track and that another one undoes: it had gone on while the first paused (see
    `inspection.track_gaps`).
    """

    def __init__(self) -> None:
        self.changed_formats: list[str] = []
        self.changed_sounds: set[int] = set()
        self.later: list[tuple[str, int, int]] = []
        self.absent: set[int] = set()
        self._rest = b""
        self._first = ""
        self.errors = 0
        self.damaged_pictures = 0
        self.answered = self.steps = 0
        self._step = ("", 0)
        self.too_large = False

    @property
    def jumps(self) -> bool:
        return self.steps > 0

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace"))

    def findings(self) -> tuple[Words, ...]:
        errors = Words(
            f"the decoder reported {self.errors} errors, first: {self._first}",
            f"解码器报告 {self.errors} 个错误，第一个：{self._first}",
        )
        damaged = Words(
            f"pictures that cannot be decoded whole: {self.damaged_pictures}",
            f"不能完整解码的画面：{self.damaged_pictures} 幅",
        )
        jumps = Words(
            "the clock of the file jumps: its parts were recorded or cut together",
            "文件的时钟有跳变：由几次录制或几段剪辑拼成",
        )
        told = {errors: self.errors > 0, damaged: self.damaged_pictures > 0, jumps: self.jumps}
        return tuple(text for text, holds in told.items() if holds)

    def _line(self, line: str) -> None:
        self.too_large = self.too_large or "exceeds specified max pixel count" in line
        if jumped := _JUMP.search(line):
            self._jump(jumped[1], int(jumped[2]))
        self.damaged_pictures += line.endswith(_DAMAGED)
        if appeared := _LATER.search(line):
            self.later.append((appeared[1], int(appeared[2]), int(appeared[3])))
        if absent := _ABSENT.search(line):
            self.absent.add(int(absent[1]))
        if changed := _CHANGED.search(line):
            if changed[2] == "video":
                self.changed_formats.append(changed[3])
            else:
                self.changed_sounds.add(int(changed[1]))
        who, _, said = line.rpartition("] [error] ")
        if said and who.startswith("[") and _OF_OUTPUTS not in said:  # no speaker: a banner
            self._first = self._first or re.sub(r" @ 0x[0-9a-f]+", "", f"{who}] {said}")
            self.errors += 1

    def _jump(self, track: str, step_us: int) -> None:
        before, before_us = self._step
        least_us = PAUSE_S * 1_000_000
        self.answered += track != before and before_us > least_us and step_us < -least_us
        self._step = track, step_us
        self.steps += 1
