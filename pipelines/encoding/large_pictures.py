"""How pictures larger than UHD are worked on, so that no step's memory grows with the cores. Pure.

One of 4320p takes 100 MB in 10 bits. Ffmpeg's decoders hold one more for each thread, of which they
take one a core, up to 16; x265 holds six for each frame that it codes at once, up to six on 32
cores. That would be 4 GB more there than on two cores, and what a plan foresees would be true of
one machine alone.
"""

from __future__ import annotations

_UHD_PIXELS = 4096 * 2304
# Libdavs2 with two threads and more gives other pictures now and then: 3 of 36 decodes on a busy
# machine, from somewhere in a GOP to its end, and says nothing. With one 12 of 12 were equal.
_ONE_THREAD = frozenset({"avs2"})
DECODER_THREADS = 4  # [P] many times faster than what a 4320p encode takes
# Frames that x265 codes at once: what it takes by itself on 2 cores. Its rows of blocks keep the
# cores busy: 67 rows of 64 lines at 4320p, up to 32 of them at once.
FRAME_THREADS = 1
# In a row: presets of x265 but the fastest have 4 and more. One less holds 0.3 GB less, for 0.0,
# 0.0 and -0.2 % bits at equal XPSNR with a lookahead of 8 frames (three clips, 432p and 540p).
B_FRAMES = 3


def is_large(width: int, height: int) -> bool:
    return width * height > _UHD_PIXELS


def decoder_threads(size: tuple[int, int] | None, codec: str | None = None) -> int | None:
    """Of a decoder of pictures of that width and height, or `None`: as many as it likes."""
    if codec in _ONE_THREAD:
        return 1
    return DECODER_THREADS if size and is_large(*size) else None


def decoder_options(size: tuple[int, int] | None, codec: str | None = None) -> dict[str, int]:
    """Ffmpeg's options of an input, as ffmpeg-python takes them."""
    threads = decoder_threads(size, codec)
    return {} if threads is None else {"threads": threads}


def decoder_words(size: tuple[int, int] | None, codec: str | None = None) -> tuple[str, ...]:
    """The same before `-i` in a command that is written out."""
    threads = decoder_threads(size, codec)
    return () if threads is None else ("-threads", str(threads))
