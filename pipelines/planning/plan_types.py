"""The values of a plan; `pipelines.planning.plan` makes one and is where they are imported from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pipelines.colour.colour_types import ColourDecision, Conversion
from pipelines.media import (
    Area,
    CaptionChannel,
    Captions,
    ChromaLocation,
    Colour,
    ContentLight,
    FieldOrder,
    MasteringDisplay,
    Pulldown,
)
from pipelines.profiles.profile import Container, SoundCodec, Target, VideoCodec
from pipelines.words import Words

_UNKNOWN = Colour()
FILM_STRIDE = Fraction(5, 4)  # frames of video for one of film, by 2:3 pulldown


@dataclass(frozen=True, slots=True)
class Chunk:
    """Frames of the source, half-open; whole shots, starting on an IDR."""

    index: int
    start_frame: int
    end_frame: int

    @property
    def frames(self) -> int:
        return self.end_frame - self.start_frame


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """One rung's picture: every value is what the encoded file must say when it is read back.

    `repacked`: the source holds the same samples in another order than `pix_fmt`.
    `colour_decision` says how `conversion` is done, and with which numbers.
    `sample_aspect_ratio` is `None` of a picture that is kept as it is, whose file does not say it.
    `crop` is the part of the source's picture that is shown, `active` where that stands on the
    raster: what lies beside it is black. `None` stands for all of either.
    `chroma_location` is where the samples of colour of 4:2:0 stand, `None` of pictures that are
    none; plans that do not say it are older, and have them at the left.
    """

    codec: VideoCodec
    encoder: str
    width: int
    height: int
    frame_rate: Fraction
    frames: int
    pix_fmt: str
    colour: Colour
    conversion: Conversion
    field_order: FieldOrder
    sample_aspect_ratio: Fraction | None = Fraction(1)
    deinterlace: bool = False
    rate_divisor: int = 1  # keep every n-th frame
    each_field: bool = False  # a frame for each field: twice the source's
    pulldown: bool = False  # 2:3, which is reversed: four frames for five of the source
    preset: str | None = None
    crf: float | None = None
    max_bitrate_bps: int | None = None
    buffer_bits: int | None = None
    gop_frames: int = 1
    lookahead_frames: int | None = None
    level: str | None = None
    codec_profile: str | None = None
    mastering_display: MasteringDisplay | None = None
    content_light: ContentLight | None = None
    burnt_in_timecode: bool = False
    lossless: bool = False
    repacked: bool = False
    colour_decision: ColourDecision | None = None
    dynamic_metadata: Literal["hdr_vivid"] | None = None
    captions: tuple[Captions, ...] = ()
    crop: Area | None = None
    active: Area | None = None
    upconverted: bool = False  # shown larger than the source has it
    chroma_location: ChromaLocation | None = "left"

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of the picture, without bars."""
        return (self.active.width, self.active.height) if self.active else (self.width, self.height)

    @property
    def copied(self) -> bool:
        """Whether the source's own stream is taken as it is, and nothing is encoded."""
        return self.encoder == "copy"

    @property
    def stride(self) -> Fraction:
        """Frames of the source from one frame of this to the next."""
        if self.pulldown:
            return FILM_STRIDE * self.rate_divisor
        return self.rate_divisor * (Fraction(1, 2) if self.each_field else Fraction(1))

    def frame_at(self, source_frame: int) -> int:
        """The first frame that shows no earlier frame of the source."""
        return math.ceil(source_frame / self.stride)

    def frames_within(self, start_frame: int, end_frame: int) -> range:
        """The frames that show those of the source from `start_frame` to before `end_frame`."""
        return range(self.frame_at(start_frame), min(self.frames, self.frame_at(end_frame)))

    def shown_by(self, frame: int) -> int:
        """The frame of the source that a frame shows, or whose field."""
        return math.floor(frame * self.stride)


@dataclass(frozen=True, slots=True)
class LoudnessPlan:
    """What a track's loudness is to be (ITU-R BS.1770), and how it gets there.

    `source_lkfs` and `source_true_peak_dbtp` are of its mix before anything is done to it, `None`
    where nobody measured that mix: then it is measured when it is encoded, and so is `gain_db`.
    `limited` says whether true peaks are taken down. `least_lkfs` is what its peaks allow without
    that: `None` where no loudness is sought at all. `kept` says why the target is not sought; the
    true peak is promised all the same.
    """

    target_lkfs: float
    tolerance_lu: float
    max_true_peak_dbtp: float
    source_lkfs: float | None = None
    source_true_peak_dbtp: float | None = None
    gain_db: float | None = None
    limited: bool = False
    least_lkfs: float | None = None
    kept: Words | None = None


