"""Small source clips, each with one thing that sources in the wild have."""

from __future__ import annotations

import random
import re
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from pipelines.colour.colour_maths import display_to_pq
from pipelines.profiles.vivid_sample import mark, packed
from pipelines.running.tools import ffmpeg

PICTURE = "testsrc2=s=320x180:r=25:d=2,format=yuv420p"
TONE = "sine=440:d=2:sample_rate=48000"
HDR_PICTURE = "testsrc2=s=320x180:r=50:d=1,format=yuv420p10le"
H264 = ("-c:v", "libx264", "-preset", "ultrafast")
_MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"


def make(out: Path, *options: str) -> Path:
    """Run ffmpeg with these options and `out`; its own words are the failure."""
    argv = [ffmpeg(), "-nostdin", "-y", "-v", "error", *options, str(out)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def generated(*graphs: str) -> list[str]:
    return [word for graph in graphs for word in ("-f", "lavfi", "-i", graph)]


def programme(folder: Path, name: str = "programme.mov", *options: str) -> Path:
    """50 pictures at 25 fps and a tone, H.264 and AAC."""
    return make(folder / name, *generated(PICTURE, TONE), *H264, "-c:a", "aac", *options)


def hdr(folder: Path, transfer: str) -> Path:
    """50 pictures of 10-bit BT.2020 at 50 fps; PQ carries HDR10's static metadata."""
    signal = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited"
    if transfer == "smpte2084":
        signal += f":hdr10=1:master-display={_MASTERING}:max-cll=1000,400"
    encoder = ("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1")
    params = ("-x265-params", f"log-level=error:{signal}")
    return make(folder / f"{transfer}.mp4", *generated(HDR_PICTURE), *encoder, *params)


def hdr10_plus(folder: Path) -> Path:
    """PQ with the smallest message of SMPTE ST 2094-40 that is valid in every picture: one window,
    its maxima, mean and one percentile, no curve.
    """
    numbers = "".join(f"{value:017b}" for value in (10_000, 10_000, 10_000, 2000))
    bits = f"{1:02b}{400:027b}0{numbers}{1:04b}{50:07b}{5000:017b}{0:010b}000"
    head = bytes([0xB5, 0x00, 0x3C, 0x00, 0x01, 4, 1])  # the USA, Samsung, application 4
    path = folder / "hdr10-plus.mp4"
    mark(hdr(folder, "smpte2084"), path, lambda _: head + packed(bits))
    return path


def dolby_vision(folder: Path) -> Path:
    """PQ with a unit of type 62 at the end of each picture, where an RPU stands: this one's content
    is made up.
    """
    path = folder / "dolby-vision.mp4"
    unit = bytes([62 << 1, 1, 0x19, *range(1, 32), 0x80])
    with av.open(str(hdr(folder, "smpte2084"))) as read, av.open(str(path), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        for packet in (one for one in read.demux(video=0) if one.size):
            made = av.Packet(bytes(packet) + len(unit).to_bytes(4, "big") + unit)
            made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
            made.is_keyframe, made.stream = packet.is_keyframe, stream
            write.mux(made)
    return path


def pq_codes(folder: Path, transfer: str) -> Path:
    """Ten pictures of PQ, graded on a display of 1000 cd/m² that clips, under any tags."""
    light = np.random.default_rng(1).lognormal(3.0, 1.6, 320 * 180)
    luma = np.rint(64 + 876 * display_to_pq(np.minimum(light, 1000.0))).astype("<u2")
    raw = folder / "pq.yuv"
    raw.write_bytes((luma.tobytes() + np.full(320 * 180, 512, "<u2").tobytes()) * 10)
    shape = ("-f", "rawvideo", "-pix_fmt", "yuv422p10le", "-s", "320x180", "-r", "25")
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    coder = ("-c:v", "libx264", "-profile:v", "high422", "-crf", "12")
    return make(folder / f"pq-as-{transfer}.mp4", *shape, "-i", str(raw), "-vf", tags, *coder)


def late_ts(folder: Path) -> Path:
    """A transport stream whose clock starts at ten hours."""
    offset = ("-output_ts_offset", "36000")
    return make(
        folder / "late.ts", *generated(PICTURE, TONE), *H264, "-c:a", "mp2", *offset, "-f", "mpegts"
    )


def tape_mxf(folder: Path, tracks: int = 8) -> Path:
    """Interlaced 576i with 64:45 pixels, eight mono tracks and a timecode.

    A tone a track, and one noise in all of them, as tracks of one programme have much in common.
    """
    picture = "testsrc2=s=720x576:r=50:d=1,interlace,setfield=tff,setsar=64/45,format=yuv422p"
    noise = "anoisesrc=a=0.05:seed=1:r=48000:d=1"
    tones = [
        f"sine={200 * (track + 1)}:d=1:sample_rate=48000[t];{noise}[n];[t][n]amix=normalize=0"
        for track in range(tracks)
    ]
    maps = [word for stream in range(tracks + 1) for word in ("-map", str(stream))]
    video = ("-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-b:v", "5M")
    sound = ("-c:a", "pcm_s24le", "-timecode", "10:00:00:00")
    return make(folder / "tape.mxf", *generated(picture, *tones), *maps, *video, *sound)


def edited(folder: Path) -> Path:
    """Its edit list starts half a second in, between two key frames."""
    whole = programme(folder, "whole.mov", "-g", "50")
    return make(folder / "edited.mov", "-ss", "0.5", "-i", str(whole), "-c", "copy")


def with_edits(path: Path, edits: Sequence[tuple[float, float]]) -> Path:
    """An MP4 or MOV of which each track shows these parts one after the other: start and length in
    seconds (ISO/IEC 14496-12, 8.6.6).
    """
    movie = bytearray(path.read_bytes())

    def number(name: bytes, begin: int) -> int:
        at = movie.index(name, begin) + 16
        return int.from_bytes(movie[at : at + 4], "big")

    index = movie.rindex(b"moov") - 4
    for found in reversed([*re.finditer(b"trak", movie[index:])]):
        track = index + found.start() - 4
        end = track + int.from_bytes(movie[track : track + 4], "big")
        movie_hz, media_hz = number(b"mvhd", index), number(b"mdhd", track)
        first = number(b"elst", track)
        listed = b"".join(
            struct.pack(">IiI", round(long * movie_hz), first + round(at * media_hz), 0x10000)
            for at, long in edits
        )
        elst = struct.pack(">I4sII", 16 + len(listed), b"elst", 0, len(edits)) + listed
        edts = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
        movie[track:end] = movie[track:end].replace(b"edts", b"free") + edts
        for box in (index, track):
            size = int.from_bytes(movie[box : box + 4], "big") + len(edts)
            movie[box : box + 4] = size.to_bytes(4, "big")
    path.write_bytes(movie)
    return path


def rotated(folder: Path) -> Path:
    """Filmed upright by a phone: stored 320x180, shown 180x320."""
    flat = programme(folder, "flat.mov")
    return make(folder / "rotated.mov", "-display_rotation", "90", "-i", str(flat), "-c", "copy")


def resized(folder: Path) -> Path:
    """A stream that goes from 320x180 to 640x360 after 25 pictures, as a channel may."""
    parts = [
        make(
            folder / f"{size}.h264",
            *generated(f"testsrc2=s={size}:r=25:d=1,format=yuv420p"),
            *H264,
        )
        for size in ("320x180", "640x360")
    ]
    path = folder / "resized.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def reformatted(folder: Path, *, of_tags: bool = False) -> Path:
    """A stream that goes from 4:2:0 to 4:2:2 after 25 pictures, or from one tag to another."""
    pixels = ("yuv420p", "yuv420p") if of_tags else ("yuv420p", "yuv422p")
    parts = [
        make(
            folder / f"{at}.h264",
            *generated(f"testsrc2=s=320x180:r=25:d=1,format={pix_fmt},setparams=colorspace={tag}"),
            *H264,
        )
        for at, (pix_fmt, tag) in enumerate(zip(pixels, ("bt709", "smpte170m"), strict=True))
    ]
    path = folder / "reformatted.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def remixed(folder: Path) -> Path:
    """Two AC-3 tracks beside a picture: the first goes from stereo to 5.1, as broadcasts do."""
    parts = [
        make(
            folder / f"{layout}.ac3",
            *generated("sine=440:d=1:sample_rate=48000"),
            *("-af", f"aformat=channel_layouts={layout}", "-c:a", "ac3"),
        )
        for layout in ("stereo", "5.1")
    ]
    both, plain = folder / "both.ac3", parts[0]
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    inputs = ("-i", str(programme(folder, "film.mov")), "-i", str(both), "-i", str(plain))
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2:a", "-c", "copy")
    return make(folder / "remixed.mkv", *inputs, *maps)


def unsteady(folder: Path) -> Path:
    """A 25 fps camera that dropped three pictures of every ten: 37 are left of 52."""
    dropped = r"select='not(between(mod(n\,10)\,3\,5))'"
    picture = f"testsrc2=s=320x180:r=25:d=2,{dropped},format=yuv420p"
    return make(folder / "unsteady.mp4", *generated(picture), "-fps_mode", "vfr", *H264)


def spoilt(source: Path, track: int, number: int) -> Path:
    """Two thirds of one packet are overwritten."""
    with av.open(str(source)) as container:
        packet = [one for one in container.demux(container.streams[track]) if one.size][number]
        start, end = packet.pos + packet.size // 3, packet.pos + packet.size
    whole = bytearray(source.read_bytes())
    whole[start:end] = random.Random(1).randbytes(end - start)
    path = source.with_name(f"spoilt-{source.name}")
    path.write_bytes(whole)
    return path


def cover_art(folder: Path) -> Path:
    """A programme with a still picture beside it, as music and film shops send them."""
    film = programme(folder, "film.mov")
    still = make(folder / "still.png", *generated("color=red:s=64x64"), "-frames:v", "1")
    copied = ("-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic")
    return make(folder / "cover.mp4", "-i", str(film), "-i", str(still), *copied)


def two_programmes(folder: Path) -> Path:
    """A small one (101, 440 Hz) and a larger one (102, 880 Hz) in one transport stream."""
    small, large = "testsrc2=s=160x90:r=25:d=2", "testsrc2=s=320x180:r=25:d=2"
    tones = ("sine=440:d=2:sample_rate=48000", "sine=880:d=2:sample_rate=48000")
    maps = [word for stream in "0213" for word in ("-map", stream)]
    named = (
        *("-program", "program_num=101:title=SD-ONE:st=0:st=1"),
        *("-program", "program_num=102:title=CCTV-4K:st=2:st=3"),
    )
    graphs = generated(small, large, *tones)
    coders = ("-pix_fmt", "yuv420p", *H264, "-c:a", "mp2", "-f", "mpegts")
    return make(folder / "two.ts", *graphs, *maps, *coders, *named)


def size(path: Path) -> tuple[int, int]:
    """Of the first picture."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return frame.width, frame.height


def tone_hz(path: Path) -> float:
    """The strongest frequency of a file's first sound track."""
    argv = [ffmpeg(), "-nostdin", "-v", "error", "-i", str(path), "-map", "0:a:0"]
    argv += ["-ac", "1", "-ar", "48000", "-f", "f32le", "-"]
    heard = np.frombuffer(subprocess.run(argv, check=True, capture_output=True).stdout, "<f4")
    return float(np.argmax(np.abs(np.fft.rfft(heard)))) * 48000 / len(heard)
