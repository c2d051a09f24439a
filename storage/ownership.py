"""A store belongs to one catalogue: what another one keeps there would look like leftovers."""

from __future__ import annotations

import logging
from contextlib import suppress

from pipelines.errors import KapokError
from storage.catalogue import events
from storage.database import Database
from storage.errors import CatalogueUnavailable, InvalidSettings, ObjectExists, ObjectMissing
from storage.objects import ObjectStore

KEY = "kapok-catalogue"  # holds the hash of the catalogue's first event
MOST_BYTES = 1000

log = logging.getLogger(__name__)


def own_store(database: Database, objects: ObjectStore) -> None:
    """Raise `InvalidSettings` where the store is another catalogue's; nobody's becomes this one's.

    The first event names a catalogue: it never changes, and a restored one has the same.
    """
    with database.read() as session:
        mine = events.first_hash(session)
    if mine is None:
        raise CatalogueUnavailable("the catalogue is empty: run `kapok migrate` first")
    try:
        theirs = objects.read_bytes(KEY, MOST_BYTES)
    except ObjectMissing:
        objects.prepare()
        with suppress(ObjectExists):
            objects.put_bytes(mine.encode(), KEY)
        theirs = objects.read_bytes(KEY, MOST_BYTES)  # somebody else may have come first
    if theirs != mine.encode():
        raise InvalidSettings(
            "the object store is that of another catalogue of Kapok: give this one its own "
            "(KAPOK_S3_BUCKET, or another data folder). Where that catalogue is gone for good "
            f"delete the object {KEY} from the store; what that one had under work/ then goes"
        )


def own_store_at_start(database: Database, objects: ObjectStore) -> None:
    """`own_store`, where the servers are there; else the sweeper asks before it deletes."""
    try:
        objects.check()  # one that hangs says so in seconds; all else would wait for minutes
        objects.prepare()
        own_store(database, objects)
    except KapokError as error:
        if not error.retryable:
            raise
        log.warning("whose the object store is will be asked later: %s", error)