@dataclass(frozen=True, slots=True)
class AudioPlan:
    """One audio track of a rendition, from the source tracks whose positions are `tracks`.

    `key` names the encode: rungs with equal audio share one key, and it is encoded once.
    `gain_db` lowers what its codec could not hold, where no `loudness` does.
    `own_order` is the layout of the one source track where that lists its channels in an order of
    their own, and they are brought into ffmpeg's, or has a stereo mix beside them.
    `language` is as files hold it (ISO 639-2/T), `language_tag` as HLS and DASH do (BCP 47).
    `pan` is `source` (one track as it is), `join` (mono tracks side by side: stereo or 5.1),
    `downmix` (of one track, or of six mono ones), `pair` (the first two channels of a track whose
    loudspeakers are unknown, or the stereo mix that it has beside them), or `six`: those beside
    such a mix. What is none of `source` and has one channel is folded: half the sum of the stereo
    that `pan` says. A `lossless` track holds every sample, also those after the
    picture; of a `lossy_source` those that it decodes to, in 24 bits. A `copied` one holds the
    source's packets, and its `loudness` is only stated. `not_copied` says why a profile that copies
    what it can had to encode this one.
    """

    key: str
    codec: SoundCodec
    channels: int
    layout: str
    sample_rate_hz: int
    bitrate_bps: int | None
    tracks: tuple[int, ...]
    pan: Literal["source", "join", "downmix", "pair", "six"]
    language: str | None = None
    bit_depth: int | None = None
    loudness: LoudnessPlan | None = None
    lossless: bool = False
    lossy_source: bool = False
    language_tag: str | None = None
    copied: bool = False
    not_copied: Words | None = None
    own_order: str | None = None
    gain_db: float = 0.0

    @property
    def is_folded(self) -> bool:
        """Whether it is mono of more than one channel."""
        return self.channels == 1 and self.pan != "source"


@dataclass(frozen=True, slots=True)
class SubtitlePlan:
    """One subtitle track of a rendition, from the source's stream `track`, from a `file`, or from
    a `channel` of the captions in the pictures or the ancillary data of that stream.

    `key` names the encode and `language_tag` the language as in `AudioPlan`, `suffix` the container
    that keeps it until the join, `page` the one of DVB teletext.
    Of a copy nothing is cut, but for a `stream`, which ends with its picture.
    """

    key: str
    codec: str
    suffix: str
    track: int
    source_codec: str
    language: str | None = None
    forced: bool = False
    hearing_impaired: bool = False
    file: str | None = None
    stream: bool = False
    channel: CaptionChannel | None = None
    language_tag: str | None = None
    page: int | None = None

    @property
    def copied(self) -> bool:
        """Whether the source's packets are taken as they are."""
        return self.file is None and self.suffix == "mkv" and self.codec == self.source_codec


@dataclass(frozen=True, slots=True)
class Rung:
    """One rendition to be made: `profile` is unique in a plan and names its files.

    `sound_left_out` are the positions of sound tracks that could not be copied beside others that
    are, each with the reason.
    """

    profile: str
    profile_version: int
    container: Container
    video: VideoPlan | None
    audio: tuple[AudioPlan, ...]
    packaged: bool
    mux_rate_bps: int | None = None
    service_name: str | None = None
    subtitles: tuple[SubtitlePlan, ...] = ()
    sound_left_out: tuple[tuple[int, Words], ...] = ()


class Refused(Exception):
    """Raised where a profile cannot honestly be met; becomes a `Refusal`."""

    def __init__(self, code: str, reason: Words) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True, slots=True)
class Refusal:
    """A profile that this source cannot honestly meet, and why."""

    profile: str
    code: str
    reason: Words


# [P] Of the encode's CPU time, for the search. The bar is a tenth; the rest is for what the model
# is wrong by.
SEARCH_SHARE = 0.07


