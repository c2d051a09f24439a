"""Everything that `inspect` sees of the picture track."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from pipelines.colour.colour_doubt import colour_doubt
from pipelines.colour.source_colour import complete_colour, inconvertible_picture
from pipelines.errors import NoEssence
from pipelines.inspection import light, posters
from pipelines.inspection.active_picture import active_picture
from pipelines.inspection.fields import judge_fields, looks_otherwise_woven
from pipelines.inspection.frame_times import FrameTimes, Timing
from pipelines.inspection.inspect_command import picture_taps
from pipelines.inspection.levels import LevelMeter
from pipelines.inspection.light import LightMeter
from pipelines.inspection.pulldown import RATES as PULLDOWN_RATES
from pipelines.inspection.pulldown import Cadence, FieldRepeats
from pipelines.inspection.raster_watch import TAPS, StripSizes, first_change
from pipelines.inspection.shots import ShotFinder
from pipelines.inspection.storyboard import write_storyboard
from pipelines.inspection.thumbs import PICTURES, coded_bytes, write_times
from pipelines.inspection.track_gaps import Presence
from pipelines.media import (
    Colour,
    Inspection,
    KeptThumbs,
    MediaInfo,
    Shot,
    SourceImage,
    Span,
    Storyboard,
    VideoTrack,
)
from pipelines.running.raw_frames import Frame, RawFrames
from pipelines.running.tool_output import LogTail
from pipelines.words import Words, zh_of

_MIN_BLACK_S = 0.5
_MIN_FREEZE_S = 2.0


class PictureWatch:
    """Listens to the taps of the picture track; `taps` tells `command` what to write."""

    def __init__(
        self,
        info: MediaInfo,
        picture: VideoTrack,
        tagged: Colour,
        *,
        keep_thumbs: bool,
        measure_light: bool,
    ) -> None:
        """`tagged` is the colour that the file says, whatever the picture is taken as."""
        self._tagged = tagged
        self._zero_s = info.start_s
        self._picture = picture
        self.taps = picture_taps(
            info, picture, keep_thumbs=keep_thumbs, measure_light=measure_light
        )
        self._light = LightMeter(picture)
        self._times = FrameTimes()
        self._shots = ShotFinder()
        self._scores = posters.PosterScores()
        self._meter = LevelMeter(self.taps.levels_depth, full_range=picture.colour.range == "pc")
        self._fields = LogTail()
        self._active = LogTail()
        self._repeats = FieldRepeats()
        self._strips = (StripSizes(), StripSizes())
        self._frames = 0

    def consumers(self) -> Mapping[str, Callable[[bytes], object]]:
        made: dict[str, Callable[[bytes], object]] = {
            "times": self._times.feed,
            "grey": RawFrames(self.taps.grey, self._take).feed,
            "active": self._active.feed,
            **{tap: strip.feed for tap, strip in zip(TAPS, self._strips, strict=True)},
        }
        if self.taps.levels:
            made["levels"] = RawFrames(self.taps.levels, self._meter.take).feed
        if self.taps.light:
            peak, average = light.TAPS
            made[peak] = RawFrames(light.peak_shape(self._picture), self._light.take_peak).feed
            made[average] = RawFrames(light.AVERAGE, self._light.take_average).feed
        if self.taps.fields:
            made["fields"] = self._take_fields
        return made

    @property
    def looks_otherwise_woven(self) -> bool:
        """See `fields.looks_otherwise_woven`."""
        picture = self._picture
        return looks_otherwise_woven(picture.field_order, picture.height, self._fields.text())

    @property
    def presence(self) -> Presence | None:
        """See `FrameTimes.presence`."""
        return self._times.presence

    def inspection(self, folder: Path, *, moves_whole: bool = False) -> Inspection:
        """The picture's half of the result; `NoEssence` when no frame decoded.

        `moves_whole`: see `judge_fields`.
        """
        if self._frames == 0 or len(self._times) == 0:
            message = "no frame of the picture decodes: check the file in a player"
            raise NoEssence(message)
        edited = self._picture.reordered_edits > 0
        end_s = self._picture.end_s
        if not edited and (self._picture.container_frames or 0) > self._frames:
            end_s = None  # what does not decode, or is not shown, may have been its last pictures
        end_s = None if end_s is None else end_s - self._zero_s
        timing = self._times.timing(self._picture.frame_rate, end_s, edited=edited)
        shots = self._measured(self._shots.shots(), folder)
        fields = judge_fields(
            self._picture.field_order,
            self._picture.height,
            self._fields.text(),
            moves_whole=moves_whole,
        )
        cadence = self._cadence(timing)
        change = first_change(*self._strips)
        return Inspection(
            duration_s=timing.duration_s,
            frames=self._frames,
            frame_rate=timing.frame_rate,
            constant_frame_rate=timing.constant,
            steady_stamps=timing.steady,
            held_s=timing.held_s,
            stamps_back_s=Fraction(0) if edited and timing.constant else self._times.back_s,
            first_picture_s=self._zero_s + timing.first_s,
            field_order=fields.order,
            seen_field_order=fields.seen,
            mixed_fields=fields.mixed and cadence.pulldown is None,
            pulldown=cadence.pulldown,
            pulldown_broken=cadence.broken,
            shots=shots,
            black=_spans(self._shots.black(), timing, _MIN_BLACK_S),
            freeze=_spans(self._shots.still(), timing, _MIN_FREEZE_S),
            levels=self._meter.levels(),
            light=self._light.light() if self.taps.light else None,
            light_colour=complete_colour(self._picture) if self.taps.light else None,
            colour_in_doubt=(doubt := self._doubt()),
            posters=self._keep_posters(folder, shots, timing),
            storyboard=self._write_storyboard(folder, timing),
            thumbs=self._keep_thumbs(folder, timing),
            constant_raster=change is None,
            active_picture=active_picture(self._active.text()),
            findings=tuple(
                finding
                for finding in (
                    None if cadence.pulldown else fields.finding,
                    _changing(change),
                    self._odd_colour(),
                    doubt,
                    self._no_clock(),
                )
                if finding
            ),
        )

    def _take_fields(self, block: bytes) -> None:
        self._fields.feed(block)
        self._repeats.feed(block)

    def _cadence(self, timing: Timing) -> Cadence:
        even = timing.constant and timing.frame_rate in PULLDOWN_RATES
        return self._repeats.cadence() if even else Cadence()

    def _doubt(self) -> Words | None:
        return colour_doubt(replace(self._picture, colour=self._tagged), self._meter.luma)

    def _odd_colour(self) -> Words | None:
        odd = inconvertible_picture(self._picture)
        if odd is None:
            return None
        return Words(
            f"its colour {odd} cannot be converted here: posters and levels are a guess",
            f"此处不能转换其色彩{zh_of(odd)}：海报与电平仅供参考",
        )

    def _no_clock(self) -> Words | None:
        rate = self._picture.frame_rate
        if not self._times.stands_still:
            return None
        return Words(
            f"all pictures have the same time stamp: taken at {rate} fps",
            f"所有画面的时间戳相同：按 {rate} fps 处理",
        )

    def _take(self, frame: Frame) -> None:
        self._shots.take(frame)
        if self._frames % self.taps.poster_every_frames == 0:
            self._scores.take(frame)
        self._frames += 1

    def _keep_posters(
        self, folder: Path, shots: tuple[Shot, ...], timing: Timing
    ) -> tuple[SourceImage, ...]:
        every = self.taps.poster_every_frames
        ranked = self._scores.candidates(every, self._frames, self._shots.change_at)
        size = posters.poster_size(self._picture)
        return posters.keep(folder, posters.choose(ranked, shots), size, timing.since_first_s)

    def _keep_thumbs(self, folder: Path, timing: Timing) -> KeptThumbs | None:
        return KeptThumbs(PICTURES, write_times(folder, timing)) if self.taps.thumbs else None

    def _measured(self, shots: tuple[Shot, ...], folder: Path) -> tuple[Shot, ...]:
        """With what their thumbnails took, where these are kept."""
        if not self.taps.thumbs:
            return shots
        sizes = coded_bytes(folder / PICTURES)
        return tuple(
            replace(shot, coded_bytes=round(float(part.mean()), 1))
            if (part := sizes[shot.start_frame : shot.end_frame]).size
            else shot
            for shot in shots
        )

    def _write_storyboard(self, folder: Path, timing: Timing) -> Storyboard:
        starts = range(0, self._frames, self.taps.tiles.every_frames)
        times = [timing.since_first_s(frame) for frame in starts]
        return write_storyboard(folder, self.taps.tiles, times, timing.duration_s)


def _changing(change: int | None) -> Words | None:
    if change is None:
        return None
    return Words(
        f"the size or the pixel format of the pictures changes, first at frame {change}",
        f"画面的幅面或像素格式中途改变，第一次在第 {change} 帧",
    )


def _spans(runs: list[tuple[int, int]], timing: Timing, least_s: float) -> tuple[Span, ...]:
    times = [tuple(float(timing.since_first_s(frame)) for frame in run) for run in runs]
    return tuple(Span(start, end) for start, end in times if end - start >= least_s)
