"""A file that one process has for itself: the kernel gives it back when the process dies."""

from __future__ import annotations

import errno
import fcntl
from typing import IO, Any

_HELD = frozenset({errno.EAGAIN, errno.EACCES})  # flock(2); CIFS answers the second
_CANNOT_LOCK = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


def is_ours(file: IO[Any]) -> bool:
    """Lock it until it is closed: false where another process has it. On a file system without
    locks everybody has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        if error.errno not in _CANNOT_LOCK:
            raise
    return True