@dataclass(frozen=True, slots=True)
class Probe:
    """A short sample of the source, encoded as a rung is but without its cap, and scored."""

    profile: str
    start_frame: int
    end_frame: int
    crf: float
    mean: float
    p5: float
    bits_a_frame: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What the search for a quality found out, before the plan is made with it.

    `key` is of all that it depends on besides the source; `limited` says why there was no probe,
    or not of every rung.
    """

    key: str = ""
    probes: tuple[Probe, ...] = ()
    seconds: float = 0.0
    limited: Words | None = None

    def probes_of(self, profile: str) -> tuple[Probe, ...]:
        return tuple(probe for probe in self.probes if probe.profile == profile)


_NOTHING_FOUND = Findings()


@dataclass(frozen=True, slots=True)
class Choice:
    """The CRF that a rung got for its target, and what it is expected to give.

    `basis`: `probed` with the rung itself, `kin` with another one of its codec, `predicted` by the
    model alone. `off_by` is what such an answer was off by, in nine of ten measured clips.
    """

    profile: str
    target: Target
    crf: float
    score: float
    p5: float
    off_by: float
    bitrate_bps: int
    capped: bool
    basis: Literal["probed", "kin", "predicted"]


@dataclass(frozen=True, slots=True)
class Steering:
    """Rungs whose CRF follows what their first chunks score (`pipelines.quality.steering`).

    `windows` are the frames that are scored, each with the index of its chunk: `first` of these
    chunks are encoded before all others, and all of them before those that are not scored. `told`
    is the plan's decision.
    """

    profiles: tuple[str, ...]
    windows: tuple[Chunk, ...]
    told: Words
    first: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an encode worker needs besides the source file itself.

    `first_picture_s` and `audio_start_s` are on the file's own clock. `frames` at `frame_rate` are
    the source's, as inspected; where `constant_frame_rate` is false they are what the picture is
    resampled to. `source_colour` is complete, and a person's word where `source_colour_stated`:
    `decisions` say what the file left out and every other choice, in words. `start_s` is where
    ffmpeg puts time zero when it reads the picture and all `audio_tracks`; with `clock_of_tracks`
    it depends on reading them all. With `track_gaps` its clock is read as it is, however long a
    track pauses. `programme` is the one of a transport stream with several that
    all of them belong to. `source_rotation_deg` is set where pictures are turned after their fields
    were taken apart, and not by ffmpeg's decoding. `source_whole` is all of the source's picture,
    of which a `crop` is a part. `source_codec` tells how many threads may decode it,
    `source_pix_fmt` what its pictures are scaled to, `source_chroma_location` where its samples of
    colour then stand, upright, if not at the left; `source_sounds` are the codecs of all
    `audio_tracks`.
    `together` are the profiles whose pictures are made from one decode, where that is not all of
    them (see `pipelines.encoding.encode_groups`).
    """

    duration_s: Fraction
    frames: int
    frame_rate: Fraction | None
    constant_frame_rate: bool
    first_picture_s: Fraction
    audio_start_s: tuple[Fraction, ...]
    video_track: int | None
    audio_tracks: tuple[int, ...]
    rungs: tuple[Rung, ...]
    refused: tuple[Refusal, ...]
    chunks: tuple[Chunk, ...]
    decisions: tuple[Words, ...]
    source_colour: Colour = _UNKNOWN
    source_field_order: FieldOrder = "progressive"
    source_pulldown: Pulldown | None = None
    source_timecode: str | None = None
    source_rotation_deg: int = 0
    source_whole: Area | None = None
    source_codec: str | None = None
    source_sounds: tuple[str, ...] = ()
    source_pix_fmt: str | None = None
    source_chroma_location: ChromaLocation | None = None
    source_colour_stated: bool = False
    start_s: Fraction = Fraction(0)
    programme: int | None = None
    clock_of_tracks: bool = False
    clock_jumps: bool = False
    track_gaps: bool = False
    together: tuple[tuple[str, ...], ...] = ()
    choices: tuple[Choice, ...] = ()
    findings: Findings = _NOTHING_FOUND
    steering: Steering | None = None

    @property
    def clock_tracks(self) -> tuple[int, ...]:
        """What must be read beside any sound so that its clock is corrected as inspected."""
        if not self.clock_of_tracks:
            return ()
        return (*(() if self.video_track is None else (self.video_track,)), *self.audio_tracks)

    def lead_samples(self, track: AudioPlan) -> int:
        """The silence before a lossless track whose sound starts after the picture."""
        late_s = self.audio_start_s[track.tracks[0]] - self.first_picture_s
        return max(0, round(late_s * track.sample_rate_hz))

    def late_s(self, track: AudioPlan) -> Fraction:
        """How long after the picture a copied track begins; of any other silence comes first."""
        if not track.copied:
            return Fraction(0)
        return max(Fraction(0), self.audio_start_s[track.tracks[0]] - self.first_picture_s)

    def rung(self, profile: str) -> Rung:
        """The rung of that profile; `KeyError` when the plan has none."""
        found = {rung.profile: rung for rung in self.rungs}
        return found[profile]
