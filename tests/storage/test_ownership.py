"""Whose a store is: one catalogue's, and its restored copies'."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import servers
import worlds

from storage.database import Database
from storage.errors import CatalogueUnavailable, InvalidSettings
from storage.objects import ObjectStore
from storage.objects_minio import MinioStore
from storage.ownership import KEY, own_store, own_store_at_start


def test_a_store_takes_one_catalogue_and_its_restored_copies(
    world: worlds.World, store: ObjectStore, tmp_path: Path
) -> None:
    """The first one that comes; another one is told the way out."""
    own_store(world.database, store)
    world.upload()  # later events change nothing
    own_store(world.database, store)
    other = worlds.open_world(f"sqlite:///{tmp_path / 'other.db'}").database
    with pytest.raises(InvalidSettings, match=f"delete the object {KEY}"):
        own_store_at_start(other, store)
    store.delete(KEY)
    own_store(other, store)
    other.close()


def test_a_start_does_not_wait_for_a_store_that_hangs(world: worlds.World) -> None:
    """It is asked later whose it is."""
    with servers.hanging() as hanging:
        store = MinioStore(
            hanging.endpoint,
            hanging.endpoint,
            access_key="none",
            secret_key="none",
            bucket="kapok",
            region="us-east-1",
        )
        began = time.monotonic()
        own_store_at_start(world.database, store)
        assert time.monotonic() - began < 10


def test_an_empty_catalogue_owns_nothing(database_url: str, store: ObjectStore) -> None:
    """Without tables or organisation it is no catalogue yet: a start says so and waits for it."""
    database = Database(database_url)
    for prepare in (lambda: None, database.migrate):
        prepare()
        with pytest.raises(CatalogueUnavailable, match=r"kapok migrate|no such table"):
            own_store(database, store)
        own_store_at_start(database, store)
    database.close()
