"""The tables of the catalogue, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC on both databases.

    SQLite forgets the zone, so it is put back; PostgreSQL answers in the zone of the connection.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class passes it
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class passes it
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
ExactJson = (
    JSON()
)  # kept as it was written: JSONB would write 1e20 in another way, and break a hash
Grams = ARRAY(Text()).with_variant(JSON(none_as_null=True), "sqlite")
Big = BigInteger().with_variant(Integer(), "sqlite")
LABEL_LENGTH = 200  # characters of an organisation's or a key's name
STEP_NAME_LENGTH = 200  # characters; SQLite alone would take more


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: Json, list[Any]: Json}  # noqa: RUF012 - SQLAlchemy reads it once


class Organisation(Base):
    __tablename__ = "organisations"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(LABEL_LENGTH), unique=True)
    created_at: Mapped[datetime]


class ApiKey(Base):
    """Only the SHA-256 of a key is stored; a key of role `centre` is named after its centre."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    name: Mapped[str] = mapped_column(String(LABEL_LENGTH))
    role: Mapped[str] = mapped_column(String(20))
    key_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Upload(Base):
    """`asset_id` and `key` are reserved when the upload begins; the asset row comes after proof."""

    __tablename__ = "uploads"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    state: Mapped[str] = mapped_column(
        String(20)
    )  # open, complete, verified, rejected, aborted, expired
    asset_id: Mapped[str] = mapped_column(String(40))
    job_id: Mapped[str | None] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(Text)
    file_name: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(Big)
    part_size_bytes: Mapped[int] = mapped_column(Big)
    key: Mapped[str] = mapped_column(Text)
    store_upload_id: Mapped[str] = mapped_column(Text)  # empty until the store has begun it
    # {"sha256": …, "md5": …}, of fixity's kinds: what the client or the sidecar says
    declared: Mapped[dict[str, Any]]
    request: Mapped[dict[str, Any]]  # ladder or profiles, zone, metadata
    error: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    # It never became an asset, and was cleaned once: the store may still have been at it.
    clean_again_at: Mapped[datetime | None]
    cleaned_at: Mapped[datetime | None]  # for good: the store holds nothing of it
    __table_args__ = (
        Index("uploads_by_state", "state", "expires_at"),
        Index("uploads_to_clean", "cleaned_at", "state"),
        Index("uploads_by_date", "organisation_id", "created_at", "id"),
    )


class Asset(Base):
    __tablename__ = "assets"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    state: Mapped[str] = mapped_column(String(20))  # processing, ready, failed, cancelled
    title: Mapped[str] = mapped_column(Text)
    search_text: Mapped[str] = mapped_column(Text)  # words of title, file name and metadata values
    search_grams: Mapped[list[Any] | None] = mapped_column(Grams, deferred=True)  # PostgreSQL alone
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    file_name: Mapped[str] = mapped_column(Text)
    source_key: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(Big)
    sha256: Mapped[str] = mapped_column(String(64))
    media: Mapped[dict[str, Any] | None]  # pipelines.media.MediaInfo
    inspection: Mapped[
        dict[str, Any] | None
    ]  # pipelines.media.Inspection; images under inspection_prefix
    inspection_prefix: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=1)  # ETag of the editable fields
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        Index("assets_by_date", "organisation_id", "created_at", "id"),
        Index("assets_by_state", "organisation_id", "state", "created_at", "id"),
        # SQLite keeps the same grams in the full-text table `asset_search`: see the migrations.
        Index("assets_by_gram", "search_grams", postgresql_using="gin").ddl_if("postgresql"),
    )


