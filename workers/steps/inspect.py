"""Probe the source, then decode it once for everything that needs only the source."""

from __future__ import annotations

from sqlalchemy.orm import Session

from pipelines.colour.colour_doubt import believed
from pipelines.colour.source_colour import wants_light
from pipelines.inspection.inspect import inspect
from pipelines.inspection.thumbs import FRAME_BYTES
from pipelines.media import MediaInfo
from pipelines.planning.memory import look_bytes
from pipelines.records import to_json
from pipelines.sources.probe import probe
from storage.catalogue import assets
from workers.context import StepContext, StepResult
from workers.steps.inputs import profiles_of, request_of, source_of

LEAST_FRAME_BYTES = 188  # [P] of a source: one packet of a transport stream
IMAGES_BYTES = 512 * 1024 * 1024  # [P] posters, storyboard and waveform of one source, at most


def run(context: StepContext) -> StepResult:
    source = source_of(context)
    images = context.folder / "images"
    images.mkdir()
    with context.fetch(source.key) as path:
        request = request_of(context)
        info = probe(path, request.get("programme"))
        context.need_scratch(IMAGES_BYTES + _thumb_bytes(info))
        stated = request.get("source_colour")
        wanted = profiles_of(context, request, info)
        light = wants_light(believed(info, stated), wanted)
        looking = inspect(path, info, images, measure_light=light, source_colour=stated)
        cores = context.settings.cores
        foreseen_bytes = look_bytes(info.picture, cores) if info.picture else 0
        with context.memory_if_much(foreseen_bytes):
            inspection = context.follow(looking)
    # The step's own: two jobs of one asset may inspect it at once.
    base = f"assets/{source.asset_id}/inspection/{context.step.id}"
    prefix = f"{context.prefix(base)}/"
    for image in sorted(file for file in images.rglob("*") if file.is_file()):
        context.put(image, base, image.relative_to(images).as_posix())

    def apply(session: Session) -> None:
        asset = assets.get_asset(session, context.step.organisation_id, source.asset_id)
        assets.record_inspection(session, asset, to_json(info), to_json(inspection), prefix)

    return StepResult(
        result={"frames": inspection.frames, "duration_s": float(inspection.duration_s)},
        apply=apply,
    )


def _thumb_bytes(info: MediaInfo) -> int:
    """Of all frames, by the length that the file claims, if it is large enough to be true."""
    rate = info.picture.frame_rate if info.picture else 0
    frames = min(int((info.duration_s or 0) * rate), info.size_bytes // LEAST_FRAME_BYTES)
    return frames * FRAME_BYTES
