"""What cameras and phones write, as far as ffmpeg can write it: essence, and odd tracks by hand."""

from __future__ import annotations

from pathlib import Path

from clips import H264, generated, make

PICTURE = "testsrc2=s=320x180:r=25:d=1"
TONE = "sine=440:d=1:sample_rate=48000"
HLG = "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc:range=limited"


def prores_xq(folder: Path) -> Path:
    """ProRes 4444 XQ with an alpha channel, and a timecode."""
    coder = ("-c:v", "prores_ks", "-profile:v", "5", "-pix_fmt", "yuva444p10le")
    return make(folder / "xq.mov", *generated(PICTURE), *coder, "-timecode", "01:00:00:00")


def hevc_422(folder: Path) -> Path:
    """HEVC 4:2:2 10 with 24-bit sound and a timecode."""
    coder = ("-c:v", "libx265", "-x265-params", f"log-level=error:{HLG}", "-tag:v", "hvc1")
    more = ("-pix_fmt", "yuv422p10le", "-c:a", "pcm_s24le", "-timecode", "01:00:00:00")
    return make(folder / "hevc.mov", *generated(PICTURE, TONE), *coder, *more)


def xavc_s(folder: Path) -> Path:
    """As XAVC-S's intra pictures are: High 4:2:2 Intra with PCM in MP4."""
    coder = ("-c:v", "libx264", "-pix_fmt", "yuv422p10le", "-g", "1", "-c:a", "pcm_s16be")
    return make(folder / "xavcs.mp4", *generated(PICTURE, TONE), *coder)


def phone(folder: Path) -> Path:
    """HLG as a phone held upright records it, turned for display."""
    params = f"log-level=error:{HLG}"
    coder = ("-c:v", "libx265", "-x265-params", params, "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1")
    flat = make(folder / "flat.mov", *generated(PICTURE, TONE), *coder, "-c:a", "aac")
    return make(folder / "phone.mov", "-display_rotation", "-90", "-i", str(flat), "-c", "copy")


def with_track(folder: Path, source: Path, kind: bytes, handler: bytes) -> Path:
    """`source` with one more track, whose samples are of a `kind` that nobody decodes.

    A second track of sound is written, and then called something else.
    """
    spare = ("-i", str(source), *generated("sine=100:d=1:sample_rate=8000"))
    maps = ("-map", "0", "-map", "1", "-c", "copy", "-c:a:1", "pcm_s16be", "-map_metadata", "0")
    out = folder / f"{kind.decode().strip()}.mov"
    make(out, *spare, *maps, "-strict", "experimental")
    content = out.read_bytes()
    at = content.rindex(b"twos")
    begins = content.rindex(b"soun", 0, at)
    content = content[:at] + kind + content[at + 4 :]
    out.write_bytes(content[:begins] + handler + content[begins + 4 :])
    return out


def plain(folder: Path) -> Path:
    """H.264 and AAC, for what comes beside them."""
    return make(folder / "plain.mov", *generated(PICTURE, TONE), *H264, "-pix_fmt", "yuv420p")