class Job(Base):
    """`asset_id` is empty until the upload's bytes are proven."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    upload_id: Mapped[str | None] = mapped_column(ForeignKey("uploads.id"))
    asset_id: Mapped[str | None] = mapped_column(ForeignKey("assets.id"), index=True)
    state: Mapped[str] = mapped_column(
        String(20)
    )  # queued, running, cancelling, done, failed, cancelled
    request: Mapped[dict[str, Any]]
    plan: Mapped[dict[str, Any] | None]  # pipelines.planning.plan.Plan
    error: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    work_deleted_at: Mapped[datetime | None]  # `work/{job}/` is gone: a retry must make it again
    tidied_at: Mapped[datetime | None]  # what dead attempts left under `assets/` is gone
    __table_args__ = (
        Index("jobs_to_tidy", "tidied_at", "state"),
        Index("jobs_by_date", "organisation_id", "created_at", "id"),
        Index("jobs_by_upload", "upload_id"),
    )


class Step(Base):
    """One node of a job. Claimed by a conditional update that raises `epoch`."""

    __tablename__ = "steps"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    queue: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(
        String(STEP_NAME_LENGTH)
    )  # what a person reads: "encode chunk 1 of 1"
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(
        String(20)
    )  # waiting, ready, running, done, failed, cancelled
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(
        Integer, default=0
    )  # counted against max_attempts; epoch is not
    max_attempts: Mapped[int] = mapped_column(Integer, default=4)
    worker: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]  # back-off of a transient error
    sent_at: Mapped[datetime | None]
    passed_at: Mapped[datetime | None]  # a worker that may not or cannot run it took its message
    memory_bytes: Mapped[int | None] = mapped_column(
        Big
    )  # foreseen by a worker that gives less: only one that gives so much may claim it
    progress: Mapped[dict[str, Any] | None]  # {"share", "note", "frames", "fps", "eta_s"}
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]  # {"code", "detail", "retryable"}
    log_tail: Mapped[str | None] = mapped_column(Text)
    command: Mapped[list[Any] | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        Index("steps_by_state", "state", "lease_until"),
        Index("steps_unsent", "state", "queue", "sent_at", "id"),
    )


class StepDependency(Base):
    __tablename__ = "step_dependencies"
    step_id: Mapped[str] = mapped_column(ForeignKey("steps.id"), primary_key=True)
    depends_on_id: Mapped[str] = mapped_column(ForeignKey("steps.id"), primary_key=True, index=True)


class StepNeed(Base):
    """Only a worker that proved this profile may claim the step."""

    __tablename__ = "step_needs"
    step_id: Mapped[str] = mapped_column(ForeignKey("steps.id"), primary_key=True)
    profile_key: Mapped[str] = mapped_column(
        ForeignKey("profile_definitions.key"), primary_key=True
    )


class ProfileDefinition(Base):
    """A profile as some plan used it, so that a worker can prove it after its file has changed."""

    __tablename__ = "profile_definitions"
    key: Mapped[str] = mapped_column(
        String(200), primary_key=True
    )  # pipelines.profiles.profile_key
    definition: Mapped[dict[str, Any]]  # pipelines.profiles.profile.Profile


class OrganisationProfile(Base):
    """A version of a profile that an organisation added; it never changes."""

    __tablename__ = "organisation_profiles"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[int] = mapped_column(Integer)
    definition: Mapped[dict[str, Any]]  # pipelines.profiles.profile.Profile
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("organisation_id", "name", "version", name="one_own_profile_a_version"),
    )


class WorkerRow(Base):
    """A process that runs steps; alive while `seen_at` is fresh."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)  # as in `steps.worker`
    host: Mapped[str] = mapped_column(String(200))
    queues: Mapped[list[Any]]
    tools: Mapped[dict[str, Any]]  # tool -> version
    memory_bytes: Mapped[int] = mapped_column(Big, server_default=text("0"))  # it gives to steps
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)


class Capability(Base):
    """What a worker's tiny real encode of a profile came to, with that worker's tools."""

    __tablename__ = "capabilities"
    worker_id: Mapped[str] = mapped_column(
        ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True
    )
    profile_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    profile: Mapped[str] = mapped_column(String(100))
    profile_version: Mapped[int] = mapped_column(Integer)
    available: Mapped[bool]
    reason: Mapped[str | None] = mapped_column(Text)
    reason_zh: Mapped[str | None] = mapped_column(Text)  # none where an older version wrote it
    proven_at: Mapped[datetime]


class Rendition(Base):
    __tablename__ = "renditions"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    profile: Mapped[str] = mapped_column(String(100))
    profile_version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(20))  # planned, ready, failed, cancelled
    rung: Mapped[dict[str, Any]]  # pipelines.planning.plan.Rung
    key: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(String(64))
    size_bytes: Mapped[int | None] = mapped_column(Big)
    facts: Mapped[dict[str, Any] | None]  # pipelines.facts.RenditionFacts
    commands: Mapped[list[Any] | None]  # of `catalogue.commands`: encode first
    tools: Mapped[dict[str, Any] | None]  # tool -> version
    error: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("job_id", "profile", name="one_rendition_a_profile"),)


