"""The order of locks: a job's row first, then any other row, the chain of events last.

A job that is begun is nobody else's yet: its asset may be locked before it.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from storage.errors import JobNotFound
from storage.schema import Asset, Job


def lock_job(session: Session, job_id: str) -> Job:
    """The job's row as it is now, held until the end of the transaction.

    Whatever changes a job's steps or state holds it. So of two steps that finish at once the second
    sees that the first is done, and exactly one of them makes their common dependant ready.
    """
    query = (
        select(Job)
        .options(defer(Job.plan))  # megabytes of a long programme, that few of its steps' ends need
        .where(Job.id == job_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    job = session.scalar(query)
    if job is None:
        raise JobNotFound(f"there is no job {job_id}")
    return job


def lock_asset(session: Session, asset_id: str) -> Asset:
    """The asset's row as it is now, held until the end of the transaction.

    Whatever begins a job of it, derives its state or publishes it holds it: of two that do so at
    once the second sees the first.
    """
    query = select(Asset).where(Asset.id == asset_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one()
