"""What a file holds, as frozen values. Colour words are ffprobe's names; times are exact."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pipelines.words import Words

DynamicRange = Literal["sdr", "hlg", "pq"]
FieldOrder = Literal["progressive", "tt", "bb"]
Captions = Literal["cea-608", "cea-708"]  # inside the pictures, as ATSC A/53 has them
# Where samples of colour of 4:2:0 stand, by ffmpeg's names (ITU-T H.273, 8.7).
ChromaLocation = Literal["left", "center", "topleft", "top", "bottomleft", "bottom"]
CaptionChannel = Literal["CC1", "CC2", "CC3", "CC4"]  # services of CEA-608

BLANKING_LINES = 32
# Of D-10 (SMPTE ST 356), whose pictures begin with as many lines of the vertical blanking.
_BLANKED_RASTERS = frozenset({(720, 608), (720, 512)})
_SCREENS = (Fraction(4, 3), Fraction(16, 9))
# Of SD (ITU-R BT.601, SMPTE ST 125 and ST 356), whose samples are not square: the picture is 4:3
# where nothing says that it is 16:9.
_SD_COLUMNS = frozenset({704, 720})
_SD_LINES = frozenset({480, 486, 512, 576, 608})


@dataclass(frozen=True, slots=True)
class Colour:
    """The signalled colour; `None` where the stream says nothing."""

    primaries: str | None = None
    transfer: str | None = None
    matrix: str | None = None
    range: str | None = None

    @property
    def dynamic_range(self) -> DynamicRange:
        """HLG and PQ by their transfer (ITU-T H.273 codes 18 and 16); everything else is SDR."""
        return {"arib-std-b67": "hlg", "smpte2084": "pq"}.get(self.transfer or "", "sdr")  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class MasteringDisplay:
    """SMPTE ST 2086: x, y chromaticities and luminances in cd/m², as exact fractions."""

    red: tuple[Fraction, Fraction]
    green: tuple[Fraction, Fraction]
    blue: tuple[Fraction, Fraction]
    white: tuple[Fraction, Fraction]
    min_luminance_cd_m2: Fraction
    max_luminance_cd_m2: Fraction


@dataclass(frozen=True, slots=True)
class ContentLight:
    """CTA-861.3; a file that says 0 and 0 says that nobody knows, and so nothing."""

    max_cll_cd_m2: int
    max_fall_cd_m2: int


@dataclass(frozen=True, slots=True)
class Hdr10:
    """Static metadata of one side: a stream's or a container's."""

    mastering_display: MasteringDisplay | None = None
    content_light: ContentLight | None = None


def content_light(said: tuple[int, int] | None) -> ContentLight | None:
    """What a file says, where it says something."""
    return ContentLight(*said) if said and said != (0, 0) else None


def even(side: Fraction) -> int:
    """The nearest even length, at least 2: samples of colour are halved."""
    return max(2, round(side / 2) * 2)


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a picture, in its pixels from the upper left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """One picture track. `width` and `height` are as stored, before rotation and pixel aspect.
    `sample_aspect_ratio` is `None` where nothing says it.

    `rotation_deg` is clockwise; a `mirrored` picture is shown as in a mirror besides. Of
    `field_pictures` each is one field, which nothing puts together. `chroma_location` is where the
    samples of colour of 4:2:0 stand, where that is not at the left between two lines. With
    `colour_stated` the colour is a person's word, and not what the frames are tagged with. `end_s`
    is when the last picture ends on the file's own clock, where the container says so.
    `reordered_edits` are the edits of a track that has several, and pictures that are coded in
    another order than they are shown.
    """

    index: int
    codec: str
    codec_profile: str | None
    width: int
    height: int
    pix_fmt: str
    bit_depth: int
    frame_rate: Fraction
    colour: Colour
    sample_aspect_ratio: Fraction | None = None
    rotation_deg: int = 0
    field_order: FieldOrder | None = None
    start_s: Fraction = Fraction(0)
    container_frames: int | None = None
    mastering_display: MasteringDisplay | None = None
    content_light: ContentLight | None = None
    dolby_vision: bool = False
    hdr10_plus: bool = False
    hdr_vivid: bool = False
    default: bool = False
    captions: tuple[Captions, ...] = ()
    mirrored: bool = False
    field_pictures: bool = False
    chroma_location: ChromaLocation | None = None
    colour_stated: bool = False
    end_s: Fraction | None = None
    reordered_edits: int = 0

    @property
    def is_rgb(self) -> bool:
        return self.pix_fmt.startswith(("gbr", "rgb", "bgr", "0rgb", "0bgr", "argb", "abgr"))

    @property
    def has_blanking(self) -> bool:
        """Whether the first lines are none of the picture's."""
        return (self.width, self.height) in _BLANKED_RASTERS

    @property
    def has_sd_raster(self) -> bool:
        """Whether its samples are those of ITU-R BT.601, which are not square."""
        return self.width in _SD_COLUMNS and self.height in _SD_LINES

    @property
    def pixel_aspect(self) -> Fraction:
        """`sample_aspect_ratio`, but of a raster with blanking that of its picture: MPEG-2 says 4:3
        or 16:9 of it, and ffmpeg reads that of all lines. Where nothing says it, that of 4:3 for
        the rasters of SD, else square.
        """
        shape = self.sample_aspect_ratio
        if shape is None:
            shape = Fraction(4, 3) * self.height / self.width if self.has_sd_raster else Fraction(1)
        if self.has_blanking and shape * self.width / self.height in _SCREENS:
            return shape * (self.height - BLANKING_LINES) / self.height
        return shape

    @property
    def whole(self) -> Area:
        """All of the picture after rotation, before its pixels become square."""
        sides = (self.height, self.width) if self.lies_on_its_side else (self.width, self.height)
        return Area(0, 0, *sides)

    @property
    def lies_on_its_side(self) -> bool:
        """Of no quarter turn: ffmpeg turns such pictures within their raster."""
        return self.rotation_deg % 180 == 90

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height in square pixels after rotation, both even."""
        return self.shown_size(None)

    def shown_size(self, part: Area | None) -> tuple[int, int]:
        """`display_size` of a part of `whole`, or of all of it."""
        width, height = self.exact_size(part)
        return even(width), even(height)

    def exact_size(self, part: Area | None) -> tuple[Fraction, Fraction]:
        """The same before it is rounded."""
        area, shape = part or self.whole, self.pixel_aspect
        if self.lies_on_its_side:
            return Fraction(area.width), area.height * shape
        return area.width * shape, Fraction(area.height)


# A sound track that is not the programme itself, as its file marks it.
Beside = Literal["for the visually impaired", "for the hard of hearing", "a commentary"]


@dataclass(frozen=True, slots=True)
class AudioTrack:
    index: int
    codec: str
    channels: int
    layout: str | None
    sample_rate_hz: int
    bit_depth: int | None = None
    language: str | None = None
    start_s: Fraction = Fraction(0)
    duration_s: Fraction | None = None
    beside: Beside | None = None


@dataclass(frozen=True, slots=True)
class Programme:
    """One of a transport stream's: its number, its service's name, the indices of its tracks."""

    number: int
    name: str | None
    tracks: tuple[int, ...]

    @property
    def label(self) -> str:
        return f'{self.number} "{self.name}"' if self.name else str(self.number)


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """`text` says whether it is letters, which any container takes in its own way, or pictures.

    `file` is set for a file of its own beside the master, `page` for one of several pages of DVB
    teletext that one track of a stream has.
    """

    index: int
    codec: str
    text: bool
    language: str | None = None
    forced: bool = False
    hearing_impaired: bool = False
    file: str | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class SubtitleFault:
    """Why a track of letters, or a page of teletext, cannot be read."""

    index: int
    why: Words
    page: int | None = None


@dataclass(frozen=True, slots=True)
class LaterTrack:
    """One that begins in the middle of a file, and is in no rendition. `kind` is `picture`,
    `second picture` where the first goes on beside it, `sound`, `subtitle` or what else ffmpeg
    calls it; where it begins may not be known.
    """

    kind: str
    name: Words
    at_byte: int | None = None

    @property
    def place(self) -> Words:
        if self.at_byte is None:
            return Words("in the middle of the file", "文件中途")
        return Words(f"at byte {self.at_byte}", f"第 {self.at_byte} 字节处")

    @property
    def told(self) -> Words:
        return Words(
            f"{self.name} begins {self.place}, and is in no rendition: cut the file there",
            f"{self.name.zh}，从{self.place.zh}开始，不在任何成品中：请在该处切开文件",
        )


@dataclass(frozen=True, slots=True)
class AncillaryTrack:
    """A track of what stood between the pictures of a video signal (SMPTE ST 436-1, in MXF).

    `holds` names its kinds of data in words. `channels` are those of CEA-608 in which something is
    said: an inspection knows them, a probe does not.
    """

    index: int
    holds: tuple[Words, ...] = ()
    channels: tuple[CaptionChannel, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """The answer of `probe`: the container and its tracks. Claims of the file, not yet measured.

    `start_s` is where ffmpeg puts time zero: the earliest start of any track on the file's clock,
    or of those that Kapok reads where the clock may jump.
    `notes` say what looks wrong, `left_out` names the tracks that no rendition is made of.
    `video` begins with the picture that was chosen (see `sources.track_choice`); of several
    `programmes`, `video`, `audio` and `subtitles` are those of `programme` alone, which somebody
    may have asked for.
    """

    format_name: str
    size_bytes: int
    duration_s: Fraction | None
    video: tuple[VideoTrack, ...]
    audio: tuple[AudioTrack, ...]
    timecode: str | None = None
    sandbox: str = "none"
    start_s: Fraction = Fraction(0)
    notes: tuple[Words, ...] = ()
    left_out: tuple[Words, ...] = ()
    programmes: tuple[Programme, ...] = ()
    programme: int | None = None
    programme_asked: bool = False
    subtitles: tuple[SubtitleTrack, ...] = ()
    ancillary: tuple[AncillaryTrack, ...] = ()

    @property
    def picture(self) -> VideoTrack | None:
        """The picture track that the plan uses."""
        return self.video[0] if self.video else None


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames between two cuts, half-open. `complexity` is the mean luma change a frame, 0–1.

    `detail` is the mean luma step between neighbouring samples of the small picture, 0–1;
    `coded_bytes` what a frame's thumbnail takes on average, which is motion-compensated (`None`
    where none are kept).
    """

    start_frame: int
    end_frame: int
    complexity: float
    detail: float = 0.0
    coded_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Loudness:
    """ITU-R BS.1770 over one track; `None` where it was silent or too short to gate."""

    track: int
    integrated_lkfs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True, slots=True)