class MeasurementRow(Base):
    __tablename__ = "measurements"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    rendition_id: Mapped[str] = mapped_column(ForeignKey("renditions.id"), index=True)
    metric: Mapped[str] = mapped_column(String(40))
    model: Mapped[str | None] = mapped_column(String(100))
    values: Mapped[dict[str, Any]]  # pipelines.facts.Measurement
    created_at: Mapped[datetime]


class PackageRow(Base):
    __tablename__ = "packages"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    prefix: Mapped[str] = mapped_column(Text)
    hls: Mapped[str] = mapped_column(Text)  # relative to prefix
    dash: Mapped[str] = mapped_column(Text)
    files: Mapped[list[Any]]  # [{"path", "sha256", "size_bytes"}]
    created_at: Mapped[datetime]


class Review(Base):
    __tablename__ = "reviews"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    stage: Mapped[str] = mapped_column(String(20))  # first, second, final
    reviewer: Mapped[str] = mapped_column(String(200))
    decision: Mapped[str] = mapped_column(String(20))
    opinion: Mapped[str] = mapped_column(Text)
    hashes: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class RightsWindow(Base):
    __tablename__ = "rights_windows"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    holder: Mapped[str] = mapped_column(String(200))
    territory: Mapped[str] = mapped_column(String(100))
    platforms: Mapped[list[Any]]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    derivatives_permitted: Mapped[bool]
    created_at: Mapped[datetime]


class Zone(Base):
    __tablename__ = "zones"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(Text)
    required_profiles: Mapped[list[Any]]  # any one of these must be ready
    centres: Mapped[list[Any] | None]  # names that may pull; None: every centre of the organisation
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("organisation_id", "name", name="one_zone_a_name"),)


class Publication(Base):
    """An asset in a zone. `manifest` lists files: rendition_id, key, path, sha256, size_bytes."""

    __tablename__ = "publications"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    zone_id: Mapped[str] = mapped_column(ForeignKey("zones.id"), index=True)
    state: Mapped[str] = mapped_column(String(20))  # published, withdrawn
    manifest: Mapped[dict[str, Any]]
    manifest_key: Mapped[str] = mapped_column(Text)
    event_seq: Mapped[int] = mapped_column(Big, index=True)  # place in the change feed
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "one_publication_a_zone",
            "asset_id",
            "zone_id",
            unique=True,
            sqlite_where=text("state = 'published'"),
            postgresql_where=text("state = 'published'"),
        ),
        Index("publications_by_date", "organisation_id", "created_at", "id"),
    )


class Receipt(Base):
    __tablename__ = "receipts"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    publication_id: Mapped[str] = mapped_column(ForeignKey("publications.id"), index=True)
    centre: Mapped[str] = mapped_column(String(200))
    files: Mapped[list[Any]]  # [{"path", "sha256"}] as the centre verified them
    created_at: Mapped[datetime]


class WebhookEndpoint(Base):
    __tablename__ = "webhook_endpoints"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    url: Mapped[str] = mapped_column(Text)
    event_types: Mapped[list[Any]]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class Delivery(Base):
    __tablename__ = "deliveries"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    webhook_endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id"), index=True)
    event_seq: Mapped[int] = mapped_column(Big)
    state: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    last_status: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime]


class Event(Base):
    """Append-only; `hash` covers the row and `previous_hash`, so the rows form a chain."""

    __tablename__ = "events"
    seq: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    organisation_id: Mapped[str | None] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(200))  # api key id, worker name or "system"
    type: Mapped[str] = mapped_column(String(60))  # "asset.ready"
    subject: Mapped[str] = mapped_column(String(40), index=True)
    payload: Mapped[dict[str, Any]] = mapped_column(ExactJson)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    __table_args__ = (Index("events_of_organisation", "organisation_id", "seq"),)


class IdempotencyRecord(Base):
    """The answer that a POST with this Idempotency-Key got the first time."""

    __tablename__ = "idempotency_records"
    organisation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    headers: Mapped[dict[str, Any]]
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
