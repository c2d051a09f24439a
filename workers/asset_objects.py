"""Objects under `assets/` that dead attempts left: what no row of the catalogue names goes."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.catalogue import jobs
from storage.catalogue.assets import ACTIVE
from storage.clock import now
from storage.database import Database
from storage.ids import made_at
from storage.objects import ObjectStore
from storage.schema import Asset, Job, PackageRow, Publication, Rendition
from workers.outage import each

# `assets/{asset}/{kind}/{id}/…`
KINDS = ("inspection", "packages", "publications", "renditions", "subtitles")
BEFORE_ROWS = {"publications", "subtitles"}  # written by the API before there is a row
BEING_NAMED = timedelta(hours=1)  # [P] what is younger than that may get its row yet

# Anything else there is a stranger's; an id that begins with 7 would be of the year 9775 or later.
_FORM = re.compile(r"assets/[^/]+/[a-z]+/[a-z]{3}_[0-6]?[0-9a-hjkmnp-tv-z]{1,25}/.+")

log = logging.getLogger(__name__)


def tidy_assets(database: Database, objects: ObjectStore, limit: int = 100) -> list[str]:
    """Tidy the assets whose jobs have settled since; returns the keys that were deleted.

    The store is listed before the catalogue is asked: what is listed then and neither named nor
    being made now will never be named, because a later attempt writes under a later epoch. What the
    API stores has no attempt: it is judged by the age of its id.
    """
    removed: list[str] = []
    with database.read() as session:
        untidy = [(job.id, str(job.asset_id)) for job in jobs.untidy_jobs(session, limit)]
    each(untidy, lambda one: _tidy(database, objects, *one, removed))
    return removed


def _tidy(
    database: Database, objects: ObjectStore, job_id: str, asset_id: str, removed: list[str]
) -> None:
    there = [key for kind in KINDS for key in objects.list_prefix(f"assets/{asset_id}/{kind}/")]
    with database.read() as session:
        named = None if _is_active(session, asset_id) else _named(session, asset_id)
        moment = now(session)
    if named is None:
        return  # the job that runs now is tidied after, and this one with it
    unnamed = [key for key in there if _FORM.fullmatch(key) and not key.startswith(named)]
    dead = [key for key in unnamed if not _may_be_named_yet(key, moment)]
    for key in dead:
        log.info("no row names the object %s", key)
        objects.delete(key)
        removed.append(key)
    if dead != unnamed:
        return  # it is looked at again
    with database.begin() as session:
        jobs.mark_tidied(session, job_id)


def _may_be_named_yet(key: str, moment: datetime) -> bool:
    _assets, _asset_id, kind, identifier, *_name = key.split("/")
    return kind in BEFORE_ROWS and moment - made_at(identifier) < BEING_NAMED


def _is_active(session: Session, asset_id: str) -> bool:
    query = select(Job.id).where(Job.asset_id == asset_id, Job.state.in_(ACTIVE)).limit(1)
    return session.scalar(query) is not None


def _named(session: Session, asset_id: str) -> tuple[str, ...]:
    """Prefixes and keys that rows name."""
    asset = session.get_one(Asset, asset_id)
    keys = select(Rendition.key).where(Rendition.asset_id == asset_id, Rendition.key.is_not(None))
    prefixes = select(PackageRow.prefix).where(PackageRow.asset_id == asset_id)
    manifests = select(Publication.manifest_key).where(Publication.asset_id == asset_id)
    requests = select(Job.request).where(Job.asset_id == asset_id)
    files = [one for request in session.scalars(requests) for one in request.get("subtitles", ())]
    found = [asset.inspection_prefix, *(one["key"] for one in files)]
    for query in (keys, prefixes, manifests):
        found += session.scalars(query)
    return tuple(str(one) for one in found if one)
