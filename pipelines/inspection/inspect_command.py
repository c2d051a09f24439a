"""The one ffmpeg command of `inspect`: a single decode, and every measurement hung on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.colour.colour_filters import lut_file, to_709, to_table
from pipelines.colour.colour_methods import parameters_of
from pipelines.colour.colour_types import Conversion
from pipelines.colour.source_colour import (
    complete_colour,
    readable_colour,
    source_as_it_is,
    to_full_range,
)
from pipelines.encoding.large_pictures import decoder_words
from pipelines.encoding.picture_filters import can_turn, turning
from pipelines.encoding.scaling import finer_chroma
from pipelines.inspection import active_picture, light, posters, raster_watch, storyboard, thumbs
from pipelines.inspection.fields import MAX_INTERLACED_HEIGHT, idet
from pipelines.inspection.posters import CANDIDATES
from pipelines.inspection.storyboard import SPRITES, Tiles
from pipelines.media import AudioTrack, MediaInfo, VideoTrack
from pipelines.planning.plan_sound import default_mixes
from pipelines.planning.plan_types import AudioPlan
from pipelines.running.raw_frames import FrameShape
from pipelines.running.tools import ffmpeg
from pipelines.sound import sound_mix
from pipelines.sound.loudness import EBUR128
from pipelines.sources.containers import PICTURE_INPUT, clock_words, may_jump, sound_words

_GREY_LONG_SIDE = 320
_LEVELS_LONG_SIDE = 192
_PICK_LONG_SIDE = 960  # first every n-th pixel, then an average: a quarter of the cost of averaging
_FAST_BPS = 100_000_000  # [P] few recordings have more; one of less gets more tiles, in proportion
_LEAST_S = Fraction(10)  # [P] of what says nothing: tiles as close as they ever are
# The source's clock may stand still, and the count begins anew with each change of the raster or of
# a tag, where ffmpeg builds the graph again; together they rise.
_RISING = r"settb=1/1000000,setpts='if(isnan(PTS)\,N\,PTS+N)'"
_SWSCALE_MATRICES = {"bt709": "bt709", "bt2020nc": "bt2020", "smpte240m": "smpte240m"}


@dataclass(frozen=True, slots=True)
class PictureTaps:
    """What the command writes about the picture, and how its frames are shaped."""

    grey: FrameShape
    levels: FrameShape | None
    levels_depth: int
    tiles: Tiles
    poster_every_frames: int
    fields: bool
    thumbs: bool
    light: bool


def picture_taps(
    info: MediaInfo, picture: VideoTrack, *, keep_thumbs: bool, measure_light: bool = False
) -> PictureTaps:
    depth = min(max(picture.bit_depth, 8), 16)
    lasts_s = expected_s(info)
    tiles = storyboard.lay_out(picture.display_size, picture.frame_rate, lasts_s)
    coded = not picture.pix_fmt.startswith(("gbr", "rgb", "bgr", "xyz"))
    return PictureTaps(
        grey=FrameShape(1, *_fitted(picture.display_size, _GREY_LONG_SIDE)),
        levels=FrameShape(
            3, *_fitted(picture.display_size, _LEVELS_LONG_SIDE), wide_samples=depth > 8
        )
        if coded
        else None,
        levels_depth=depth,
        tiles=tiles,
        poster_every_frames=posters.spread(tiles.every_frames, lasts_s * picture.frame_rate),
        fields=picture.height <= MAX_INTERLACED_HEIGHT,
        thumbs=keep_thumbs,
        light=measure_light,
    )


def expected_s(info: MediaInfo) -> Fraction:
    """How long it may well be: what is kept of it is spaced by that.

    Where a clock begins anew the first stamp and the last one say nothing: ten hours may claim a
    second. A stream without a clock claims nothing.
    """
    claimed_s = info.duration_s or Fraction(0)
    if claimed_s and not may_jump(info.format_name):
        return claimed_s
    by_size_s = Fraction(8 * info.size_bytes, _FAST_BPS)
    return max(claimed_s, by_size_s, Fraction(0) if claimed_s else _LEAST_S)


def command(
    path: Path,
    info: MediaInfo,
    taps: PictureTaps | None,
    folder: Path,
    *,
    track_gaps: bool = False,
) -> list[str]:
    """The argv; `pipe:NAME` are the taps that `inspect` listens to. `folder` gets the images.

    The first graph is the picture's, where there is one, then each sound track has its own:
    `decoder_words` counts on that.
    """
    size = (info.picture.width, info.picture.height) if info.picture else None
    upright = ["-noautorotate"] if info.picture and _turns_itself(info.picture) else []
    argv = [ffmpeg(), "-v", "repeat+level+info", *PICTURE_INPUT, *upright]
    codec = info.picture.codec if info.picture else None
    argv += [*decoder_words(size, codec), *sound_words(track.codec for track in info.audio)]
    argv += [*clock_words(track_gaps=track_gaps), "-i", str(path)]
    if info.picture and taps:
        argv += _picture_outputs(info.picture, taps, folder)
    for number, track in enumerate(info.audio):
        argv += _sound_output(number, track)
    for number, mix in enumerate(default_mixes(info.audio)):
        argv += _mix_output(number, mix, info.audio)
    return argv


def lut_of(picture: VideoTrack) -> Path | None:
    """The table that turns an HDR picture into one for an ordinary screen."""
    kinds: dict[str, Conversion] = {"hlg": "hlg_to_sdr", "pq": "pq_to_sdr"}
    conversion = kinds.get(picture.colour.dynamic_range)
    if conversion is None:
        return None
    return lut_file(conversion, parameters_of(conversion, picture.mastering_display))


def tables_read(picture: VideoTrack, taps: PictureTaps) -> list[Path]:
    """What the command opens besides the source."""
    tables = (lut_of(picture), light.table_of(picture) if taps.light else None)
    return [table for table in tables if table]


def _picture_outputs(picture: VideoTrack, taps: PictureTaps, folder: Path) -> list[str]:
    return [
        *("-filter_complex", _picture_graph(picture, taps)),
        *("-map", "[grey]", "-fps_mode", "passthrough", "-enc_time_base", "filter"),
        *("-stats_enc_pre:0", "pipe:times", "-stats_enc_pre_fmt:0", "{pts} {tb}"),
        *("-c:v", "rawvideo", "-f", "rawvideo", "pipe:grey"),
        *(_levels_output() if taps.levels else ()),
        *image_files(folder),
        *(thumbs.output(folder) if taps.thumbs else ()),
        *(light.outputs() if taps.light else ()),
        *raster_watch.outputs(),
    ]


def image_files(folder: Path) -> list[str]:
    """Ffmpeg's words for the outputs of `image_chains`."""
    return [
        *("-map", "[poster]", *_jpeg(3), _numbered(folder, CANDIDATES)),
        *("-map", "[tiles]", *_jpeg(4), _numbered(folder, SPRITES)),
    ]


