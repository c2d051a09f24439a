"""The order of locks: a job's row first, then any other row, the chain of events last.

A job that is begun is nobody else's yet: its asset may be locked before it.
"""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, defer

from storage.errors import JobNotFound
from storage.schema import Asset, Job, Publication, Zone

Rows = TypeVar("Rows", bound=Select[Any])


def lock_job(session: Session, job_id: str) -> Job:
    """The job's row as it is now, held until the end of the transaction.

    Whatever changes a job's steps or state holds it. So of two steps that finish at once the second
    sees that the first is done, and exactly one of them makes their common dependant ready.
    """
    # A plan is megabytes of a long programme, that few of its steps' ends need.
    query = select(Job).options(defer(Job.plan)).where(Job.id == job_id)
    job = session.scalar(held(query))
    if job is None:
        raise JobNotFound(f"there is no job {job_id}")
    return job


def lock_asset(session: Session, asset_id: str) -> Asset:
    """The asset's row as it is now, held until the end of the transaction.

    Whatever begins a job of it, derives its state or publishes it holds it: of two that do so at
    once the second sees the first.
    """
    return session.scalars(held(select(Asset).where(Asset.id == asset_id))).one()


def lock_zone(session: Session, zone_id: str) -> Zone:
    """The zone's row likewise, by whoever edits it."""
    return session.scalars(held(select(Zone).where(Zone.id == zone_id))).one()


def lock_publication(session: Session, publication_id: str) -> Publication:
    """The publication's row likewise, by whoever takes it out or proves that it was taken."""
    return session.scalars(held(select(Publication).where(Publication.id == publication_id))).one()


def held(query: Rows) -> Rows:
    """The same rows as they are now, held until the end of the transaction."""
    return query.with_for_update(key_share=True).execution_options(populate_existing=True)
