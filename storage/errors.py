"""Errors of the catalogue and the object store; HTTP status lives only in `api/errors.py`."""

from __future__ import annotations

from pipelines.errors import DiskFull, KapokError


class InvalidSettings(KapokError):
    """A setting is missing, malformed or contradicts another; the text names its variable."""

    code = "invalid_settings"


class InvalidText(KapokError):
    """Text that a database cannot keep: a NUL character or half of a surrogate pair."""

    code = "invalid_text"


class InvalidCursor(KapokError):
    code = "invalid_cursor"


class NotFound(KapokError):
    """Also raised for what belongs to another organisation."""

    code = "not_found"


class OrganisationNotFound(NotFound):
    code = "organisation_not_found"


class KeyNotFound(NotFound):
    code = "api_key_not_found"


class UploadNotFound(NotFound):
    code = "upload_not_found"


class AssetNotFound(NotFound):
    code = "asset_not_found"


class JobNotFound(NotFound):
    code = "job_not_found"


class RenditionNotFound(NotFound):
    code = "rendition_not_found"


class PackageNotFound(NotFound):
    code = "package_not_found"


class ZoneNotFound(NotFound):
    code = "zone_not_found"


class PublicationNotFound(NotFound):
    code = "publication_not_found"


class Conflict(KapokError):
    """The thing exists but its state does not allow this."""

    code = "conflict"


class UploadConflict(Conflict):
    """The upload is complete, aborted, expired or rejected."""

    code = "upload_not_open"


class NameTaken(Conflict):
    code = "name_taken"


class LastAdminKey(Conflict):
    """Without it nobody could make a key any more."""

    code = "last_admin_key"


class VersionConflict(Conflict):
    """Somebody else edited the asset since it was read."""

    code = "version_conflict"


class JobConflict(Conflict):
    """A settled job cannot be cancelled, a running one cannot be retried."""

    code = "job_conflict"


class DraftChanged(Conflict):
    """What a publication would hold is not what was looked at: a job ended, or the zone changed."""

    code = "draft_changed"
    retryable = True


class AlreadyPublished(Conflict):
    code = "already_published"


class NotPublished(Conflict):
    code = "not_published"


class ReceiptMismatch(Conflict):
    """A receipt names a file that the publication has not, or with another hash."""

    code = "receipt_mismatch"


class IdempotencyKeyReused(Conflict):
    code = "idempotency_key_reused"


class LeaseLost(KapokError):
    """Another worker has claimed the step, or it was cancelled: kill the work and write nothing."""

    code = "lease_lost"


class CatalogueUnavailable(KapokError):
    """The database does not answer, is locked for too long, or undid this transaction."""

    code = "catalogue_unavailable"
    retryable = True


class CatalogueFull(CatalogueUnavailable, DiskFull):
    """The disk of the catalogue is full: nothing can be written, and all of it still be read."""

    code = "catalogue_full"


class CommitUnknown(CatalogueUnavailable):
    """The database did not answer a commit: what was written may be there, or not."""


class StoreUnavailable(KapokError):
    """The object store does not answer."""

    code = "store_unavailable"
    retryable = True


class StoreRefused(KapokError):
    """The object store answers and says no: keys, rights or bucket are wrong."""

    code = "store_refused"
    retryable = True


class ObjectMissing(NotFound):
    code = "object_missing"


class ObjectExists(Conflict):
    """Objects are never changed: write under another key."""

    code = "object_exists"


class ObjectTooLarge(KapokError):
    code = "object_too_large"


class MultipartNotFound(NotFound):
    """The multipart upload was completed, aborted, or never was."""

    code = "multipart_not_found"


class PartTooSmall(KapokError):
    code = "part_too_small"


class PartMissing(Conflict):
    """A part was never stored whole: send it again, then complete."""

    code = "part_missing"


class PartSuperseded(Conflict):
    """A later PUT of the same part, or the end of the upload, took the place of this one."""

    code = "part_superseded"
    retryable = True


class SizeMismatch(KapokError):
    code = "size_mismatch"


class SignatureInvalid(KapokError):
    code = "invalid_signature"


class UrlExpired(KapokError):
    """A signed URL is used after its time: ask for a new one."""

    code = "url_expired"
