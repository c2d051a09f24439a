"""What a plan is going to take: bytes, CPU time and disk, before anything runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.encoding.encode_groups import groups_of
from pipelines.media import Inspection, MediaInfo, VideoTrack
from pipelines.planning.memory import encode_bytes, look_bytes
from pipelines.planning.plan_types import AudioPlan, Plan, Rung, VideoPlan
from pipelines.quality import quality_model as model
from pipelines.quality.measure import measured_together, together_bytes

_LOSSLESS_SHARE = 0.5  # [P] of the raw samples: FFV1 leaves 0.3 to 0.6 of natural pictures
_FLAC_SHARE = 0.6  # [P] of the raw samples
_LOSSLESS_CPU_S = 0.06  # CPU seconds a megapixel of FFV1, measured
_UNCAPPED_BITS = 0.5  # [P] a pixel, of a rung without a cap whose codec nobody measured
_CONTAINER = 1.01  # [P] headers and indices
# What prores_ks spends on a macroblock at most, by how many a picture has: grain takes nearly all
# of it, noise 3 to 14 % more (measured).
_PRORES_MACROBLOCKS = (1_620, 2_700, 6_075)
_PRORES_BITS = {
    "proxy": (300, 242, 220, 194),
    "lt": (720, 560, 490, 440),
    "standard": (1050, 808, 710, 632),
    "hq": (1566, 1216, 1070, 950),
}
_AVC_INTRA_300_BITS = 8 * 1_260_032  # of every 2160-line picture, at either of its rates (measured)


@dataclass(frozen=True, slots=True)
class RungPrediction:
    """`basis` of the size: `probed` and `kin` by samples, `predicted` by the model, `most` where
    only the cap is known; `encode_cpu_s` is `None` of a codec that nobody measured.
    """

    profile: str
    size_bytes: int
    encode_cpu_s: float | None
    basis: Literal["probed", "kin", "predicted", "most"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """`cpu_s` are of the machine that the model was measured on; `disk_bytes` what an encode on
    this machine needs at once, the renditions among it; `memory_bytes` what the process that holds
    most is foreseen to hold, `None` without a picture.
    """

    rungs: tuple[RungPrediction, ...]
    size_bytes: int
    cpu_s: float
    disk_bytes: int
    memory_bytes: int | None


def predict(plan: Plan, info: MediaInfo, inspection: Inspection, cores: int) -> Prediction:
    """By what was probed where it was, else by the model, else by the caps; memory by `cores`."""
    rungs = tuple(_rung(rung, plan, info, inspection) for rung in plan.rungs)
    size_bytes = sum(rung.size_bytes for rung in rungs)
    picture = info.picture
    pixels = picture.width * picture.height if picture and plan.rungs else 0
    decoded_s = 2 * plan.frames * model.decode_cpu_s(pixels)  # for the encode, and to inspect
    cpu_s = decoded_s + sum(rung.encode_cpu_s or 0.0 for rung in rungs)
    # Chunks and sound lie beside what is joined of them.
    memory_bytes = _memory_bytes(plan, info, picture, cores) if picture and plan.rungs else None
    return Prediction(rungs, size_bytes, round(cpu_s, 1), 2 * size_bytes, memory_bytes)


def _memory_bytes(plan: Plan, info: MediaInfo, picture: VideoTrack, cores: int) -> int:
    """Of inspecting, of encoding the longest chunk of each group of rungs, and of scoring."""
    longest = max(plan.chunks, key=lambda chunk: chunk.frames)
    encodes = [encode_bytes(picture, group, longest, cores) for group in groups_of(plan)]
    together = measured_together(plan.rungs, info)
    scores = [together_bytes(group, picture, cores) for group in together]
    return max(look_bytes(picture, cores), *encodes, *scores)


def _rung(rung: Rung, plan: Plan, info: MediaInfo, inspection: Inspection) -> RungPrediction:
    sound = sum(_sound_bytes(track, plan) for track in rung.audio)
    video = rung.video
    if video is None:
        return RungPrediction(rung.profile, round(sound * _CONTAINER), 0.0, "predicted")
    bits, basis = _picture_bits(rung, video, plan, info, inspection)
    size_bytes = round((bits / 8 + sound) * _CONTAINER)
    if rung.mux_rate_bps is not None:  # null packets fill what the picture leaves
        size_bytes, basis = round(rung.mux_rate_bps * plan.duration_s / 8), "predicted"
    return RungPrediction(rung.profile, size_bytes, _cpu_s(video, info, inspection), basis)


def _picture_bits(
    rung: Rung, video: VideoPlan, plan: Plan, info: MediaInfo, inspection: Inspection
) -> tuple[float, Literal["probed", "kin", "predicted", "most"]]:
    chosen = {choice.profile: choice for choice in plan.choices}.get(rung.profile)
    if chosen is not None:
        return chosen.bitrate_bps * float(plan.duration_s), chosen.basis
    assert info.picture is not None, "a plan with a picture comes from a source with one"
    if video.copied:
        return info.size_bytes * 8.0, "most"
    if video.lossless:
        raw = video.width * video.height * _samples_a_pixel(video.pix_fmt) * info.picture.bit_depth
        return raw * video.frames * _LOSSLESS_SHARE, "predicted"
    if (constant := _constant_bits(video)) is not None:
        return video.frames * constant, "most"
    cap = video.max_bitrate_bps and video.max_bitrate_bps * float(plan.duration_s)
    kinds = model.materials(inspection)
    if video.crf is None or not kinds or not model.has_model(video.codec, "bits"):
        uncapped = video.width * video.height * video.frames * _UNCAPPED_BITS
        return cap or uncapped, "most"
    shape = model.shape_of(video, info.picture)
    bits = [model.bits_a_frame(video.crf, kind, shape) for kind in kinds]
    expected = model.mean_of(bits, kinds) * video.frames
    return min(expected, cap) if cap else expected, "predicted"


def _constant_bits(video: VideoPlan) -> int | None:
    """Of a frame, where the codec's own profile sets them."""
    if video.codec_profile == "avc-intra-300":
        return _AVC_INTRA_300_BITS
    if video.codec != "prores":
        return None
    macroblocks = -(-video.width // 16) * -(-video.height // 16)
    size = sum(macroblocks > most for most in _PRORES_MACROBLOCKS)
    return macroblocks * _PRORES_BITS[video.codec_profile or "hq"][size]


def _cpu_s(video: VideoPlan, info: MediaInfo, inspection: Inspection) -> float | None:
    if video.copied:
        return 0.0
    if video.lossless:
        return video.frames * video.width * video.height / 1e6 * _LOSSLESS_CPU_S
    kinds = model.materials(inspection)
    if video.crf is None or not kinds or not model.has_model(video.codec, "time"):
        return None
    assert info.picture is not None, "a plan with a picture comes from a source with one"
    shape = model.shape_of(video, info.picture)
    each = [model.cpu_s_a_frame(video.crf, kind, shape) for kind in kinds]
    return video.frames * model.mean_of(each, kinds)


def _sound_bytes(track: AudioPlan, plan: Plan) -> float:
    if track.copied:  # it is a part of the source, which is counted whole
        return 0.0
    if track.bitrate_bps is not None:
        return track.bitrate_bps * float(plan.duration_s) / 8
    raw = track.channels * track.sample_rate_hz * (track.bit_depth or 24) / 8
    return raw * float(plan.duration_s) * (_FLAC_SHARE if track.codec == "flac" else 1)


def _samples_a_pixel(pix_fmt: str) -> float:
    if "gray" in pix_fmt:
        return 1.0
    return next((count for word, count in (("420", 1.5), ("422", 2.0)) if word in pix_fmt), 3.0)
