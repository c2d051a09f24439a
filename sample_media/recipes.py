"""How each sample is made: its pictures, its sound, and the options that ffmpeg gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from sample_media import encode, sound, tape
from sample_media.programme import Format, pictures

Make = Callable[[Path, Fraction, int], None]

HLG = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
PQ = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"
SDR = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
CHANNELS = {"stereo": 2, "5.1": 6, "octagonal": 8}
# SMPTE ST 2086 in x265's units: a P3-D65 display of 0.0001 to 1000 cd/m².
MASTER_DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
# In cd/m²; MaxCLL over all but 1 in 10,000 samples, because subsampled colour edges overshoot.
MAX_CLL, MAX_FALL = 1050, 90
TS_START_S = 36_000
# With a thread of its own for the lookahead, x264 codes the last frames of a stream by how far
# that thread has come when the stream ends: 16 of 300 encodes under load differed, none without.
H264 = [
    *("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", "4"),
    *("-x264-params", "sync-lookahead=0"),
]


def wide(height: int) -> tuple[int, int]:
    """A 16:9 raster of that height, both even."""
    return (round(height * 8 / 9) * 2, height // 2 * 2)


def show(
    path: Path,
    shape: Format,
    seconds: Fraction,
    options: list[str],
    layout: str = "stereo",
    *,
    before: tuple[str, ...] = (),
    interlaced: bool = False,
    sound_delay_s: Fraction = Fraction(0),
) -> None:
    """Write the programme in that format, with a tone a channel and a click at every flash."""
    frames = round(seconds * shape.rate)
    base = round(shape.rate)
    flashes_s = [first / shape.rate for first in range(0, frames, base)]
    encode.write(
        path,
        inputs=[*before, *encode.picture_input(shape.size, shape.rate, shape.chroma)],
        options=options,
        pictures=pictures(shape, frames),
        sound=(sound.tones(frames / shape.rate, CHANNELS[layout], flashes_s), layout),
        interlaced=interlaced,
        sound_delay_s=sound_delay_s,
    )


def programme_2160p50_hlg(path: Path, seconds: Fraction, height: int) -> None:
    """XAVC-style: H.264 High 4:2:2 Intra at 500 Mb/s (class 300), as a post house delivers.

    The class exists for 2160 lines alone; smaller copies take the same coder at a fixed quantiser.
    """
    shape = Format(wide(height), Fraction(50), "hlg", "422", f"KAPOK {height}p50 HLG BT.2020")
    intra = ["-avcintra-class", "300"] if height == 2160 else ["-qp", "16", "-g", "1"]
    options = [
        *("-vf", HLG),
        *("-c:v", "libx264", "-preset", "ultrafast", *intra),
        *("-threads", "4"),  # the rate control depends on the number of threads
        *("-chroma_sample_location", "left"),
        *("-c:a", "pcm_s24le", "-timecode", "10:00:00:00"),
    ]
    show(path, shape, seconds, options, "5.1")


def programme_pq(path: Path, seconds: Fraction, height: int) -> None:
    """HDR10: HEVC Main10 with mastering display and content light, in stream and container."""
    shape = Format(wide(height), Fraction(50), "pq", "420", f"KAPOK {height}p50 PQ BT.2020")
    static = f"hdr10=1:master-display={MASTER_DISPLAY}:max-cll={MAX_CLL},{MAX_FALL}"
    options = [
        *("-vf", PQ + ",setparams=chroma_location=topleft"),  # BT.2100 4:2:0 is sited top left
        *("-c:v", "libx265", "-preset", "superfast", "-qp", "20", "-tag:v", "hvc1"),
        *("-x265-params", f"log-level=error:info=0:frame-threads=2:keyint=50:{static}"),
        *("-c:a", "aac", "-b:a", "192k", "-movflags", "+faststart"),
    ]
    show(path, shape, seconds, options)


def tape_1080i25(path: Path, seconds: Fraction, height: int) -> None:
    """AVC-Intra 100 in MXF, top field first, from a tape machine with worn heads."""
    scan = tape.Scan(wide(height), top_first=True)
    intra = ["-avcintra-class", "100"] if height == 1080 else ["-qp", "16", "-g", "1"]
    options = [
        *("-vf", SDR + ":field_mode=tff"),
        *("-c:v", "libx264", "-preset", "ultrafast", *intra, "-x264-params", "tff=1"),
        *("-threads", "4", "-c:a", "pcm_s24le", "-timecode", "10:00:00:00"),
    ]
    _show_tape(path, scan, seconds, options)


def sd_576i_4x3(path: Path, seconds: Fraction, height: int) -> None:
    """DV: 25 Mb/s, bottom field first, pixels of 16:15, no colour tags. DV has this one raster."""
    del height
    scan = tape.Scan((720, 576), top_first=False, pixel_aspect=16 / 15)
    options = [
        *("-vf", "setparams=field_mode=bff,scale=interl=1,format=yuv420p,setdar=4/3"),
        *("-c:v", "dvvideo", "-c:a", "pcm_s16le"),
    ]
    _show_tape(path, scan, seconds, options)


def _show_tape(path: Path, scan: tape.Scan, seconds: Fraction, options: list[str]) -> None:
    rate = Fraction(25)
    encode.write(
        path,
        inputs=encode.picture_input(scan.size, rate, "422"),
        options=options,
        pictures=tape.frames(scan, round(seconds * rate)),
        sound=(sound.tape_hiss(sound.plucked(seconds, 2)), "stereo"),
        interlaced=True,
    )


def mxf_8mono(path: Path, seconds: Fraction, height: int) -> None:
    """XDCAM-style: MPEG-2 4:2:2 at 50 Mb/s, 1080i25, eight mono tracks of 24-bit PCM."""
    shape = Format(wide(height), Fraction(50), "sdr", "422", f"KAPOK {height}i25 SDR BT.709")
    mono = ";".join(f"[s{n}]pan=mono|c0=c{n}[a{n}]" for n in range(8))
    split = "[1:a]asplit=8" + "".join(f"[s{n}]" for n in range(8))
    woven = f"[0:v]interlace=scan=tff,format=yuv422p,{SDR}:field_mode=tff[v]"
    options = [
        *("-filter_complex", f"{woven};{split};{mono}"),
        *("-map", "[v]", *(word for n in range(8) for word in ("-map", f"[a{n}]"))),
        *("-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-q:v", "3", "-threads", "1"),
        *("-c:a", "pcm_s24le", "-timecode", "10:00:00:00"),
    ]
    show(path, shape, seconds, options, "octagonal", interlaced=True)


def dpx_sequence(path: Path, seconds: Fraction, height: int) -> None:
    """A folder of 10-bit DPX film frames at 24 a second, numbered from one hour on."""
    size = (round(height * 2048 / 1556 / 2) * 2, height // 2 * 2)
    shape = Format(size, Fraction(24), "sdr", "422", "KAPOK 2K SCAN")
    path.mkdir(parents=True, exist_ok=True)
    options = ["-vf", f"{SDR},scale=out_range=pc,format=gbrp10be", "-c:v", "dpx"]
    encode.run(
        [
            *encode.picture_input(shape.size, shape.rate, shape.chroma),
            *(*options, *encode.BITEXACT, "-start_number", "86400"),
            str(path / "scan_%07d.dpx"),
        ],
        pictures(shape, round(seconds * shape.rate)),
    )


def wav_24bit(path: Path, seconds: Fraction, height: int) -> None:
    """A broadcast wave of plucked strings, stereo, 48 kHz, 24 bits, with a bext chunk."""
    del height
    words = {
        "description": "Kapok sample: plucked strings",
        "originator": "kapok",
        "origination_date": "2026-01-01",
        "origination_time": "10:00:00",
        "time_reference": str(10 * 3600 * sound.SAMPLE_RATE_HZ),
    }
    bext = [part for key, value in words.items() for part in ("-metadata", f"{key}={value}")]
    options = ["-c:a", "pcm_s24le", "-write_bext", "1", *bext]
    encode.write(path, inputs=[], options=options, sound=(sound.plucked(seconds, 2), "stereo"))


def phone_rotated(path: Path, seconds: Fraction, height: int) -> None:
    """A phone held upright: stored lying on its side, with a matrix that turns it for display."""
    width, tall = wide(height)
    shape = Format((tall, width), Fraction(30), "sdr", "420", "KAPOK PHONE")
    options = [
        *("-vf", f"transpose=cclock,format=yuv420p,{SDR}"),
        *H264,
        *("-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart"),
    ]
    turn = ("-noautorotate", "-display_rotation", "-90")
    show(path, shape, seconds, options, before=turn)


def vfr(path: Path, seconds: Fraction, height: int) -> None:
    """Frames left out and times that wander by 3 ms, as a phone in poor light records."""
    shape = Format(wide(height), Fraction(50), "sdr", "420", "KAPOK VARIABLE RATE")
    keep = "select='eq(mod(n,50),0)+gt(mod(n*7,13),5)'"
    wander = "settb=1/90000,setpts='PTS+if(mod(PTS,90000),270*sin(PTS),0)'"
    options = [
        *("-vf", f"{keep},{wander},format=yuv420p,{SDR}"),
        *("-fps_mode", "passthrough", "-enc_time_base", "1/90000"),
        *H264,
        *("-video_track_timescale", "90000", "-c:a", "aac", "-b:a", "128k"),
    ]
    show(path, shape, seconds, options)


def mov_edit_list(path: Path, seconds: Fraction, height: int) -> None:
    """A cut from a longer take by stream copy: an edit list hides the frames before it."""
    shape = Format(wide(height), Fraction(25), "sdr", "420", "KAPOK EDIT LIST")
    before_s = Fraction(4, 5)
    options = [
        *("-vf", f"format=yuv420p,{SDR}"),
        *H264,
        *("-g", "100"),
        *("-c:a", "aac", "-b:a", "128k"),
    ]
    with TemporaryDirectory(prefix=".sample-", dir=path.parent) as folder:
        take, cut = Path(folder) / "take.mov", Path(folder) / "cut.mov"
        show(take, shape, seconds + before_s, options)
        seek = ["-ss", str(float(before_s)), "-i", str(take), "-c", "copy"]
        encode.run([*seek, *encode.BITEXACT, str(cut)])
        cut.replace(path)


def ts_nonzero_start(path: Path, seconds: Fraction, height: int) -> None:
    """A piece of a running transport stream: ten hours on its clock, sound 80 ms after picture."""
    shape = Format(wide(height), Fraction(25), "sdr", "420", "KAPOK TRANSPORT STREAM")
    options = [
        *("-vf", f"format=yuv420p,{SDR}"),
        *H264,
        *("-g", "25"),
        *("-c:a", "ac3", "-b:a", "192k"),
        *("-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", str(TS_START_S)),
    ]
    show(path, shape, seconds, options, sound_delay_s=Fraction(2, 25))


def stereo_30000_1001(path: Path, seconds: Fraction, height: int) -> None:
    """29.97 frames a second with a drop-frame timecode track."""
    rate = Fraction(30000, 1001)
    shape = Format(wide(height), rate, "sdr", "420", f"KAPOK {height}p29.97")
    options = [
        *("-vf", f"format=yuv420p,{SDR}"),
        *H264,
        *("-c:a", "aac", "-b:a", "192k", "-timecode", "10:00:00;00"),
    ]
    show(path, shape, seconds, options)


RECIPES: Mapping[str, Make] = {
    make.__name__: make
    for make in (
        programme_2160p50_hlg,
        tape_1080i25,
        sd_576i_4x3,
        mxf_8mono,
        dpx_sequence,
        wav_24bit,
        programme_pq,
        phone_rotated,
        vfr,
        mov_edit_list,
        ts_nonzero_start,
        stereo_30000_1001,
    )
}
