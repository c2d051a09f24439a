"""Jobs and their steps: the plan being executed, and how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from api.language import Told
from api.models.common import Colour, ColourDecision, Failure, Rational, Seconds, Sent
from api.models.uploads import Recipe
from pipelines.media import Area, Captions
from pipelines.planning.plan import Chunk
from pipelines.planning.plan_types import Choice, SubtitlePlan
from pipelines.profiles.profile import SoundCodec

JobState = Literal["queued", "running", "cancelling", "done", "failed", "cancelled"]
StepState = Literal["waiting", "ready", "running", "done", "failed", "cancelled"]


class NewJob(Recipe):
    """More renditions of an asset that is already there."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"profiles": ["archive-ffv1"]}]})

    replace: bool = Field(
        default=False,
        description="With `zone`: take the place of what is published there of this asset, in one "
        "change. Without it such a job is refused (`already_published`).",
    )

    @model_validator(mode="after")
    def _replaces_in_a_zone(self) -> Self:
        if self.replace and self.zone is None:
            raise ValueError("replace needs a zone: name the one in which to take the place")
        return self


class VideoPlan(Sent):
    """What the encoded picture must say when it is read back."""

    codec: str
    encoder: str
    width: int
    height: int
    frame_rate: Rational
    frames: int
    pix_fmt: str
    colour: Colour
    conversion: str
    deinterlace: bool
    rate_divisor: int
    each_field: bool = Field(default=False, description="A frame for each field of the source.")
    crf: float | None = None
    max_bitrate_bps: int | None
    gop_frames: int
    burnt_in_timecode: bool
    lossless: bool
    captions: tuple[Captions, ...] = ()
    crop: Area | None = Field(
        default=None,
        description="The part of the source's picture, after rotation, that is shown; null: all.",
    )
    active: Area | None = Field(
        default=None,
        description="Where the picture stands on the raster, between black bars; null: everywhere.",
    )
    upconverted: bool = Field(default=False, description="Shown larger than the source has it.")
    chroma_location: str | None = Field(
        default="left",
        description="Where the samples of colour of 4:2:0 stand: `topleft` in BT.2020, whose own "
        "place it is, `left` else; null without 4:2:0.",
    )
    colour_decision: ColourDecision | None = Field(
        default=None, description="Kept, or converted by which methods with which numbers."
    )


class LoudnessPlan(Sent):
    """What a track's loudness is to be (ITU-R BS.1770), and how it gets there."""

    target_lkfs: float
    tolerance_lu: float
    max_true_peak_dbtp: float
    source_lkfs: float | None = Field(
        default=None, description="Of the mix before anything is done to it; null: not measured."
    )
    source_true_peak_dbtp: float | None = None
    gain_db: float | None = Field(
        default=None, description="Null: found when the track is encoded."
    )
    limited: bool = Field(default=False, description="Whether true peaks are taken down.")
    least_lkfs: float | None = Field(
        default=None, description="What its peaks allow without that; null: no loudness is sought."
    )
    kept: Told | None = Field(
        default=None, description="Why the target is not sought; the true peak is promised still."
    )


class AudioPlan(Sent):
    """One audio track of a rendition, from the source tracks whose positions are `tracks`."""

    key: str = Field(description="Names the encode: rungs with equal audio share one.")
    codec: SoundCodec
    channels: int
    layout: str
    sample_rate_hz: int
    bitrate_bps: int | None
    tracks: tuple[int, ...]
    pan: Literal["source", "join", "downmix", "pair", "six"] = Field(
        description="`source`: one track as it is; `join`: mono tracks side by side; `downmix`: of "
        "one track, or of six mono ones; `pair`: the first two channels of a track, or the stereo "
        "mix that it has; `six`: those beside such a mix."
    )
    language: str | None = Field(default=None, description="As files hold it (ISO 639-2/T).")
    bit_depth: int | None = None
    loudness: LoudnessPlan | None = None
    lossless: bool = Field(
        default=False, description="Every sample is held, also those after the picture."
    )
    lossy_source: bool = Field(
        default=False, description="What is held is what a lossy source decodes to, in 24 bits."
    )
    language_tag: str | None = Field(default=None, description="As HLS and DASH have it (BCP 47).")
    copied: bool = Field(
        default=False, description="The source's packets are taken; `loudness` is only stated."
    )
    not_copied: Told | None = Field(
        default=None, description="Why a profile that copies what it can encodes this one."
    )
    own_order: str | None = Field(
        default=None,
        description="The layout of a source track that lists its channels in an order of its own.",
    )
    gain_db: float = Field(
        default=0.0, description="What its codec could not hold is lowered; without `loudness`."
    )


class Rung(Sent):
    profile: str
    profile_version: int
    container: str
    video: VideoPlan | None
    audio: tuple[AudioPlan, ...]
    packaged: bool
    subtitles: tuple[SubtitlePlan, ...] = ()


class Refusal(Sent):
    """A profile that this source cannot honestly meet, and why."""

    profile: str
    code: str
    reason: Told


class Steering(Sent):
    """Rungs whose CRF follows what their first chunks score."""

    profiles: tuple[str, ...]
    windows: tuple[Chunk, ...]
    told: Told
    first: int


class Plan(Sent):
    duration_s: Seconds
    frames: int
    frame_rate: Rational | None
    rungs: tuple[Rung, ...]
    refused: tuple[Refusal, ...]
    chunks: tuple[Chunk, ...]
    decisions: tuple[Told, ...] = Field(
        description="What was chosen, in words: Chinese where Accept-Language prefers it."
    )
    choices: tuple[Choice, ...] = Field(
        default=(),
        description="The CRF of each rung with a quality target, and what it should give.",
    )
    steering: Steering | None = Field(
        default=None,
        description="Rungs whose first chunks are scored as soon as they are encoded, and whose "
        "later ones take their CRF from that, not from `choices`; `windows` are the frames scored.",
    )


class JobSummary(Sent):
    id: str
    state: JobState = Field(
        description="A job is `failed` when any rendition failed, never quietly done."
    )
    upload_id: str | None
    asset_id: str | None = Field(description="Null until the upload's bytes are proven.")
    request: dict[str, Any]
    error: Failure | None
    created_at: datetime
    finished_at: datetime | None


class Waiting(Sent):
    """Steps that no living worker can do."""

    profiles: tuple[str, ...]
    reason: Told
    steps: int


class Job(JobSummary):
    progress_share: float = Field(
        ge=0, le=1, description="Of the whole job, weighted by what steps cost."
    )
    eta_s: float | None = Field(
        description="An estimate; null while there is nothing to base it on."
    )
    plan: Plan | None
    refused: tuple[Refusal, ...] = Field(
        description="Profiles that this source cannot honestly meet."
    )
    waiting: tuple[Waiting, ...] = Field(
        description="Why steps that are ready do not begin: nobody who lives can do their "
        "profiles, or gives enough memory. They go on as soon as a worker that can is started."
    )


class StepProgress(Sent):
    share: float | None = None
    note: str = ""
    frames: int | None = None
    fps: float | None = None
    eta_s: float | None = None


class Step(Sent):
    id: str
    kind: str
    queue: str
    name: str
    state: StepState
    epoch: int = Field(description="How often the step was claimed; part of every key it writes.")
    attempts: int
    max_attempts: int
    worker: str | None
    progress: StepProgress | None
    error: Failure | None
    log_tail: str | None = Field(description="The last lines that the tool wrote.")
    command: list[Any] | None = Field(description="The exact argv.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Steps(Sent):
    data: list[Step]
