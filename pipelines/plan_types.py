"""The values of a plan; `pipelines.plan` makes one and is where they are imported from."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pipelines.media import Colour, ContentLight, FieldOrder, MasteringDisplay
from pipelines.profile import AudioCodec, Container, VideoCodec

Conversion = Literal["none", "hlg_to_sdr", "pq_to_sdr", "pq_to_hlg", "sdr_to_sdr"]

_UNKNOWN = Colour()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Frames of the source, half-open; whole shots, starting on an IDR."""

    index: int
    start_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """One rung's picture: every value is what the encoded file must say when it is read back.

    `repacked`: the source holds the same samples in another order than `pix_fmt`.
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
    sample_aspect_ratio: Fraction = Fraction(1)
    deinterlace: bool = False
    rate_divisor: int = 1  # keep every n-th source frame
    preset: str | None = None
    crf: float | None = None
    max_bitrate_bps: int | None = None
    buffer_bits: int | None = None
    gop_frames: int = 1
    level: str | None = None
    codec_profile: str | None = None
    mastering_display: MasteringDisplay | None = None
    content_light: ContentLight | None = None
    burnt_in_timecode: bool = False
    lossless: bool = False
    repacked: bool = False
    dynamic_metadata: Literal["hdr_vivid"] | None = None

    @property
    def copied(self) -> bool:
        """Whether the source's own stream is taken as it is, and nothing is encoded."""
        return self.encoder == "copy"


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
    kept: str | None = None


@dataclass(frozen=True, slots=True)
class AudioPlan:
    """One audio track of a rendition, from the source tracks whose positions are `tracks`.

    `key` names the encode: rungs with equal audio share one key, and it is encoded once.
    `pan` is `source` (one track as it is), `join` (mono tracks side by side: stereo or 5.1),
    `downmix` (of one track, or of six mono ones), or `pair`: the first two channels of a track
    whose loudspeakers are unknown. A `lossless` track holds every sample, also those after the
    picture; of a `lossy_source` those that it decodes to, in 24 bits.
    """

    key: str
    codec: AudioCodec
    channels: int
    layout: str
    sample_rate_hz: int
    bitrate_bps: int | None
    tracks: tuple[int, ...]
    pan: Literal["source", "join", "downmix", "pair"]
    language: str | None = None
    bit_depth: int | None = None
    loudness: LoudnessPlan | None = None
    lossless: bool = False
    lossy_source: bool = False


@dataclass(frozen=True, slots=True)
class Rung:
    """One rendition to be made: `profile` is unique in a plan and names its files."""

    profile: str
    profile_version: int
    container: Container
    video: VideoPlan | None
    audio: tuple[AudioPlan, ...]
    packaged: bool
    mux_rate_bps: int | None = None
    service_name: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A profile that this source cannot honestly meet, and why."""

    profile: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an encode worker needs besides the source file itself.

    `first_picture_s` and `audio_start_s` are on the file's own clock. `frames` at `frame_rate` are
    the source's, as inspected; where `constant_frame_rate` is false they are what the picture is
    resampled to. `source_colour` is complete: `decisions` say what the file left out and every
    other choice, in words. `start_s` is where ffmpeg puts time zero when it reads the picture and
    all `audio_tracks`; with `clock_of_tracks` it depends on reading them all.
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
    decisions: tuple[str, ...]
    source_colour: Colour = _UNKNOWN
    source_field_order: FieldOrder = "progressive"
    source_timecode: str | None = None
    start_s: Fraction = Fraction(0)
    clock_of_tracks: bool = False
    clock_jumps: bool = False

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

    def rung(self, profile: str) -> Rung:
        """The rung of that profile; `KeyError` when the plan has none."""
        found = {rung.profile: rung for rung in self.rungs}
        return found[profile]
