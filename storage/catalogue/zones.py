"""Zones: places to publish to, each with the profiles that its gate asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.catalogue import events
from storage.catalogue.locks import lock_zone
from storage.clock import now
from storage.errors import NameTaken, ZoneNotFound
from storage.ids import new_id
from storage.schema import Zone
from storage.text import storable

# [P] What a new organisation begins with: name, title, profiles of which any one must be ready.
USUAL_ZONES = (
    ("uhd-4k", "4K 超高清专区 · 4K UHD", ("cn4k-hevc-hlg",)),
    ("hd", "高清频道 · HD", ("hd-avc-sdr", "mobile-1080p")),
    ("heritage", "文化遗产典藏 · Heritage", ("archive-ffv1",)),
    ("mobile", "移动端 · Mobile", ("mobile-1080p", "mobile-720p", "mobile-540p")),
    ("audio", "音频 · Audio", ("audio-access-aac",)),
)


def create_zone(
    session: Session,
    organisation_id: str,
    *,
    name: str,
    title: str,
    required_profiles: Sequence[str],
    centres: Sequence[str] | None = None,
    actor: str,
) -> Zone:
    """`centres` names who may pull; `None` means every centre. Raises `NameTaken`."""
    zone = Zone(
        id=new_id("zon"),
        organisation_id=organisation_id,
        name=storable(name, "name"),
        title=storable(title, "title"),
        required_profiles=list(required_profiles),
        centres=None if centres is None else list(centres),
        created_at=now(session),
    )
    session.add(zone)
    try:
        session.flush()
    except IntegrityError as error:
        raise NameTaken(f"there is a zone named {name!r} already") from error
    events.append(
        session,
        type="zone.created",
        subject=zone.id,
        organisation_id=organisation_id,
        actor=actor,
        payload={
            "name": name,
            "title": zone.title,
            "required_profiles": zone.required_profiles,
            "centres": zone.centres,
        },
    )
    return zone


def edit_zone(session: Session, zone: Zone, changed: Mapping[str, Any], *, actor: str) -> Zone:
    """Change what is given of `title`, `required_profiles` and `centres`, where `None` means every
    centre. What is published stays published.
    """
    zone = lock_zone(session, zone.id)
    if "title" in changed:
        zone.title = storable(changed["title"], "title")
    if "required_profiles" in changed:
        zone.required_profiles = list(changed["required_profiles"])
    if "centres" in changed:
        zone.centres = None if changed["centres"] is None else list(changed["centres"])
    session.flush()
    events.append(
        session,
        type="zone.edited",
        subject=zone.id,
        organisation_id=zone.organisation_id,
        actor=actor,
        payload={
            "name": zone.name,
            "title": zone.title,
            "required_profiles": zone.required_profiles,
            "centres": zone.centres,
        },
    )
    return zone


def create_usual_zones(session: Session, organisation_id: str, actor: str) -> None:
    for name, title, profiles in USUAL_ZONES:
        create_zone(
            session,
            organisation_id,
            name=name,
            title=title,
            required_profiles=profiles,
            actor=actor,
        )


def get_zone(session: Session, organisation_id: str, name: str) -> Zone:
    """By its name. Raises `ZoneNotFound`, which lists the names that there are."""
    return named(list_zones(session, organisation_id), name)


def named(found: Sequence[Zone], name: str) -> Zone:
    """One of these. Raises `ZoneNotFound`, which lists their names and no others."""
    known = {zone.name: zone for zone in found}
    if name not in known:
        raise ZoneNotFound(f"there is no zone {name!r}: choose one of {', '.join(sorted(known))}")
    return known[name]


def list_zones(session: Session, organisation_id: str) -> list[Zone]:
    query = select(Zone).where(Zone.organisation_id == organisation_id)
    return list(session.scalars(query.order_by(Zone.created_at, Zone.id)))


def zones_of_centre(session: Session, organisation_id: str, centre: str) -> list[Zone]:
    """Those that a centre may pull from."""
    return [
        zone
        for zone in list_zones(session, organisation_id)
        if zone.centres is None or centre in zone.centres
    ]
