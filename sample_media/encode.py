"""Pictures and sound into a file by ffmpeg, with nothing in it that differs from run to run."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

from pipelines.running import tools
from sample_media.light import Chroma, Planes
from sample_media.sound import SAMPLE_RATE_HZ, Samples, to_pcm

BITEXACT = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"]
BITEXACT_FIELDS = [
    "-fflags",
    "+bitexact",
    "-flags:v",
    "+bitexact+ildct+ilme",
    "-flags:a",
    "+bitexact",
]


class SampleFailed(RuntimeError):
    """ffmpeg did not make the sample; the text holds what it said."""


def picture_input(size: tuple[int, int], rate: Fraction, chroma: Chroma) -> list[str]:
    """The options that read raw 10-bit pictures from the standard input."""
    width, height = size
    rate_text = f"{rate.numerator}/{rate.denominator}"
    pixels = f"yuv{chroma}p10le"
    return [
        "-f",
        "rawvideo",
        "-pix_fmt",
        pixels,
        "-s",
        f"{width}x{height}",
        "-r",
        rate_text,
        "-i",
        "-",
    ]


def sound_input(path: Path, layout: str) -> list[str]:
    """The options that read what `to_pcm` wrote; `layout` is ffmpeg's name, as 5.1."""
    return ["-f", "s32le", "-ar", str(SAMPLE_RATE_HZ), "-ch_layout", layout, "-i", str(path)]


def write(
    path: Path,
    *,
    inputs: Sequence[str],
    options: Sequence[str],
    pictures: Iterable[Planes] = (),
    sound: tuple[Samples, str] | None = None,
    interlaced: bool = False,
    sound_delay_s: Fraction = Fraction(0),
) -> None:
    """Run ffmpeg with raw pictures on its standard input and `sound` (samples, layout) as a file.

    The file appears at `path` only when it is whole. `sound_delay_s` leaves out that much of the
    beginning of the sound, and starts its track so much later.
    """
    with tempfile.TemporaryDirectory(prefix=".sample-", dir=path.parent) as folder:
        partial = Path(folder) / path.name
        heard: list[str] = []
        if sound is not None:
            pcm = Path(folder) / "sound.pcm"
            pcm.write_bytes(to_pcm(sound[0][round(sound_delay_s * SAMPLE_RATE_HZ) :]))
            heard = sound_input(pcm, sound[1])
        late = ["-af", f"asetpts=PTS+{float(sound_delay_s)}/TB"] if sound_delay_s else []
        exact = BITEXACT_FIELDS if interlaced else BITEXACT
        run([*inputs, *heard, *late, *options, *exact, str(partial)], pictures)
        partial.replace(path)


def run(arguments: Sequence[str], pictures: Iterable[Planes] = ()) -> None:
    """Run ffmpeg, feeding it pictures as they are made; raises `SampleFailed` with its words."""
    argv = [tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "error", "-y", *arguments]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=said) as child,
    ):
        broken = _feed(child, pictures)
        if child.wait() or broken:
            said.seek(0)
            text = said.read()[-2000:].decode(errors="replace")
            raise SampleFailed(f"ffmpeg could not make {arguments[-1]}: {text}")


def _feed(child: subprocess.Popen[bytes], pictures: Iterable[Planes]) -> bool:
    """Write every plane; true when ffmpeg closed its end before the last one."""
    pipe = child.stdin
    if pipe is None:
        return True
    if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux: a 4K picture is 33 MB, so wake ffmpeg less often
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)
    try:
        for picture in pictures:
            for plane in (picture.y, picture.cb, picture.cr):
                pipe.write(plane.data)
        pipe.close()
    except BrokenPipeError:
        return True
    return False
