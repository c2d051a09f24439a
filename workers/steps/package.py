"""Package the verified renditions of a job as CMAF HLS and DASH."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from pipelines.fixity import digest
from pipelines.packaging.package import package
from pipelines.progress import finish
from storage.catalogue import packages
from workers.context import StepContext, StepResult
from workers.steps.inputs import plan_of, renditions_of, source_of

SEGMENT_OVERHEAD = 1.05  # [P] boxes of the segments over the bytes of the renditions


def run(context: StepContext) -> StepResult:
    plan, source, known = plan_of(context), source_of(context), renditions_of(context)
    chosen = [known[profile] for profile in context.step.payload["profiles"]]
    folder = context.folder / "package"
    folder.mkdir()
    with ExitStack() as stack:
        renditions = [
            (one.rung, stack.enter_context(context.fetch(str(one.key)))) for one in chosen
        ]
        size_bytes = sum(path.stat().st_size for _, path in renditions)
        context.need_scratch(int(size_bytes * SEGMENT_OVERHEAD))
        made = context.follow(package(renditions, folder, plan.duration_s), end=0.9)
    package_id = f"pkg_{context.step.id.partition('_')[2]}"  # the same in every attempt
    base = f"assets/{source.asset_id}/packages/{package_id}"
    files = [_store(context, folder, base, name) for name in made.files]
    prefix = f"{context.prefix(base)}/"

    def apply(session: Session) -> None:
        packages.add_package(
            session,
            id=package_id,
            organisation_id=context.step.organisation_id,
            asset_id=source.asset_id,
            job_id=context.step.job_id,
            prefix=prefix,
            hls=made.hls,
            dash=made.dash,
            files=files,
        )

    return StepResult(result={"package_id": package_id, "files": len(files)}, apply=apply)


def _store(context: StepContext, folder: Path, base: str, name: str) -> dict[str, Any]:
    path = folder / name
    sha256 = finish(digest(path))["sha256"]
    size_bytes = path.stat().st_size
    context.put(path, base, name)
    return {"path": name, "sha256": sha256, "size_bytes": size_bytes}
