"""Whether every decoded frame has the same width, height and pixel format.

Ffmpeg rebuilds its filters and scales where a frame differs from the first one, without a word at
the level of errors. A strip along each side of the picture, written as it is, shows it by its size.
"""

from __future__ import annotations

BRANCHES = ("across", "down")
TAPS = tuple(f"raster_{branch}" for branch in BRANCHES)
# 16 samples hold whole groups of every chroma sampling.
CHAINS = (
    r"[across]crop=iw:min(ih\,16):0:0[raster_across]",
    r"[down]crop=min(iw\,16):ih:0:0[raster_down]",
)


def outputs() -> list[str]:
    written = ("-noautoscale", "-fps_mode", "passthrough", "-c:v", "rawvideo", "-f", "framecrc")
    return [word for tap in TAPS for word in ("-map", f"[{tap}]", *written, f"pipe:{tap}")]


class StripSizes:
    """Collects lines of framecrc: `stream, dts, pts, duration, size, crc`."""

    def __init__(self) -> None:
        self._rest = b""
        self._frames = 0
        self._first: bytes | None = None
        self.changes_at: int | None = None

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            if line and not line.startswith(b"#"):
                self._frame(line.split(b",")[4].strip())

    def _frame(self, size: bytes) -> None:
        self._first = self._first or size
        if size != self._first and self.changes_at is None:
            self.changes_at = self._frames
        self._frames += 1


def first_change(across: StripSizes, down: StripSizes) -> int | None:
    """The first frame that is unlike the one before, or `None` where all are alike."""
    found = [strip.changes_at for strip in (across, down) if strip.changes_at is not None]
    return min(found, default=None)
