"""Publications: an asset in a zone, as exact files, and what centres pull and prove."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.catalogue import events, zones
from storage.catalogue.locks import held, lock_asset, lock_publication
from storage.catalogue.pages import Page, newest_first
from storage.clock import now
from storage.errors import (
    AlreadyPublished,
    InvalidCursor,
    NotPublished,
    PublicationNotFound,
    ReceiptMismatch,
)
from storage.ids import new_id
from storage.schema import Asset, Event, Publication, Receipt, Zone

PUBLISHED, WITHDRAWN = CHANGES = ("publication.published", "publication.withdrawn")
REPUBLISH = "withdraw that publication first, or publish with `replace`"
FEED_BEGIN = "0"  # the cursor before everything
SEQ_DIGITS = 18  # what a 64-bit integer always holds
CURSOR_HASH_LENGTH = 16
FEED_WAY_OUT = (
    "begin again without one (`kapok pull --since 0`): files that are there already are not "
    "fetched again"
)


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One change: published, or withdrawn since. What comes after it is read from `cursor`."""

    publication: Publication
    title: str  # of its asset, which holds megabytes of what was measured
    zone: Zone
    cursor: str


@dataclass(frozen=True, slots=True)
class FeedPage:
    """`next_cursor` goes into the next call, also when there was nothing new."""

    data: list[FeedEntry]
    next_cursor: str
    has_more: bool


def publish(
    session: Session,
    asset: Asset,
    zone: Zone,
    manifest: Mapping[str, Any],
    manifest_key: str,
    actor: str,
    id: str | None = None,  # noqa: A002 - the word of the column
    *,
    replace: bool = False,
) -> Publication:
    """Put the manifest's files into the zone. The gate was asked before. Raises `AlreadyPublished`
    unless it may `replace` what is there of the asset: one change then takes that out, and the feed
    tells of it after the new one, so that no centre is without the programme in between.

    `manifest` is `{"files": [{"rendition_id", "key", "path", "sha256", "size_bytes"}]}`.
    """
    lock_asset(session, asset.id)  # so that who may replace sees what is published just now
    former = published_in(session, asset, zone, lock=True) if replace else None
    if former is not None:
        _take_out(session, former)
    publication = Publication(
        id=id or new_id("pub"),
        organisation_id=asset.organisation_id,
        asset_id=asset.id,
        zone_id=zone.id,
        state="published",
        manifest=dict(manifest),
        manifest_key=manifest_key,
        event_seq=0,
        created_at=now(session),
    )
    session.add(publication)
    where = f"asset {asset.id} is in zone {zone.name!r}"  # rows cannot be read after a failed flush
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyPublished(f"{where} already: {REPUBLISH}") from error
    _change(session, publication, zone, PUBLISHED, actor)
    if former is not None:
        _change(session, former, zone, WITHDRAWN, actor)
    return publication


def withdraw(session: Session, publication: Publication, actor: str) -> Publication:
    """Take it out of its zone; centres learn it by their feed. Raises `NotPublished`."""
    publication = lock_publication(session, publication.id)
    if publication.state != "published":
        raise NotPublished(f"publication {publication.id} was withdrawn before")
    _take_out(session, publication)
    zone = session.get_one(Zone, publication.zone_id)
    _change(session, publication, zone, WITHDRAWN, actor)
    return publication


def _take_out(session: Session, publication: Publication) -> None:
    publication.state, publication.withdrawn_at = "withdrawn", now(session)
    session.flush()  # before another takes its place


def published_in(
    session: Session, asset: Asset, zone: Zone, *, lock: bool = False
) -> Publication | None:
    """What is in the zone of this asset."""
    query = select(Publication).where(
        Publication.asset_id == asset.id,
        Publication.zone_id == zone.id,
        Publication.state == "published",
    )
    return session.scalars(held(query) if lock else query).one_or_none()


def get_publication(session: Session, organisation_id: str, publication_id: str) -> Publication:
    """Raises `PublicationNotFound`, also for another organisation's."""
    publication = session.get(Publication, publication_id)
    if publication is None or publication.organisation_id != organisation_id:
        raise PublicationNotFound(f"there is no publication {publication_id}")
    return publication


def list_publications(
    session: Session,
    organisation_id: str,
    *,
    asset_id: str | None = None,
    zone: str | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Publication]:
    """Newest first. Raises `InvalidCursor`, `ZoneNotFound`."""
    query = select(Publication).where(Publication.organisation_id == organisation_id)
    if asset_id is not None:
        query = query.where(Publication.asset_id == asset_id)
    if zone is not None:
        wanted = zones.get_zone(session, organisation_id, zone)
        query = query.where(Publication.zone_id == wanted.id)
    if state is not None:
        query = query.where(Publication.state == state)
    return newest_first(session, query, Publication, cursor=cursor, limit=limit)


def zone_of(session: Session, publication: Publication) -> Zone:
    return session.get_one(Zone, publication.zone_id)


