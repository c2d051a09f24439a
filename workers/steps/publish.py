"""Publish the asset to the zone that its upload asked for, after everything else of the job."""

from __future__ import annotations

from sqlalchemy.orm import Session

from storage.catalogue import assets, publications, zones
from storage.publishing import Draft, draft, refuse_missing
from workers.context import StepContext, StepResult
from workers.steps.inputs import request_of, source_of


def run(context: StepContext) -> StepResult:
    """Raises `GateClosed` with every reason: the job fails, its renditions stay ready."""
    asset_id, replace = source_of(context).asset_id, request_of(context).get("replace", False)
    ready = context.read(lambda session: _draft(session, context, asset_id))
    context.patiently(lambda: refuse_missing(context.objects, ready))
    publication_id = f"pub_{context.step.id.partition('_')[2]}"  # the same in every attempt
    base = f"assets/{asset_id}/publications/{publication_id}"
    key = f"{context.prefix(base)}/manifest.json"
    context.patiently(lambda: context.objects.put_bytes(ready.document(), key))

    def apply(session: Session) -> None:
        now_ready = _draft(session, context, asset_id)  # the gate may have closed meanwhile
        asset = assets.get_asset(session, context.step.organisation_id, asset_id)
        zone = zones.get_zone(session, context.step.organisation_id, now_ready.zone)
        publications.publish(
            session,
            asset,
            zone,
            ready.manifest,
            key,
            context.step.job_id,
            publication_id,
            replace=replace,
        )

    return StepResult(
        result={"publication_id": publication_id, "files": len(ready.files)}, apply=apply
    )


def _draft(session: Session, context: StepContext, asset_id: str) -> Draft:
    """Publishing waits for every other step, so it alone still keeps the asset from being ready.

    What this job made goes, and of other jobs only the other profiles, where they were made of the
    same reading of the source.
    """
    asset = assets.get_asset(session, context.step.organisation_id, asset_id)
    zone = zones.get_zone(session, context.step.organisation_id, context.step.payload["zone"])
    state = "ready" if asset.state == "processing" else asset.state
    return draft(session, asset, zone, asset_state=state, job_id=context.step.job_id)
