"""Errors that name the cause and the way out; `code` is stable, `retryable` is for the engine."""

from __future__ import annotations

from typing import ClassVar


class KapokError(Exception):
    """Base of every error that a person may read; the text names the cause and the way out."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        return str(self)


class MediaError(KapokError):
    """The essence is wrong: trying again cannot help."""

    code = "invalid_media"


class EmptyFile(MediaError):
    code = "empty_file"


class UnsupportedMedia(MediaError):
    """The container is not one that Kapok opens, or the file is no media at all."""

    code = "unsupported_media"


class TruncatedMedia(MediaError):
    code = "truncated_media"


class NoEssence(MediaError):
    """Neither a picture nor a sound track can be decoded, or there are no frames in it."""

    code = "no_essence"


class NoSuchProgramme(MediaError):
    """A programme was asked for that the file does not have; the text lists those it has."""

    code = "no_such_programme"


class IncompleteSource(MediaError):
    """Of a source that is more than one file some are missing, doubled, damaged or do not agree."""

    code = "incomplete_source"


class LimitExceeded(MediaError):
    """A limit on pixels, streams, duration, memory or CPU time was passed."""

    code = "limit_exceeded"


class Undecodable(MediaError):
    """A media tool calls the input invalid; carries the command and a bounded stderr tail."""

    code = "undecodable_media"

    def __init__(self, message: str, argv: tuple[str, ...] = (), log_tail: str = "") -> None:
        super().__init__(message)
        self.argv = argv
        self.log_tail = log_tail


class UnknownProfile(KapokError):
    code = "unknown_profile"


class InvalidProfile(KapokError):
    """A profile's text is wrong; `faults` name each field and what may stand there."""

    code = "invalid_profile"

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class ProfileUnavailable(KapokError):
    """No worker that lives can do any of the profiles that were asked for; the text says why."""

    code = "profile_unavailable"


class NothingToEncode(MediaError):
    """Every profile that was asked for was refused."""

    code = "nothing_to_encode"


class VerificationFailed(MediaError):
    """A rendition disagrees with its plan; it never becomes `ready`."""

    code = "verification_failed"


class HashMismatch(MediaError):
    """The stored bytes do not have the hash or size that was declared."""

    code = "hash_mismatch"


class InvalidChecksumFile(KapokError):
    """A checksum file does not say, or not clearly, what the hash of the file is."""

    code = "invalid_checksum_file"


class GateClosed(KapokError):
    """The gate of a zone does not let an asset through; the text lists every reason.

    `reasons` are the same one by one: code, English text, Chinese text.
    """

    code = "gate_closed"

    def __init__(self, message: str, reasons: tuple[tuple[str, str, str], ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons


class ToolFailed(KapokError):
    """A media tool ended with an error; carries the command and a bounded stderr tail."""

    code = "tool_failed"
    retryable = True

    def __init__(self, message: str, argv: tuple[str, ...] = (), log_tail: str = "") -> None:
        super().__init__(message)
        self.argv = argv
        self.log_tail = log_tail


class ToolKilled(ToolFailed):
    """A media tool was killed from outside (out of memory, a signal)."""

    code = "tool_killed"


class ToolCrashed(ToolFailed):
    """A media tool ended itself in the middle: with the same input it would again."""

    code = "tool_crashed"
    retryable = False


class ToolStalled(ToolFailed):
    """A media tool made no progress for its whole watchdog time."""

    code = "tool_stalled"


class ToolMissing(KapokError):
    code = "tool_missing"


class DiskFull(KapokError):
    """There is no room for the work; free space or point `KAPOK_SCRATCH` elsewhere, then retry."""

    code = "disk_full"
    retryable = True
