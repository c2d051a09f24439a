"""Package the verified renditions of a job as CMAF HLS and DASH."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from pipelines.fixity import digest
from pipelines.packaging.package import package
from pipelines.progress import Progress, finish
from storage.catalogue import packages
from workers.context import StepContext, StepResult
from workers.steps.inputs import plan_of, renditions_of, source_of

STORED_AT_ONCE = 8  # [P] segments of 2 s are small: what they wait for is the store's answers
STORED_BETWEEN_LOOKS = 32  # [P]
PACKAGED_SHARE = 0.9  # [P] of the step's progress; storing is the rest
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
        made = context.follow(package(renditions, folder, plan.duration_s), end=PACKAGED_SHARE)
    package_id = f"pkg_{context.step.id.partition('_')[2]}"  # the same in every attempt
    base = f"assets/{source.asset_id}/packages/{package_id}"
    prefix = f"{context.prefix(base)}/"
    files = context.follow(store_all(context, folder, base, made.files), start=PACKAGED_SHARE)

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


def store_all(
    context: StepContext, folder: Path, base: str, names: Sequence[str]
) -> Generator[Progress, None, list[dict[str, Any]]]:
    """Store finished files under `base`, several at once: ten hours are a hundred thousand, and
    each waits for the store's answers. Returns path, SHA-256 and size of each, in their order.

    None is begun after the lease is gone, and none is under way after this ends.
    """
    stored: list[dict[str, Any]] = []
    with ThreadPoolExecutor(STORED_AT_ONCE, thread_name_prefix="store") as pool:
        while len(stored) < len(names):
            some = names[len(stored) : len(stored) + STORED_BETWEEN_LOOKS]
            stored += pool.map(partial(_store, context, folder, base), some)
            yield Progress(len(stored) / len(names))
    return stored


def _store(context: StepContext, folder: Path, base: str, name: str) -> dict[str, Any]:
    context.check()
    path = folder / name
    sha256 = finish(digest(path))["sha256"]
    size_bytes = path.stat().st_size
    context.put(path, base, name)
    return {"path": name, "sha256": sha256, "size_bytes": size_bytes}
