"""Writing files so that a power cut leaves the old state or the new one, nothing between."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import DiskFull
from pipelines.running.durable import sync
from storage.errors import InvalidSettings, StoreUnavailable

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
READ_ONLY = 0o444
PRIVATE = 0o700  # folders of masters, keys and scratch are for their owner alone
TRIES = 10  # a folder may be pruned between its making and its use


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Turn what the operating system says about the store's disk into the store's errors."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFull(
                f"the disk of {folder} is full: free some space, then try again"
            ) from error
        raise StoreUnavailable(
            f"the store's folder {folder} cannot be used ({error.strerror or error}): "
            "check that its disk is mounted and that this user may write there"
        ) from error


@contextmanager
def need_links(folder: Path) -> Iterator[None]:
    """Say what a disk lacks that gives no file a second name; the block makes one."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        raise InvalidSettings(
            f"the disk of {folder} knows no hard links ({error.strerror}), by which finished files "
            "get their names: exFAT, FAT and most SMB shares do not. Give another --data or "
            "KAPOK_DATA, on ext4, XFS, Btrfs, ZFS or NFS, or an S3 store (KAPOK_S3_ENDPOINT)"
        ) from error


def need_free(folder: Path, size_bytes: int) -> None:
    """Raise `DiskFull` unless the disk of `folder` has that much room."""
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise DiskFull(
            f"{size_bytes} bytes are needed in {folder} and {free} are free: "
            "free some space, then try again"
        )


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, and bring their names to the disk."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def place(source: Path, target: Path) -> None:
    """Give a finished, synced file its second name `target`. Raises `FileExistsError`."""
    for last in (*[False] * (TRIES - 1), True):
        make_folder(target.parent)
        try:
            os.link(source, target, follow_symlinks=False)
            break
        except FileNotFoundError:
            if last or not source.exists():
                raise
    sync(target.parent)


def prune(folder: Path, root: Path) -> None:
    """Remove `folder` and its parents below `root`, as far as they are empty."""
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
