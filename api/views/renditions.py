"""A rendition as it is sent, with its scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from api.models import renditions as model
from api.models.common import Failure
from pipelines.facts import Measurement, RenditionFacts
from pipelines.records import from_json
from storage import schema
from storage.catalogue.commands import unpacked


def rendition(
    row: schema.Rendition,
    scores: Iterable[schema.MeasurementRow],
    programme: int | None,
    commands: Sequence[Any] | None = None,
) -> model.Rendition:
    """`programme` is what its job read; `commands` are as they are kept."""
    facts = from_json(RenditionFacts, row.facts) if row.facts else None
    container: str = row.rung["container"]
    video = row.rung["video"] or {}
    return model.Rendition(
        id=row.id,
        asset_id=row.asset_id,
        job_id=row.job_id,
        profile=row.profile,
        profile_version=row.profile_version,
        programme=programme,
        state=row.state,  # type: ignore[arg-type] # the catalogue writes no other word
        container=container,
        file_name=f"{row.profile}.{container}" if row.key else None,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        facts=model.Facts.model_validate(facts) if facts else None,
        colour_decision=video.get("colour_decision"),
        measurements=[from_json(Measurement, score.values) for score in scores],
        commands=None if commands is None else unpacked(commands),
        tools=row.tools,
        error=Failure.model_validate(row.error) if row.error else None,
        created_at=row.created_at,
        ready_at=row.ready_at,
    )
