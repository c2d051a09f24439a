"""Why the API itself says no, before or beside the catalogue: keys, roles, bodies, ranges."""

from __future__ import annotations

from pipelines.errors import KapokError


class ApiKeyMissing(KapokError):
    code = "api_key_missing"


class ApiKeyInvalid(KapokError):
    """The key is unknown or was revoked; which of the two is not said."""

    code = "api_key_invalid"


class Forbidden(KapokError):
    """The key is good, its role may not do this."""

    code = "forbidden"


class UploadTooLarge(KapokError):
    """The file is larger than this installation takes."""

    code = "upload_too_large"


class UnknownPart(KapokError):
    """The upload has no part of that number."""

    code = "unknown_part"


class NotMadeYet(KapokError):
    """The asset is there, what was asked for is not made from it (yet)."""

    code = "not_made_yet"


class PartSizeMismatch(KapokError):
    """A part's Content-Length is absent or is not the size of that part."""

    code = "part_size_mismatch"


class BodyCutShort(KapokError):
    """The connection broke or stood still before the whole part had come; nothing was recorded."""

    code = "body_cut_short"
    retryable = True
