"""Publish the asset to the zone that its upload asked for, after everything else of the job."""

from __future__ import annotations

from sqlalchemy.orm import Session

from storage.catalogue import assets, publications, zones
from storage.publishing import Draft, confirm, draft, refuse_missing
from storage.schema import Asset, Zone
from workers.context import StepContext, StepResult
from workers.steps.inputs import request_of, source_of


def run(context: StepContext) -> StepResult:
    """Raises `GateClosed` with every reason: the job fails, its renditions stay ready."""
    asset_id, replace = source_of(context).asset_id, request_of(context).get("replace", False)

    def drafted(session: Session) -> Draft:
        asset, zone = _named(session, context, asset_id)
        return draft(session, asset, zone, **_how(context, asset))

    ready = context.read(drafted)
    context.patiently(lambda: refuse_missing(context.objects, ready))
    publication_id = f"pub_{context.step.id.partition('_')[2]}"  # the same in every attempt
    base = f"assets/{asset_id}/publications/{publication_id}"
    key = f"{context.prefix(base)}/manifest.json"
    context.patiently(lambda: context.objects.put_bytes(ready.document(), key))

    def apply(session: Session) -> None:
        asset, zone = _named(session, context, asset_id)
        confirm(session, asset, zone, ready, **_how(context, asset))
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


def _named(session: Session, context: StepContext, asset_id: str) -> tuple[Asset, Zone]:
    organisation_id = context.step.organisation_id
    asset = assets.get_asset(session, organisation_id, asset_id)
    return asset, zones.get_zone(session, organisation_id, context.step.payload["zone"])


def _how(context: StepContext, asset: Asset) -> dict[str, str]:
    """Publishing waits for every other step, so it alone still keeps the asset from being ready.

    What this job made goes, and of other jobs only the other profiles, where they were made of the
    same reading of the source.
    """
    state = "ready" if asset.state == "processing" else asset.state
    return {"asset_state": state, "job_id": context.step.job_id}