def _levels_output() -> tuple[str, ...]:
    passthrough = ("-map", "[levels]", "-fps_mode", "passthrough")
    return (*passthrough, "-c:v", "rawvideo", "-f", "rawvideo", "pipe:levels")


def _jpeg(quality: int) -> tuple[str, ...]:
    clock = ("-fps_mode", "passthrough", "-enc_time_base:v", "1/1000000")
    return (*clock, "-c:v", "mjpeg", "-q:v", str(quality), "-f", "image2")


def _numbered(folder: Path, name: str) -> str:
    return f"{str(folder).replace('%', '%%')}/{name}"


def _turns_itself(picture: VideoTrack) -> bool:
    """Whether the graph turns the picture, and not ffmpeg, which would do it before fields are
    looked at: they are lines, and a quarter turn makes columns of them.
    """
    return bool(picture.rotation_deg) and can_turn(picture.rotation_deg) and not picture.mirrored


def _picture_graph(picture: VideoTrack, taps: PictureTaps) -> str:
    branches = ["a", "e"]
    chains = [_grey_chain(taps.grey, picture), *image_chains(picture, taps), *raster_watch.CHAINS]
    colour = complete_colour(picture)
    chains.append(f"[e]{active_picture.chain(colour, picture.frame_rate)}")
    if taps.thumbs:
        branches.append("t")
        chains.append(f"[t]{thumbs.CHAIN}[thumbs]")
    if taps.levels:
        branches.append("c")
        chains.append(_levels_chain(taps.levels, taps.levels_depth))
    if taps.light:
        branches.append("h")
        table = light.table_of(picture)
        named = _escaped(table) if table else None
        chains += light.chains(picture, named, _at_full_range(picture))
    stored = ["b"]
    if taps.fields:
        stored.append("d")
        looked = idet(picture.frame_rate)
        chains.append(rf"[d]{looked},metadata=print:file='pipe\:fields',nullsink")
    frames, filters = f"[0:{picture.index}]", source_as_it_is(picture)
    if picture.is_rgb:  # else one branch that takes Y'CbCr alone may have it made for all
        filters += f"format={picture.pix_fmt},"
    if filters:  # after which no change of the pixel format is seen
        chains.append(f"{frames}{_split([*raster_watch.BRANCHES, 'shown'])}")
        frames = f"[shown]{filters}"
    else:
        stored += raster_watch.BRANCHES
    if not _turns_itself(picture):
        return ";".join([f"{frames}{_split(stored + branches)}", *chains])
    upright = f"[upright]{turning(picture.rotation_deg)}{_split(branches)}"
    return ";".join([f"{frames}{_split([*stored, 'upright'])}", upright, *chains])


