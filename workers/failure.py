"""What an exception means for a step: its code, whether another try may help, what is kept."""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass

from pipelines.errors import KapokError, ToolFailed, Undecodable
from storage.errors import ObjectExists

LOG_TAIL_CHARACTERS = 64 * 1024
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Failure:
    """`detail` is for people and never holds a traceback; that goes to `log_tail` alone."""

    code: str
    detail: str
    retryable: bool
    log_tail: str | None = None
    command: tuple[str, ...] | None = None

    def record(self) -> dict[str, str | bool]:
        return {"code": self.code, "detail": self.detail, "retryable": self.retryable}


def failure_of(error: Exception) -> Failure:
    """Classify what a step raised. What nobody foresaw is `internal_error`, not tried again."""
    if isinstance(error, ToolFailed | Undecodable):
        log_tail = storable_text(error.log_tail) or None
        return Failure(error.code, _detail(error), error.retryable, log_tail, error.argv or None)
    if isinstance(error, KapokError):
        # What lies at this attempt's key was there before it: the next epoch has another key.
        retryable = error.retryable or isinstance(error, ObjectExists)
        return Failure(error.code, _detail(error), retryable)
    if isinstance(error, OSError):
        return _failure_of_the_system(error)
    log_tail = _traceback(error)
    detail = "the step failed in a way nobody foresaw: its log tells more; please report it"
    return Failure("internal_error", detail, retryable=False, log_tail=log_tail)


def _failure_of_the_system(error: OSError) -> Failure:
    log_tail = _traceback(error)
    if error.errno in NO_ROOM:
        detail = (
            "the disk is full: free some space, or point KAPOK_SCRATCH at a larger disk, then retry"
        )
        return Failure("disk_full", detail, retryable=True, log_tail=log_tail)
    detail = f"the operating system refused: {error.strerror or type(error).__name__}"
    return Failure("system_error", detail, retryable=True, log_tail=log_tail)


def _detail(error: KapokError) -> str:
    return storable_text(error.detail)


def _traceback(error: Exception) -> str:
    return storable_text("".join(traceback.format_exception(error)))[-LOG_TAIL_CHARACTERS:]


def storable_text(text: str) -> str:
    """The text with what no database keeps, NUL and lone surrogates, shown as U+FFFD.

    Tools print what they find in files, and what they print must not stop a failure's record.
    """
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
