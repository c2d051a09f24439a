"""Assets: made of proven bytes, edited and searched by people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, column, select, table
from sqlalchemy import text as sql
from sqlalchemy.orm import Session, defer

from storage.catalogue import events
from storage.catalogue.locks import lock_asset
from storage.catalogue.pages import Page, decode, newest_first, page_of
from storage.clock import now
from storage.errors import AssetNotFound, VersionConflict
from storage.schema import Asset, Job, Upload
from storage.text import LONGEST_GRAM, grams, longest_grams, storable, words

SYSTEM = "system"
ACTIVE = frozenset({"queued", "running", "cancelling"})  # states of a job that may still change
_MEASURED = (Asset.media, Asset.inspection)
# [P] Characters of an asset that are searched. An edit indexes them within its transaction, for
# which every other writer of SQLite waits: 20,000 of Chinese take 0.2 s, a megabyte took 5.5.
SEARCHED = 20_000
_MOST_KEPT = 500  # [P] characters of a changed field in the trail, which nobody can shorten
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

INDEX = sql(
    "INSERT OR REPLACE INTO asset_search (rowid, asset_id, grams) VALUES (:row, :id, :grams)"
)

# SQLite's full-text table. Its rowid is `created_at` in microseconds, so it is sorted as pages are.
_search = table("asset_search", column("rowid"), column("asset_id"), column("asset_search"))


def create_asset(session: Session, upload: Upload, job: Job, *, sha256: str) -> Asset:
    """The upload's bytes are proven: it is an asset now. Part of the step that proved them."""
    moment = _free_moment(session)
    asset = Asset(
        id=upload.asset_id,
        organisation_id=upload.organisation_id,
        state="processing",
        title=upload.title,
        search_text="",
        metadata_=dict(upload.request.get("metadata") or {}),
        file_name=upload.file_name,
        source_key=upload.key,
        size_bytes=upload.size_bytes,
        sha256=sha256,
        version=1,
        created_at=moment,
        updated_at=moment,
    )
    session.add(asset)
    session.flush()
    _index(session, asset, search_words(asset))
    upload.state, job.asset_id = "verified", asset.id
    payload = {"upload_id": upload.id, "job_id": job.id, "sha256": sha256}
    _note(session, asset, "asset.created", SYSTEM, payload)
    return asset


def get_asset(session: Session, organisation_id: str, asset_id: str) -> Asset:
    """Raises `AssetNotFound`, also for another organisation's."""
    asset = session.get(Asset, asset_id)
    if asset is None or asset.organisation_id != organisation_id:
        raise AssetNotFound(f"there is no asset {asset_id}")
    return asset


def search_assets(
    session: Session,
    organisation_id: str,
    *,
    text: str | None = None,
    state: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Asset]:
    """Newest first. Every word of `text` must occur, anywhere in a word of title, file name or
    metadata, within their first `SEARCHED` characters; case and full-width forms do not matter.
    `created_after` is included, `created_before` is not. What was measured of them is large, and
    not read. Raises `InvalidCursor`.
    """
    query = select(Asset).where(Asset.organisation_id == organisation_id)
    query = query.options(*(defer(one, raiseload=True) for one in _MEASURED))
    if state is not None:
        query = query.where(Asset.state == state)
    if created_after is not None:
        query = query.where(Asset.created_at >= created_after)
    if created_before is not None:
        query = query.where(Asset.created_at < created_before)
    if text is None or not text.strip():
        return newest_first(session, query, Asset, cursor=cursor, limit=limit)
    wanted = words(text)
    if not wanted:
        return Page([], None, has_more=False)
    # A word no longer than a gram is found by the index alone, exactly.
    for word in wanted:
        if len(word) > LONGEST_GRAM:
            query = query.where(Asset.search_text.contains(word))
    terms = sorted(longest_grams(wanted))
    if session.get_bind().dialect.name == "postgresql":
        query = query.where(Asset.search_grams.contains(terms))
        return newest_first(session, query, Asset, cursor=cursor, limit=limit)
    terms += _marks(organisation_id, state)
    rows = _Rows(created_after, created_before, decode(cursor)[0] if cursor else None)
    return _search_sqlite(session, query, terms, rows, limit)


def record_inspection(
    session: Session,
    asset: Asset,
    media: Mapping[str, Any],
    inspection: Mapping[str, Any],
    prefix: str,
) -> None:
    """Keep what was probed and measured; images lie under `prefix`.

    Of light that was not measured now, what an earlier inspection of the same programme measured is
    kept: another job may have asked for it, and it says for which colour it holds.
    """
    asset = lock_asset(session, asset.id)
    light = _light_of(asset) if inspection.get("light") is None else {}
    if (asset.media or {}).get("programme") != media.get("programme"):
        light = {}
    asset.inspection = {**inspection, **light}
    asset.media, asset.inspection_prefix = dict(media), prefix
    asset.updated_at = now(session)
    _note(session, asset, "asset.inspected", SYSTEM)


def _light_of(asset: Asset) -> dict[str, Any]:
    seen = asset.inspection or {}
    return {name: seen[name] for name in ("light", "light_colour") if name in seen}