def _split(branches: Sequence[str]) -> str:
    return f"split={len(branches)}{''.join(f'[{branch}]' for branch in branches)}"


def _grey_chain(shape: FrameShape, picture: VideoTrack) -> str:
    """Luma on legal 8-bit code, whatever the source; every frame."""
    pick = ""
    if max(picture.display_size) > _PICK_LONG_SIDE:
        height, width = _fitted(picture.display_size, _PICK_LONG_SIDE)
        pick = f"scale={width}:{height}:flags=neighbor,"
    small = f"scale={shape.width}:{shape.height}:flags=area:out_range=tv"
    return f"[a]{pick}{_at_full_range(picture)}{small},format=yuv420p,extractplanes=y[grey]"


def _levels_chain(shape: FrameShape, depth: int) -> str:
    """Samples picked, never mixed, at the source's depth: code values stay what they are."""
    pix_fmt = "yuv444p" if depth == 8 else f"yuv444p{depth}le"
    return f"[c]scale={shape.width}:{shape.height}:flags=neighbor,format={pix_fmt}[levels]"


def image_chains(picture: VideoTrack, taps: PictureTaps) -> list[str]:
    """From `[b]` the storyboard's tiles, and some of the same frames as posters.

    Their clock always rises: an encoder takes no two frames with the same time stamp.
    """
    tile = _for_screens(picture, taps.tiles.width, taps.tiles.height)
    poster = _for_screens(picture, *posters.poster_size(picture))
    step = taps.poster_every_frames // taps.tiles.every_frames
    grid = f"tile={storyboard.COLUMNS}x{taps.tiles.rows}"
    return [
        rf"[b]{_every(taps.tiles.every_frames)},{_RISING},split=2[tile][candidate]",
        f"[tile]{tile},{grid}[tiles]",
        f"[candidate]{_every(step)},{poster}[poster]",
    ]


def _every(frames: int) -> str:
    return rf"select='not(mod(n\,{frames}))'"