class MixLoudness:
    """The same of a mix that renditions are made of: `tracks` and `pan` as in a plan's audio."""

    tracks: tuple[int, ...]
    pan: str
    integrated_lkfs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True, slots=True)
class Levels:
    """Code values at the source's own bit depth, and the share of samples outside legal range."""

    luma_min: float
    luma_mean: float
    luma_max: float
    saturation_max: float
    out_of_range_share: float


@dataclass(frozen=True, slots=True)
class SourceImage:
    """A picture made from the source: a poster candidate, best first."""

    name: str
    width: int
    height: int
    time_s: float
    frame: int


@dataclass(frozen=True, slots=True)
class Storyboard:
    vtt: str
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptThumbs:
    """Names of the files of `pipelines.inspection.thumbs`; `times` where the rate varies."""

    pictures: str
    times: str | None


@dataclass(frozen=True, slots=True)
class Pulldown:
    """Film in 2:3 fields (`inspection.pulldown`): which field comes first, and the place of the
    first frame among the five of a cycle, from 0.
    """

    first: FieldOrder
    phase: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What one decode of the source measured. `frames` and times are what really decodes.

    `duration_s` is frames ÷ rate with a picture (from the first frame to the end of the last where
    the rate varies), the decoded sound's length without one. `held_s` is how long the last picture
    stays where the container says that it is longer than the others.
    `first_picture_s` and `audio_start_s` are on the file's own clock, as is `audio_end_s`: their
    difference is the A/V offset that every rendition must keep. `audio_holes` is how often the time
    stamps of each track jump, `audio_drift_s` how far they get ahead of its samples by steps too
    short for that, `audio_slips` how often those have added up to one, `changed_sounds` the tracks
    whose rate or channels change. `mixes` are those of several tracks or channels that delivery may
    be made of. With `steady_stamps` the picture's own tell which frame is which. `clock_jumps` says
    that the clock begins anew somewhere: times after that are ffmpeg's corrected ones. With
    `track_gaps` one track pauses for more than 10 s while others go on, and nothing is corrected
    for that (`inspection.track_gaps`); a file with both is encoded by nothing. With
    `constant_raster` width, height and pixel format of all frames are those of the first.
    `seen_field_order` is set where the pictures plainly contradict `field_order`, which is what the
    stream says; with `mixed_fields`
    some are interlaced and some are not. `pulldown` is set of film in one unbroken cadence,
    `pulldown_broken` where it changes or is not everywhere. `light` is that of a PQ rendition,
    measured where one was wanted whose source does not say it, with the source taken as
    `light_colour`. `colour_in_doubt` says why the tags cannot be true. `damaged_pictures` were made
    up in part by the decoder, one of whose `decoder_errors` each may be; `stamps_back_s` is how far
    the picture's stamps go back, all steps together. `active_picture` is what was ever lighter than
    black, of the picture after rotation: `None` where nobody looked, or nothing was. `captions` are
    those of the pictures anywhere, where a probe sees the beginning alone. `caption_channels` are
    those of CEA-608 in which something is said, `unreadable_subtitles` the tracks whose letters are
    in no code that Kapok reads. `subtitle_faults` are those of TTML and teletext, and of tracks
    with too many letters. `ancillary` has all that a track holds, anywhere. `data_channels` are, of
    each sound track, those that hold data and no sound (`inspection.data_bursts`). `later` are the
    tracks that begin in the middle of the file.
    """

    duration_s: Fraction
    frames: int = 0
    frame_rate: Fraction | None = None
    constant_frame_rate: bool = True
    steady_stamps: bool = True
    held_s: Fraction = Fraction(0)
    constant_raster: bool = True
    first_picture_s: Fraction = Fraction(0)
    audio_start_s: tuple[Fraction, ...] = ()
    audio_holes: tuple[int, ...] = ()
    audio_slips: tuple[int, ...] = ()
    audio_drift_s: tuple[Fraction, ...] = ()
    changed_sounds: tuple[int, ...] = ()
    decoder_errors: int = 0
    damaged_pictures: int = 0
    stamps_back_s: Fraction = Fraction(0)
    clock_jumps: bool = False
    track_gaps: bool = False
    audio_end_s: tuple[Fraction, ...] = ()
    field_order: FieldOrder = "progressive"
    seen_field_order: FieldOrder | None = None
    mixed_fields: bool = False
    pulldown: Pulldown | None = None
    pulldown_broken: bool = False
    shots: tuple[Shot, ...] = ()
    black: tuple[Span, ...] = ()
    freeze: tuple[Span, ...] = ()
    levels: Levels | None = None
    loudness: tuple[Loudness, ...] = ()
    mixes: tuple[MixLoudness, ...] = ()
    posters: tuple[SourceImage, ...] = ()
    storyboard: Storyboard | None = None
    thumbs: KeptThumbs | None = None
    waveform: str | None = None
    findings: tuple[Words, ...] = ()
    light: ContentLight | None = None
    light_colour: Colour | None = None
    colour_in_doubt: Words | None = None
    active_picture: Area | None = None
    captions: tuple[Captions, ...] = ()
    caption_channels: tuple[CaptionChannel, ...] = ()
    unreadable_subtitles: tuple[int, ...] = ()
    subtitle_faults: tuple[SubtitleFault, ...] = ()
    ancillary: tuple[AncillaryTrack, ...] = ()
    data_channels: tuple[tuple[int, ...], ...] = ()
    later: tuple[LaterTrack, ...] = ()

    @property
    def scan(self) -> FieldOrder:
        """What the pictures are: whether, and from which field on, they are to be deinterlaced."""
        return self.seen_field_order or self.field_order