def edit_asset(
    session: Session,
    asset: Asset,
    *,
    title: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    version: int | None = None,
    actor: str,
) -> Asset:
    """Change what is given; `version` is the one that was read. Raises `VersionConflict`."""
    asset = lock_asset(session, asset.id)
    if version is not None and version != asset.version:
        raise VersionConflict(
            f"asset {asset.id} is at version {asset.version}, not {version}: read it again"
        )
    if title is not None:
        asset.title = storable(title, "title")
    changed = {} if metadata is None else _changed(asset.metadata_ or {}, metadata)
    if metadata is not None:
        asset.metadata_ = dict(metadata)
    asset.version += 1
    asset.updated_at = now(session)
    session.flush()
    said = search_words(asset)
    if " ".join(said) != asset.search_text:
        _index(session, asset, said)
    payload = {"title": asset.title, "version": asset.version, "metadata": changed}
    _note(session, asset, "asset.edited", actor, payload)
    return asset


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are new, other or gone (`None`), as they are now: the trail keeps them, and
    of a long one its SHA-256.
    """
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: _kept(after.get(name)) for name in names}


def _kept(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(text) <= _MOST_KEPT:
        return value
    return {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def settle_asset(session: Session, asset_id: str, actor: str = SYSTEM) -> None:
    """Derive the asset's state from its jobs; called wherever the state of one changes.

    Ready once a whole job is done, whatever came after it; processing while one runs; else what the
    newest job is.
    """
    asset = lock_asset(session, asset_id)
    query = select(Job.state).where(Job.asset_id == asset_id)
    states = list(session.scalars(query.order_by(Job.created_at.desc(), Job.id.desc())))
    state = _state_of(states)
    if asset.state == state:
        return
    asset.state, asset.updated_at = state, now(session)
    if session.get_bind().dialect.name == "sqlite":  # whose index holds the state too
        session.execute(INDEX, index_row(asset))
    _note(session, asset, f"asset.{state}", actor)


def _state_of(states: Sequence[str]) -> str:
    """`states` of its jobs, the newest first."""
    if "done" in states:
        return "ready"
    if not states or any(state in ACTIVE for state in states):
        return "processing"
    return states[0]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Which rows of `asset_search` a page can lie in, by the moments that number them."""

    first: datetime | None
    end: datetime | None
    cursor: datetime | None

    def conditions(self) -> list[ColumnElement[bool]]:
        ends = [_row_number(moment) for moment in (self.end, self.cursor) if moment is not None]
        found = [_search.c.rowid < min(ends)] if ends else []
        if self.first is not None:
            found.append(_search.c.rowid >= _row_number(self.first))
        return found


def _search_sqlite(
    session: Session, query: Select[Asset], terms: Iterable[str], rows: _Rows, limit: int
) -> Page[Asset]:
    """Walk the full-text index backwards, which is newest first, and stop when the page is full."""
    found = (
        query.join_from(_search, Asset, Asset.id == _search.c.asset_id)
        .where(_search.c.asset_search.op("MATCH")(" AND ".join(f'"{term}"' for term in terms)))
        .where(*rows.conditions())
        .order_by(_search.c.rowid.desc())
        .limit(limit + 1)
    )
    return page_of(list(session.scalars(found)), limit)


def index_row(asset: Asset) -> dict[str, Any]:
    """The row of SQLite's `asset_search` for an asset: its grams, its organisation, its state."""
    found = sorted(grams(asset.search_text[:SEARCHED].split()))  # earlier Kapoks kept all of them
    return {
        "row": _row_number(asset.created_at),
        "id": asset.id,
        "grams": " ".join([*_marks(asset.organisation_id, asset.state), *found]),
    }


def search_words(asset: Asset) -> list[str]:
    """Every word under which an asset is found: of its title, file name and metadata, in turn."""
    text = " ".join([asset.title, asset.file_name, *_values(asset.metadata_)])[:SEARCHED]
    return " ".join(words(text))[:SEARCHED].split()  # one letter may be many once it is normalised


def _index(session: Session, asset: Asset, said: Sequence[str]) -> None:
    """Bring the search up to date with what title, file name and metadata say."""
    asset.search_text = " ".join(said)
    if session.get_bind().dialect.name == "postgresql":
        asset.search_grams = sorted(grams(said))
    else:
        session.execute(INDEX, index_row(asset))


def _values(metadata: Any) -> Iterable[str]:
    if isinstance(metadata, Mapping):
        for value in metadata.values():
            yield from _values(value)
    elif isinstance(metadata, list):
        for value in metadata:
            yield from _values(value)
    elif isinstance(metadata, str | int | float) and not isinstance(metadata, bool):
        yield str(metadata)


def _free_moment(session: Session) -> datetime:
    """Now; on SQLite a microsecond of its own, as it is the row number of the search too."""
    moment = now(session)
    if session.get_bind().dialect.name == "postgresql":
        return moment
    taken = sql("SELECT 1 FROM asset_search WHERE rowid = :row")
    while session.scalar(taken, {"row": _row_number(moment)}) is not None:
        moment += MICROSECOND
    return moment


def _row_number(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _marks(organisation_id: str, state: str | None) -> list[str]:
    """Words of the index that no gram can be, as they are longer: whose it is, and its state."""
    owner = organisation_id.replace("_", "")
    return [owner] if state is None else [owner, f"is{state}"]


def _note(
    session: Session, asset: Asset, what: str, actor: str, payload: dict[str, Any] | None = None
) -> None:
    events.append(
        session,
        type=what,
        subject=asset.id,
        organisation_id=asset.organisation_id,
        actor=actor,
        payload=payload,
    )