def _for_screens(picture: VideoTrack, width: int, height: int) -> str:
    """Scaled down first, converted after; the result is JPEG's full-range BT.601 (JFIF)."""
    flags = "area" if width * 2 <= picture.width else "bicubic"
    apart = "estdif=mode=frame:deint=all," if picture.field_order in ("tt", "bb") else ""
    if _turns_itself(picture):
        apart += turning(picture.rotation_deg)
    colour = readable_colour(complete_colour(picture))
    scaled = f"{apart}{_at_full_range(picture)}scale={width}:{height}:flags={flags}"
    finer = finer_chroma(picture.pix_fmt)
    square = f"setsar=1,format={finer}" if finer else "setsar=1"
    lut = lut_of(picture)
    if lut is not None:
        return (  # the table gives up to 105 %, which only floating point carries
            f"{scaled},{square},zscale={_options(to_table(colour))},format=gbrpf32le,"
            f"lut3d=file={_escaped(lut)}:interp=tetrahedral,"
            "zscale=matrixin=gbr:matrix=470bg:range=full:dither=ordered,format=yuv420p"
        )
    if colour.primaries != "bt709":
        jfif = "matrix=470bg:range=full:dither=ordered,format=yuv420p"
        return f"{scaled}+accurate_rnd,{square},zscale={_options(to_709(colour))}:{jfif}"
    matrix = f"in_color_matrix={_SWSCALE_MATRICES.get(colour.matrix or '', 'bt601')}"
    jfif = "out_color_matrix=bt601:out_range=pc,format=yuv420p"
    return f"{scaled}+accurate_rnd:{matrix}:{jfif},setsar=1"


def _at_full_range(picture: VideoTrack) -> str:
    """Filters, with a comma after each, for R'G'B' of narrow range."""
    levels = to_full_range(complete_colour(picture), picture.pix_fmt)
    return f"zscale,format=gbrpf32le,colorlevels={_options(levels)}," if levels else ""


def _options(named: Mapping[str, object]) -> str:
    return ":".join(f"{name}={value}" for name, value in named.items())


def _escaped(path: Path) -> str:
    """A path as a filter option's value, inside a graph: two levels of quoting (ffmpeg-utils)."""
    option = str(path).replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\:")
    return "'" + option.replace("'", "'\\''") + "'"


def _sound_output(number: int, track: AudioTrack) -> list[str]:
    meter = rf"{EBUR128},ametadata=print:file='pipe\:loudness{number}'"
    return [
        *("-map", f"0:{track.index}", "-af", meter, "-f", "null", "-"),
        *("-filter_complex", f"[0:{track.index}]aformat=sample_fmts=flt[s{number}]"),
        *("-map", f"[s{number}]"),
        *("-stats_enc_pre:0", f"pipe:clock{number}", "-stats_enc_pre_fmt:0", "{pts} {tb} {samp}"),
        *("-c:a", "pcm_f32le", "-f", "f32le", f"pipe:samples{number}"),
    ]


def _mix_output(number: int, mix: AudioPlan, tracks: Sequence[AudioTrack]) -> list[str]:
    """The loudness of a mix, beside that of its tracks: sides may add up or cancel each other."""
    filters = [*sound_mix.in_order(mix.own_order)]
    if len(mix.tracks) > 1:
        filters.append(sound_mix.join(len(mix.tracks)))
    if mix.pan == "downmix":
        filters += sound_mix.downmix(mix.layout)
    if mix.pan == "pair":
        filters.append(sound_mix.pair(mix.own_order))
    if mix.pan == "six":
        filters.append(sound_mix.six(mix.own_order))
    parts = "".join(f"[0:{tracks[position].index}]" for position in mix.tracks)
    chain = ",".join([*map(str, filters), EBUR128])
    printed = rf"ametadata=print:file='pipe\:mix{number}'"
    graph = f"{parts}{chain},{printed}[m{number}]"
    return ["-filter_complex", graph, "-map", f"[m{number}]", "-f", "null", "-"]


def _fitted(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """Height and width, even, no larger than the source, at most `long_side`."""
    scale = min(1.0, long_side / max(size))
    width, height = (max(2, round(side * scale / 2) * 2) for side in size)
    return height, width
