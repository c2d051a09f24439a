"""One ffmpeg command for all rungs of a chunk: one decode, and each picture from the next larger.

    decode ─ deinterlace ─ turn, crop ─ scale ─ convert ─┬─ bars ─ rung 1
                                                         └─ drop frames ─ scale ─┬─ rung 2
                                                                                 └─ …

Scaling comes before conversion. `encoding.rung_tree` says which picture is taken from which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ffmpeg

from pipelines.colour.chroma_siting import USUAL
from pipelines.colour.colour_filters import conversion_filters, numbers_of, signal
from pipelines.colour.colour_types import Conversion
from pipelines.colour.source_colour import planned_as_it_is
from pipelines.encoding.clock import clock_outputs
from pipelines.encoding.cut import PART_STARTS_S
from pipelines.encoding.encoders import Seams, encoder_options, timescale
from pipelines.encoding.picture_filters import (
    at_full_range,
    cropped,
    deinterlaced,
    input_options,
    rational,
    resampled,
    turned,
    with_bars,
    with_timecode,
)
from pipelines.encoding.rung_tree import Branch, chunk_files, lay_out
from pipelines.encoding.scaling import (
    before_conversion,
    sampled_rung,
    sampled_source,
    scaled,
    with_whole_chroma,
)
from pipelines.inspection.pulldown import film
from pipelines.planning.plan_types import Chunk, Plan, VideoPlan
from pipelines.running import tools
from pipelines.running.filter_chain import applied
from pipelines.sources.containers import GUARD_OPTIONS
from pipelines.subtitles import caption_filters

_LOOK_SIZE = (32, 32)
_FIELD_MODES = {"progressive": "prog", "tt": "tff", "bb": "bff"}
_FINE = 1000  # ticks of a clock on which any rate's frames are whole
_NOTHING_OWED: Mapping[Path, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Chunked:
    """One chunk of a plan, and whether its source holds only a part that it is decoded from.

    `owed_bits` by file: see `Seams`.
    """

    plan: Plan
    chunk: Chunk
    part: bool
    owed_bits: Mapping[Path, int]

    @property
    def whole(self) -> bool:
        """Whether every frame that is decoded belongs to the chunk."""
        return not self.part and (self.chunk.start_frame, self.chunk.end_frame) == (
            0,
            self.plan.frames,
        )

    @property
    def captioned(self) -> bool:
        return any(rung.video and rung.video.captions for rung in self.plan.rungs)


def compose(
    source: Path,
    plan: Plan,
    chunk: Chunk,
    folder: Path,
    *,
    part: bool = False,
    owed_bits: Mapping[Path, int] = _NOTHING_OWED,
) -> list[str]:
    """The argv that writes `{folder}/{profile}.mp4` or `.mkv` for every rung with a picture.

    The source is the whole file or, of a chunk, the `part` that `cut` has made. `owed_bits` by file
    are what a chunk that was encoded before left too few in the decoder's buffer.
    """
    branches = lay_out(plan, folder)
    made = _Chunked(plan, chunk, part=part, owed_bits=owed_bits)
    opened = _opened(source, made)
    root = _decoded(opened, made)
    children = [number for number, branch in enumerate(branches) if branch.parent is None]
    outputs = _grow(root, children, None, branches, made) if branches else []
    outputs += _copies(source, plan, folder)
    if not plan.constant_frame_rate:  # else pictures are counted, whatever their stamps say
        outputs += clock_outputs(opened, plan)
    clock = ["-copyts"] if part else []  # a part's own stamps say where its chunk begins
    argv: list[str] = ffmpeg.merge_outputs(*outputs).compile(
        cmd=[tools.ffmpeg(), "-v", "warning", *clock, "-y"]
    )
    return argv


def compose_look(source: Path, plan: Plan, chunk: Chunk, out: Path) -> list[str]:
    """The argv that writes the chunk's frames, tiny and without loss, as a part of it decodes."""
    made = _Chunked(plan, chunk, part=True, owed_bits=_NOTHING_OWED)
    decoded = applied(_decoded(_opened(source, made), made), planned_as_it_is(plan))
    frames = _of_chunk(decoded, made).filter("scale", *_LOOK_SIZE)
    output = ffmpeg.output(
        frames, str(out), fps_mode="passthrough", f="matroska", **{"c:v": "ffv1"}
    )
    argv: list[str] = output.compile(cmd=[tools.ffmpeg(), "-v", "warning", "-copyts", "-y"])
    return argv


def _copies(source: Path, plan: Plan, folder: Path) -> list[Any]:
    """Streams as they are, from an input of their own: frame n at n ÷ rate, in the same order."""
    files = chunk_files(plan, folder)
    copied = {
        files[rung.profile]: rung.video for rung in plan.rungs if rung.video and rung.video.copied
    }
    outputs = []
    for path, video in copied.items():
        stream = ffmpeg.input(str(source), **GUARD_OPTIONS)[str(plan.video_track)]
        rate = video.frame_rate
        pts, dts = (f"round(({at}-STARTPTS)*TB*{rate})*{1 / rate}/TB" for at in ("PTS", "DTS"))
        options = {
            "c:v": "copy",
            "bsf:v": f"setts=pts={pts}:dts={dts}",
            "video_track_timescale": timescale(rate),
            "tag:v": "hvc1",
            "map_metadata": -1,
            "map_chapters": -1,
            "fflags": "+bitexact",
            "f": "mp4",
        }
        outputs.append(ffmpeg.output(stream, str(path), **options))
    return outputs


