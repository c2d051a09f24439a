"""Sources with subtitles and captions: what no encoder here writes is written byte by byte."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from tests.pipelines.sources import call

Pair = tuple[int, int]  # of bytes, without their parity

NOTHING: Pair = (0, 0)
PICTURE = "testsrc2=s=320x180:r={rate}:d={seconds}"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p")


def words(path: Path, cues: Sequence[tuple[str, str, str]]) -> Path:
    """A SubRip file; times as `00:00:02,000`."""
    text = "\n".join(
        f"{number}\n{start} --> {end}\n{said}\n"
        for number, (start, end, said) in enumerate(cues, 1)
    )
    path.write_text(text, "utf-8")
    return path


def subtitled(out: Path, texts: Sequence[Path], *options: str, seconds: float = 4) -> Path:
    """Four seconds of picture and sound at 25 fps with those subtitle files, in order."""
    picture = PICTURE.format(rate=25, seconds=seconds)
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"sine=r=48000:d={seconds}"]
    inputs += [word for path in texts for word in ("-i", str(path))]
    maps = [word for number in range(2 + len(texts)) for word in ("-map", str(number))]
    call(*inputs, *maps, *X264, "-c:a", "aac", *options, "-y", out)
    return out


def letters_as_pictures(path: Path, spans: Sequence[tuple[float, float]]) -> Path:
    """A Presentation Graphic Stream: one bar on the screen from each start to its end."""
    made = b""
    for number, (start_s, end_s) in enumerate(spans):
        made += _shown(start_s, 2 * number) + _hidden(end_s, 2 * number + 1)
    path.write_bytes(made)
    return path


_WIDTH, _HEIGHT = 48, 16  # of the bar
_WINDOW = struct.pack(">BBHHHH", 1, 0, 100, 150, _WIDTH, _HEIGHT)


def _segment(at_s: float, kind: int, body: bytes) -> bytes:
    return b"PG" + struct.pack(">IIBH", round(at_s * 90_000), 0, kind, len(body)) + body


def _shown(at_s: float, number: int) -> bytes:
    screen = struct.pack(">HHBHBBBB", 320, 180, 0x10, number, 0x80, 0, 0, 1)
    placed = screen + struct.pack(">HBBHH", 0, 0, 0, 100, 150)
    line = bytes([0, 0x80 | _WIDTH, 1, 0, 0])
    bar = struct.pack(">HH", _WIDTH, _HEIGHT) + line * _HEIGHT
    object_ = struct.pack(">HBB", 0, 0, 0xC0) + len(bar).to_bytes(3, "big") + bar
    palette = bytes([0, 0, 1, 235, 128, 128, 255])
    parts = ((0x16, placed), (0x17, _WINDOW), (0x14, palette), (0x15, object_), (0x80, b""))
    return b"".join(_segment(at_s, kind, body) for kind, body in parts)


def _hidden(at_s: float, number: int) -> bytes:
    screen = struct.pack(">HHBHBBBB", 320, 180, 0x10, number, 0, 0, 0, 0)
    parts = ((0x16, screen), (0x17, _WINDOW), (0x80, b""))
    return b"".join(_segment(at_s, kind, body) for kind, body in parts)


def packed(path: Path, tracks: Sequence[Sequence[bytes]], length_ms: int | None = 500) -> Path:
    """Matroska (RFC 9559) with tracks of SubRip, a cue a second, each packed by zlib."""
    entries, clusters = b"", list[bytes]()
    encodings = _ebml("6d80", _ebml("6240", _ebml("5034", _ebml("4254", b"\0"))))
    for number in range(1, len(tracks) + 1):
        named = _ebml("d7", bytes([number])) + _ebml("73c5", bytes([number]))
        entries += _ebml(
            "ae", named + _ebml("83", b"\x11") + _ebml("86", b"S_TEXT/UTF8") + encodings
        )
    for second in range(max(map(len, tracks))):
        groups = b""
        for number, said in enumerate(tracks, 1):
            if second < len(said):
                block = bytes([0x80 | number, 0, 0, 0]) + zlib.compress(said[second])
                said_ms = b"" if length_ms is None else struct.pack(">H", length_ms)
                length = _ebml("9b", said_ms) if said_ms else b""
                groups += _ebml("a0", _ebml("a1", block) + length)
        at = _ebml("e7", struct.pack(">I", second * 1000))
        clusters.append(_ebml("1f43b675", at + groups))
    info = _ebml("1549a966", _ebml("2ad7b1", struct.pack(">I", 1_000_000)))
    segment = info + _ebml("1654ae6b", entries) + b"".join(clusters)
    path.write_bytes(_ebml("1a45dfa3", _ebml("4282", b"matroska")) + _ebml("18538067", segment))
    return path


def _ebml(name: str, body: bytes) -> bytes:
    return bytes.fromhex(name) + struct.pack(">Q", 1 << 56 | len(body)) + body


def captioned(
    out: Path,
    rate: str,
    frames: int,
    said: Sequence[tuple[int, str]],
    *,
    interlaced: bool = False,
    packets: bool = False,
) -> Path:
    """H.264 with CEA-608 pop-on captions in every picture, CC1 and the same in CC3; each is loaded
    from a frame on, two letters a frame, and then shown. `packets` of CEA-708 bear the pictures'
    numbers.
    """
    pairs = [NOTHING] * frames
    for first, text in said:
        pairs[first : first + len(popped_on(text))] = popped_on(text)
    both = [(pair, pair) for pair in pairs]
    return with_pairs(out, rate, both, interlaced=interlaced, packets=packets)


def with_pairs(
    out: Path,
    rate: str,
    pairs: Sequence[tuple[Pair, Pair] | None],
    *,
    interlaced: bool = False,
    packets: bool = False,
    packets_from: int = 0,
) -> Path:
    """The same with what each picture's two fields say of captions; `None` has no place for any.
    Packets of CEA-708 begin with a picture.
    """
    bare = out.with_suffix(".264")
    fields_s = 2 * Fraction(rate) if interlaced else rate
    picture = PICTURE.format(rate=fields_s, seconds=60)
    woven = ("-vf", "interlace=lowpass=off", "-flags", "+ildct+ilme") if interlaced else ()
    coded = ("-bf", "0", "-x264-params", "slices=1:threads=1:aud=0", "-f", "h264")
    frames = ("-frames:v", str(len(pairs)))
    call("-f", "lavfi", "-i", picture, *frames, *woven, *X264, *coded, "-y", bare)
    numbers = range(packets_from if packets else len(pairs), len(pairs))
    bare.write_bytes(_with_captions(bare.read_bytes(), pairs, numbers))
    sound = ("-f", "lavfi", "-i", "sine=r=48000")
    call("-r", rate, "-i", bare, *sound, "-shortest", "-c:v", "copy", "-c:a", "aac", "-y", out)
    return out


def with_caption_track(out: Path, said: Sequence[tuple[int, Sequence[Pair]]]) -> Path:
    """Five seconds with a track of CEA-608 (QuickTime's `c608`): pairs of the first field from
    a second on.
    """
    text = ["Scenarist_SCC V1.0"]
    for second, pairs in said:
        coded = "".join(f" {_odd(first):02x}{_odd(last):02x}" for first, last in pairs)
        text.append(f"00:00:{second:02}:00\t{coded.strip()}")
    path = out.with_suffix(".scc")
    text.append("00:00:09:00\t8080")  # ffmpeg leaves the last one out
    path.write_text("\n\n".join([*text, ""]))
    picture = PICTURE.format(rate=25, seconds=5)
    call("-f", "lavfi", "-i", picture, "-i", path, *X264, "-c:s", "copy", "-y", out)
    return out


def with_ancillary(out: Path, captions: Path, rate: str, frames: int) -> Path:
    """An MXF whose track of ancillary data (SMPTE ST 436-1) says what the pictures of another file
    say in captions; its own pictures say nothing.
    """
    seconds = float(frames / Fraction(rate))
    inputs = [f"movie={captions}[out+subcc]", PICTURE.format(rate=rate, seconds=seconds)]
    inputs.append(f"sine=r=48000:d={seconds}")
    words = [word for one in inputs for word in ("-f", "lavfi", "-i", one)]
    maps = ("-map", "1", "-map", "2", "-map", "0:s", "-frames:v", str(frames))
    coded = ("-c:v", "mpeg2video", "-b:v", "2M", "-c:a", "pcm_s16le", "-c:s", "copy")
    call(*words, *maps, *coded, "-bsf:s", "eia608_to_smpte436m", "-y", out)
    return out


def _odd(letter: int) -> int:
    """With its parity."""
    return letter | (0 if letter.bit_count() % 2 else 0x80)


def popped_on(text: str) -> list[Pair]:
    """Resume loading, erase, row 15, the letters, and end of caption (CTA-608-E, 8.3)."""
    begin = [(0x14, 0x20)] * 2 + [(0x14, 0x2E)] * 2 + [(0x14, 0x70)] * 2
    even = text + " " * (len(text) % 2)
    letters = [(ord(even[at]), ord(even[at + 1])) for at in range(0, len(even), 2)]
    return [*begin, *letters, (0x14, 0x2F), (0x14, 0x2F)]


def _with_captions(
    stream: bytes, pairs: Sequence[tuple[Pair, Pair] | None], packets: range
) -> bytes:
    """A message before each picture, which is one slice."""
    start, made, count = b"\0\0\0\1", b"", 0
    for unit in stream.replace(start, b"\0\0\1").replace(b"\0\0\1", start).split(start)[1:]:
        if unit[0] & 0x1F in (1, 5):
            said = pairs[count]
            made += start + _message(said, count if count in packets else None) if said else b""
            count += 1
        made += start + unit
    assert count == len(pairs), "one slice a picture"
    return made


def _message(fields: Sequence[Pair], number: int | None) -> bytes:
    """SEI of type 4 (ITU-T H.264, D.1.6) around ATSC A/53's `cc_data`; nothing to escape in it."""
    pairs = [
        bytes([kind, *map(_odd, pair)]) for kind, pair in zip((0xFC, 0xFD), fields, strict=True)
    ]
    if number is not None:
        pairs += [bytes([kind, 0x42, 0x20 + number % 96]) for kind in (0xFF, 0xFE)]
    told = b"\xb5\x00\x31GA94\x03" + bytes([0xC0 | len(pairs), 0xFF])
    told += b"".join(pairs) + b"\xff"
    return b"\x06\x04" + bytes([len(told)]) + told + b"\x80"