def feed(session: Session, organisation_id: str, centre: str, since: str, limit: int) -> FeedPage:
    """What changed in the centre's zones since that cursor, oldest first.

    Each publication occurs once, as it is now, in the place of its last change. Raises
    `InvalidCursor`.
    """
    after = _event_of(session, organisation_id, since)
    open_zones = zones.zones_of_centre(session, organisation_id, centre)
    query = (
        select(Publication, Asset.title, Zone, Event.hash)
        .join(Asset, Asset.id == Publication.asset_id)
        .join(Zone, Zone.id == Publication.zone_id)
        .join(Event, Event.seq == Publication.event_seq)
        .where(Publication.zone_id.in_([zone.id for zone in open_zones]))
        .where(Publication.event_seq > (after[0] if after else 0))
        .order_by(Publication.event_seq)
        .limit(limit + 1)
    )
    found = [
        FeedEntry(row, title, zone, _cursor(row.event_seq, last))
        for row, title, zone, last in session.execute(query)
    ]
    data = found[:limit]
    unmoved = _cursor(*after) if after else FEED_BEGIN
    return FeedPage(data, data[-1].cursor if data else unmoved, len(found) > limit)


def _cursor(seq: int, event_hash: str) -> str:
    """The hash binds it to this chain: another service's, or one from before a restore, differs."""
    return f"{seq}-{event_hash[:CURSOR_HASH_LENGTH]}"


def _event_of(session: Session, organisation_id: str, cursor: str) -> tuple[int, str] | None:
    """Seq and hash of the change that gave this cursor; `None` at the beginning.

    Places are one chain for all organisations: a cursor of another feed would skip, in silence,
    what has changed before it. One without a hash, as they were once, is taken where this feed
    did have a change at its place. Raises `InvalidCursor`.
    """
    if cursor == FEED_BEGIN:
        return None
    seq, _, told = cursor.partition("-")
    if not (seq.isascii() and seq.isdigit() and len(seq) <= SEQ_DIGITS):
        raise InvalidCursor(
            "'since' is the `next_cursor` of an earlier pull: leave it out to begin."
        )
    event = session.get(Event, int(seq))
    if (
        event is None
        or event.organisation_id != organisation_id
        or event.type not in CHANGES
        or not event.hash.startswith(told)
    ):
        raise InvalidCursor(
            f"the cursor {cursor} is not of this feed: it was given by another service or "
            f"organisation, or before the catalogue was restored from a backup; {FEED_WAY_OUT}"
        )
    return event.seq, event.hash


def record_receipt(
    session: Session,
    publication: Publication,
    *,
    centre: str,
    files: Sequence[Mapping[str, str]],
    actor: str,
) -> Receipt:
    """A centre proves that it took files. Raises `ReceiptMismatch` when one is not as published.

    What proves no file anew is the receipt that there is: a pull that is repeated leaves no other,
    and a centre writes no more receipts than the publication has files.
    """
    published = {file["path"]: file["sha256"] for file in publication.manifest["files"]}
    for file in files:
        if published.get(file["path"]) != file["sha256"].lower():
            raise ReceiptMismatch(
                f"{file['path']!r} with SHA-256 {file['sha256']} is not in publication "
                f"{publication.id}: pull the file again and compare its hash"
            )
    proven = {file["path"]: file["sha256"].lower() for file in files}
    lock_publication(session, publication.id)  # of two that come at once the second sees the first
    if (told := _told_before(session, publication, centre, proven)) is not None:
        return told
    receipt = Receipt(
        id=new_id("rec"),
        organisation_id=publication.organisation_id,
        publication_id=publication.id,
        centre=centre,
        files=[{"path": path, "sha256": proven[path]} for path in sorted(proven)],
        created_at=now(session),
    )
    session.add(receipt)
    session.flush()
    events.append(
        session,
        type="receipt.recorded",
        subject=receipt.id,
        organisation_id=receipt.organisation_id,
        actor=actor,
        payload={"publication_id": publication.id, "centre": centre, "files": receipt.files},
    )
    return receipt


def _told_before(
    session: Session, publication: Publication, centre: str, proven: Collection[str]
) -> Receipt | None:
    """Where its receipts together name all these paths, the one that names the most of them."""
    mine = select(Receipt).where(Receipt.publication_id == publication.id)
    earlier = list(session.scalars(mine.where(Receipt.centre == centre).order_by(Receipt.id)))
    named = {receipt.id: {file["path"] for file in receipt.files} for receipt in earlier}
    if not set(proven) <= set().union(*named.values()):
        return None
    return max(earlier, key=lambda receipt: len(named[receipt.id] & set(proven)))


def _change(session: Session, publication: Publication, zone: Zone, what: str, actor: str) -> None:
    """Note the change; its place among all events is its place in the feed."""

    def placed(seq: int) -> None:
        publication.event_seq = seq

    events.append(
        session,
        type=what,
        subject=publication.id,
        organisation_id=publication.organisation_id,
        actor=actor,
        payload={
            "asset_id": publication.asset_id,
            "zone": zone.name,
            "files": [
                {"path": file["path"], "sha256": file["sha256"]}
                for file in publication.manifest["files"]
            ],
        },
        placed=placed,
    )