def _opened(source: Path, made: _Chunked) -> Any:
    """The source with its frames on an even grid from zero; of a part, and of a source whose rate
    varies, as they are stamped.
    """
    plan = made.plan
    options = input_options(plan)
    if plan.constant_frame_rate and plan.frame_rate and not made.part:
        # Forgets the container's rounded or shifted stamps: frame n is at n ÷ rate.
        options["r"] = rational(plan.frame_rate)
    return ffmpeg.input(str(source), **options)


def _decoded(opened: Any, made: _Chunked) -> Any:
    return opened["0" if made.part else str(made.plan.video_track)]


def _of_chunk(stream: Any, made: _Chunked, pictures: int = 1) -> Any:
    """The chunk's frames alone, on an even grid from zero; `pictures` come of each one."""
    plan, chunk = made.plan, made.chunk
    if made.whole:
        return stream
    first, end = chunk.start_frame * pictures, chunk.end_frame * pictures
    if not made.part:
        return _from_zero(stream.filter("trim", start_frame=first, end_frame=end))
    assert plan.frame_rate is not None, "a plan with a picture has a rate"
    rate = plan.frame_rate * pictures
    # Half a frame early, since the part's stamps may be rounded. The end is found by its time too:
    # a frame that is lost must be missing in the count, and not be replaced by one of the next.
    start_s = PART_STARTS_S - 1 / rate / 2
    end_s = start_s + (end - first) / rate
    return (
        stream.filter("trim", start=f"{float(start_s):.6f}", end=f"{float(end_s):.6f}")
        .filter("settb", rational(1 / rate))
        .filter("setpts", "N")
        .filter("fps", fps=rational(rate))  # changes no frame, and tells the encoders
    )


def _on_the_grid(stream: Any, plan: Plan) -> Any:
    """A part's frames at whole frames from where its chunk begins.

    A field's time is the middle between two stamps, and may be as far from the next field's as they
    are from where they should be.
    """
    assert plan.frame_rate is not None, "a plan with a picture has a rate"
    over, under = plan.frame_rate.numerator * _FINE, plan.frame_rate.denominator * _FINE
    zero = PART_STARTS_S * over
    number = f"round((T-{PART_STARTS_S})*{rational(plan.frame_rate)})"
    return stream.filter("settb", f"1/{over}").filter("setpts", f"{zero}+{number}*{under}")


def _grow(
    stream: Any,
    children: Sequence[int],
    giver: VideoPlan | None,
    branches: Sequence[Branch],
    made: _Chunked,
) -> list[Any]:
    """The outputs of these branches and of all that grows from them."""
    outputs: list[Any] = []
    for number, start in zip(children, split(stream, len(children)), strict=True):
        branch = branches[number]
        picture = _picture(start, giver, branch.video, made)
        grown = [later for later, other in enumerate(branches) if other.parent == number]
        mine, *rest = split(picture, 2 if grown else 1)
        outputs.append(_output(mine, branch, made))
        if grown:
            outputs += _grow(rest[0], grown, branch.video, branches, made)
    return outputs


def split(stream: Any, count: int) -> list[Any]:
    """The same pictures `count` times."""
    if count == 1:
        return [stream]
    parts = stream.filter_multi_output("split", count)
    return [parts.stream(number) for number in range(count)]


def _picture(stream: Any, giver: VideoPlan | None, video: VideoPlan, made: _Chunked) -> Any:
    """From the giver's picture (the decode, for `None`) to this rung's, without timecode.

    Frames outside the chunk are there for the deinterlacer to look at, and then no more.
    """
    plan = made.plan
    if giver is None:
        stream = _of_source(stream, video, made)
    if video.lossless:
        return stream
    have = giver.stride if giver else video.stride / video.rate_divisor
    stream = _fewer(stream, have, video.stride, made.chunk)
    return _converted(stream, giver, video, plan)


def _converted(stream: Any, giver: VideoPlan | None, video: VideoPlan, plan: Plan) -> Any:
    """At this rung's size, in its format and colour, tagged with it."""
    enlarged = video.shown if giver is None and video.upconverted else None
    conversion = video.conversion if giver is None else _rest(giver, video)
    have = sampled_rung(giver) if giver else sampled_source(plan, video.crop)
    if giver is None:
        stream = applied(stream, planned_as_it_is(plan))
    if enlarged is not None:
        stream, have = with_whole_chroma(stream, have)
    wanted = sampled_rung(video)
    sized = before_conversion(have, wanted, conversion, enlarged=enlarged is not None)
    if enlarged is None and (giver is None or sized != have):
        stream = scaled(stream, have, sized)
    if giver is None:
        stream = at_full_range(stream, plan, video.conversion)
    if giver is None or giver.conversion != video.conversion or giver.pix_fmt != video.pix_fmt:
        stream = conversion_filters(
            stream,
            conversion,
            numbers_of(video),
            giver.colour if giver else plan.source_colour,
            video.pix_fmt,
            enlarged=enlarged,
            stands=(sized.stands, wanted.stands),
        )
        if _loses_hdr10(plan, video, conversion):
            stream = _without_hdr10(stream)
    return stream


