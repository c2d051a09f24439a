"""What can go wrong in the client and the command line, and the exit status each gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.errors import KapokError

if TYPE_CHECKING:
    from kapok.pull import Pulled

OK, FAILED, USAGE, AUTH, NOT_FOUND, CONFLICT, JOB_FAILED, GATE_FAILED, INTERRUPTED = (
    0, 1, 2, 3, 4, 5, 6, 7, 130,
)  # fmt: skip
STATUS_EXITS = {
    400: USAGE, 401: AUTH, 403: AUTH, 404: NOT_FOUND, 409: CONFLICT, 410: NOT_FOUND,
    412: CONFLICT, 413: USAGE, 415: USAGE, 422: USAGE, 428: CONFLICT,
}  # fmt: skip
BUSY = frozenset({408, 425, 429})
CODE_EXITS = {
    "gate_closed": GATE_FAILED,
    "job_failed": JOB_FAILED,
    "job_cancelled": JOB_FAILED,
    "hash_mismatch": JOB_FAILED,
    "data_in_use": CONFLICT,
    "file_in_use": CONFLICT,
    "port_in_use": CONFLICT,
    "no_api_key": AUTH,
    "file_not_found": NOT_FOUND,
    "unknown_profile": USAGE,
    "invalid_checksum_file": USAGE,
    "empty_file": USAGE,
    "usage": USAGE,
}


class ApiError(KapokError):
    """The service answered with a problem (RFC 9457); `code` is the problem's own."""

    def __init__(self, status: int, problem: Mapping[str, Any], request_id: str | None) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        vars(self)["code"] = str(problem.get("code") or f"http_{status}")
        vars(self)["retryable"] = bool(problem.get("retryable", status >= 500 or status in BUSY))
        self.status = status
        self.title = str(problem.get("title") or "")
        self.request_id = str(problem.get("request_id") or request_id or "") or None
        self.fields: list[dict[str, Any]] = list(problem.get("errors") or [])


class ServiceUnreachable(KapokError):
    """Nobody answers at the address, or the connection broke and stayed broken."""

    code = "service_unreachable"
    retryable = True


class NotKapok(ServiceUnreachable):
    """Something answers there, but not as a Kapok service does: asking again cannot help."""

    retryable = False


class FieldMissing(NotKapok, KeyError):
    """An object of the answer lacks a field. Of what users write, as metadata, any may be absent:
    who asks for one catches a `KeyError`.
    """

    __str__ = Exception.__str__  # the text, not its repr as of a key


class SecretLost(KapokError):
    """A key was made whose secret nobody has: it was revoked at once."""

    code = "secret_lost"


class NoApiKey(KapokError):
    code = "no_api_key"


class FileMissing(KapokError):
    code = "file_not_found"


class FileChanged(KapokError):
    """The file on this machine was changed while it was being sent."""

    code = "file_changed"


class FileInUse(KapokError):
    """Another process of this machine writes the same file."""

    code = "file_in_use"


class JobFailed(KapokError):
    """A job ended as `failed`; `job` is its record."""

    code = "job_failed"

    def __init__(self, message: str, job: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.job = job


class JobCancelled(JobFailed):
    code = "job_cancelled"


class WaitTimeout(KapokError):
    """The job goes on; only this wait is over."""

    code = "wait_timeout"


class UnsafePath(KapokError):
    """A path in a feed would leave the output folder."""

    code = "unsafe_path"


class PullIncomplete(KapokError):
    """Some publications could not be pulled: `pulled.failed`, beside what was brought."""

    code = "pull_incomplete"

    def __init__(self, message: str, pulled: Pulled) -> None:
        super().__init__(message)
        self.pulled = pulled


class DataInUse(KapokError):
    code = "data_in_use"


class PortInUse(KapokError):
    code = "port_in_use"


class Usage(KapokError):
    """The command line asks for something that does not fit together."""

    code = "usage"


def exit_status(error: KapokError) -> int:
    """The exit status of DESIGN.md for an error: by its code first, then by its HTTP status."""
    if error.code in CODE_EXITS:
        return CODE_EXITS[error.code]
    if isinstance(error, ApiError):
        return STATUS_EXITS.get(error.status, FAILED)
    return FAILED
