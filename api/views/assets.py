"""An asset as it is sent: the file's claims (`MediaInfo`) joined with what one decode measured."""

from __future__ import annotations

from fractions import Fraction

from api.models import assets as model
from api.models.common import Colour
from pipelines.encoding.timecode import picture_timecode
from pipelines.media import CaptionChannel, Inspection, MediaInfo, VideoTrack
from pipelines.records import from_json
from storage import schema


def asset(row: schema.Asset) -> model.Asset:
    info = from_json(MediaInfo, row.media) if row.media else None
    measured = from_json(Inspection, row.inspection) if row.inspection else None
    summary = model.AssetSummary.model_validate(row)
    return model.Asset(
        **summary.model_dump(),
        metadata=row.metadata_,
        version=row.version,
        source=_source(info, measured) if info else None,
        inspection=_inspection(measured, info) if measured else None,
    )


def timecode_of(frame: int, measured: Inspection, info: MediaInfo | None) -> str | None:
    """Frame numbers of a varying rate are no timecode."""
    rate = measured.frame_rate if measured.constant_frame_rate else None
    return picture_timecode(info.timecode if info else None, rate, frame)


def _inspection(measured: Inspection, info: MediaInfo | None) -> model.Inspection:
    shots = [
        model.Shot.model_validate(shot).model_copy(
            update={
                "start_timecode": timecode_of(shot.start_frame, measured, info),
                "end_timecode": timecode_of(shot.end_frame, measured, info),
            }
        )
        for shot in measured.shots
    ]
    return model.Inspection.model_validate(measured).model_copy(update={"shots": tuple(shots)})


def _source(info: MediaInfo, measured: Inspection | None) -> model.Source:
    """Measured frames, rate, duration and fields where there are any; the file's claims before."""
    duration_s = measured.duration_s if measured else info.duration_s
    source = model.Source(
        format_name=info.format_name,
        duration_s=None if duration_s is None else float(duration_s),
        timecode=info.timecode,
        audio=[model.AudioTrack.model_validate(track) for track in info.audio],
        subtitles=[model.SubtitleTrack.model_validate(track) for track in info.subtitles],
        captions=list(info.picture.captions) if info.picture else [],
        sandbox=info.sandbox,
        programme=info.programme,
        programmes=[model.Programme.model_validate(one) for one in info.programmes],
    )
    if info.picture is None:
        return source
    return source.model_copy(update=_claimed(info.picture) | _measured(measured))


def _claimed(track: VideoTrack) -> dict[str, object]:
    width, height = track.display_size
    return {
        "codec": track.codec,
        "width": track.width,
        "height": track.height,
        "display_width": width,
        "display_height": height,
        "pix_fmt": track.pix_fmt,
        "bit_depth": track.bit_depth,
        "frame_rate": track.frame_rate,
        "field_order": track.field_order,
        "sample_aspect_ratio": track.sample_aspect_ratio,
        "rotation_deg": track.rotation_deg,
        "colour": Colour.model_validate(track.colour),
        "dynamic_range": track.colour.dynamic_range,
    }


def _measured(inspection: Inspection | None) -> dict[str, object]:
    if inspection is None:
        return {}
    return {
        "frame_rate": _rate(inspection),
        "constant_frame_rate": inspection.constant_frame_rate,
        "frames": inspection.frames,
        "field_order": inspection.field_order,
        "caption_channels": _channels(inspection),
        **({"captions": list(inspection.captions)} if inspection.captions else {}),
    }


def _channels(inspection: Inspection) -> list[CaptionChannel]:
    """Of the pictures and of ancillary data, each once."""
    beside = (one for track in inspection.ancillary for one in track.channels)
    return sorted({*inspection.caption_channels, *beside})


def _rate(inspection: Inspection) -> Fraction | None:
    """Where the rate varies, the average, as ffprobe says it: the even one is the renditions'."""
    if inspection.constant_frame_rate or not inspection.duration_s:
        return inspection.frame_rate
    return inspection.frames / inspection.duration_s