def _of_source(stream: Any, video: VideoPlan, made: _Chunked) -> Any:
    """The chunk's frames as their fields make them, upright and cropped."""
    plan, doubled = made.plan, video.each_field and made.captioned
    if video.each_field and made.part:
        stream = _on_the_grid(stream, plan)
    if not plan.constant_frame_rate and not video.each_field:
        stream = resampled(stream, plan)
    if video.pulldown:
        assert plan.source_pulldown and plan.frame_rate, "without them nothing is reversed"  # noqa: PT018
        stream = film(stream, plan.source_pulldown, plan.frame_rate)
    if doubled:
        stream = caption_filters.before_fields(stream)
    if video.deinterlace and not video.lossless:
        stream = deinterlaced(stream, plan, each_field=video.each_field)
    if doubled:
        stream = caption_filters.of_first_fields(stream)
    if not plan.constant_frame_rate and video.each_field:
        stream = resampled(stream, plan, pictures=2)
    stream = _of_chunk(stream, made, pictures=2 if video.each_field else 1)
    stream = cropped(turned(stream, plan.source_rotation_deg), video.crop)
    return caption_filters.spread(stream, video.frame_rate) if doubled else stream


def _loses_hdr10(plan: Plan, video: VideoPlan, conversion: Conversion) -> bool:
    """Also SDR that carries it: what is false of the source is false of the rendition."""
    dropped = video.colour_decision.dropped if video.colour_decision else ()
    converted = plan.source_colour.dynamic_range != "sdr" and conversion != "none"
    return converted or not {"mastering_display", "content_light"}.isdisjoint(dropped)


def _without_hdr10(stream: Any) -> Any:
    """The static metadata of a PQ master is wrong for any other signal, and encoders copy it."""
    for kind in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"):
        stream = stream.filter("sidedata", mode="delete", type=kind)
    return stream


def _rest(giver: VideoPlan, video: VideoPlan) -> Conversion:
    return "none" if giver.conversion == video.conversion else video.conversion


def _fewer(stream: Any, have: Fraction, wanted: Fraction, chunk: Chunk) -> Any:
    """Of pictures that are `have` source frames apart keep those that are `wanted` apart, counted
    from the source's first.
    """
    if have == wanted:
        return stream
    first_kept = -(-chunk.start_frame // wanted) * wanted
    skipped = int((first_kept - -(-chunk.start_frame // have) * have) / have)
    if skipped:
        stream = _from_zero(stream.filter("trim", start_frame=skipped))
    return stream.filter("framestep", int(wanted / have))


def _from_zero(stream: Any) -> Any:
    return stream.filter("setpts", "PTS-STARTPTS")


def _output(stream: Any, branch: Branch, made: _Chunked) -> Any:
    video, plan, chunk = branch.video, made.plan, made.chunk
    stream = with_bars(stream, video)
    if video.burnt_in_timecode:
        stream = with_timecode(stream, plan, video, video.frame_at(chunk.start_frame))
    if video.lossless:
        stream = signal(stream, video.colour, **_kept_siting(plan, video))
        # The frames' own flags are missing where the source says nothing of its fields.
        if made.part:  # which has lost what only the container said
            stream = stream.filter("setsar", rational(video.sample_aspect_ratio or Fraction(0)))
        if video.repacked:  # which drops the matrix and range of grey
            stream = signal(stream.filter("format", video.pix_fmt), video.colour)
        stream = stream.filter("setfield", mode=_FIELD_MODES[video.field_order])
    options = {
        "fps_mode": "passthrough",  # a dropped frame would misalign every metric
        "map_metadata": -1,
        "map_chapters": -1,
        "fflags": "+bitexact",
        **encoder_options(video, _seams(video, made, branch.path)),
        "f": branch.muxer,
    }
    return ffmpeg.output(stream, str(branch.path), **options)


def _kept_siting(plan: Plan, video: VideoPlan) -> dict[str, str]:
    """Where it is not the usual one: a part may have lost it, and not every file can say it."""
    if video.chroma_location not in (None, USUAL):
        return {"chroma_location": str(video.chroma_location)}
    return {"chroma_location": "unspecified"} if plan.source_chroma_location else {}


def _seams(video: VideoPlan, made: _Chunked, path: Path) -> Seams:
    chunk = made.chunk
    frames = video.frames_within(chunk.start_frame, chunk.end_frame)
    return Seams(
        before=chunk.start_frame > 0,
        next_at=len(frames) if chunk.end_frame < made.plan.frames else None,
        owed_bits=made.owed_bits.get(path, 0),
    )
