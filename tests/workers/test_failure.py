"""What exceptions mean for a step."""

from __future__ import annotations

import errno

from pipelines.errors import HashMismatch, ToolFailed, ToolKilled
from storage.errors import ObjectExists
from workers.failure import Failure, failure_of


def test_an_error_of_the_essence_is_permanent() -> None:
    """Trying again cannot change what was uploaded."""
    assert failure_of(HashMismatch("wrong bytes")) == Failure(
        "hash_mismatch", "wrong bytes", retryable=False
    )


def test_a_killed_tool_keeps_its_command_and_its_last_words() -> None:
    """Both are shown with the step, so that nobody has to search the machine's logs."""
    failure = failure_of(ToolKilled("killed by signal 9", ("ffmpeg", "-i", "x"), "frame=12"))
    assert failure == Failure(
        "tool_killed",
        "killed by signal 9",
        retryable=True,
        log_tail="frame=12",
        command=("ffmpeg", "-i", "x"),
    )


def test_an_object_that_lies_at_an_attempts_key_is_no_end() -> None:
    """A catalogue that was restored gives an epoch again; the next one has another key."""
    assert failure_of(ObjectExists("work/job/stp/1/a.mp4 already holds something else")).retryable


def test_a_full_disk_has_its_own_code_wherever_it_shows() -> None:
    """A plain write that meets ENOSPC says the same as ffmpeg's."""
    failure = failure_of(OSError(errno.ENOSPC, "No space left on device", "/scratch/x"))
    assert (failure.code, failure.retryable) == ("disk_full", True)
    assert "KAPOK_SCRATCH" in failure.detail


def test_a_system_error_is_tried_again() -> None:
    """A lost network mount may come back."""
    failure = failure_of(OSError(errno.EIO, "Input/output error"))
    assert (failure.code, failure.retryable) == ("system_error", True)


def test_what_no_database_keeps_is_shown_as_replaced() -> None:
    """PostgreSQL refuses NUL: a failure that cannot be recorded would be tried again for ever."""
    failure = failure_of(ToolFailed("bad tag \0", (), "title=\udcff\0"))
    assert (failure.detail, failure.log_tail) == ("bad tag \ufffd", "title=?\ufffd")


def test_an_unforeseen_error_shows_no_internals() -> None:
    """The traceback is kept for the log alone, and the text for people holds none of it."""
    failure = failure_of(ZeroDivisionError("secret internals"))
    assert (failure.code, failure.retryable) == ("internal_error", False)
    assert "secret" not in failure.detail
    assert "secret internals" in (failure.log_tail or "")
