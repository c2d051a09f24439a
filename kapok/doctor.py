"""What this machine can really do: tools, sandbox, servers, disk, and each profile by an encode."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kapok.language import t
from kapok.local import usable_cores
from kapok.units import size
from pipelines.errors import KapokError

if TYPE_CHECKING:
    from pipelines.profiles.profile import Profile
    from storage.settings import Settings

LOW_DISK_BYTES = 20 * 1024**3  # a 4K hour in FFV1 wants far more; below this even a demo is tight


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` is `ok`, `warning` (works, with less) or `error` (something needed is missing)."""

    group: str
    name: str
    level: str
    text: str


def examine(settings: Settings, *, prove: bool) -> Iterator[Finding]:
    """Every finding, as soon as it is known. `prove` runs the profiles' encodes (seconds each)."""
    yield from _machine()
    yield from _tools()
    yield _sandbox()
    yield from _servers(settings)
    yield from _workers(settings)
    yield from _disk({t("data", "数据"): settings.data, t("scratch", "临时"): settings.scratch})
    if prove:
        yield from _profiles()


def record(findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "ok": all(finding.level != "error" for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _machine() -> Iterator[Finding]:
    cores = usable_cores()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding("machine", "python", "ok", f"{platform.python_version()} ({sys.executable})")
    yield Finding("machine", "cpu", "ok", t(f"{cores} cores", f"{cores} 核"))
    yield Finding("machine", "memory", "ok", size(memory))
    yield Finding("machine", "system", "ok", platform.platform(terse=True))


def _tools() -> Iterator[Finding]:
    from pipelines.running import tools

    try:
        versions = tools.versions()
    except KapokError as error:
        yield Finding("tools", error.code, "error", error.detail)
        return
    for name, version in versions.items():
        yield Finding("tools", name, "ok", version)


def _sandbox() -> Finding:
    from pipelines.running import sandbox

    active = sandbox.active()
    if active == "none":
        text = t(
            "none: files are opened with limits only; install bubblewrap for isolation",
            "无：仅有资源限制；安装 bubblewrap 可隔离不可信文件",
        )
        return Finding("sandbox", "none", "warning", text)
    return Finding("sandbox", active, "ok", t("untrusted files are isolated", "不可信文件已隔离"))


def _servers(settings: Settings) -> Iterator[Finding]:
    yield _reach("catalogue", lambda: _check_catalogue(settings))
    yield _reach("object store", lambda: _check_store(settings))
    yield from _versions(settings)
    yield _reach("broker", lambda: _check_broker(settings))


def _check_catalogue(settings: Settings) -> str:
    if settings.database_url.startswith("sqlite"):
        return t("SQLite, in the data folder", "SQLite，位于数据目录")
    from storage.database import Database

    Database(settings.database_url).check()
    return t("PostgreSQL answers", "PostgreSQL 可连接")


def _check_store(settings: Settings) -> str:
    if settings.s3_endpoint is None:
        return t("a folder under the data folder", "数据目录下的文件夹")
    from storage.objects import open_store

    open_store(settings).check()
    return f"{settings.s3_endpoint} / {settings.s3_bucket}"


def _versions(settings: Settings) -> Iterator[Finding]:
    """Nothing where the store does not say: it is away, or does not know versions."""
    from storage.objects import open_store
    from storage.objects_minio import MinioStore

    store = open_store(settings) if settings.s3_endpoint else None
    with contextlib.suppress(KapokError):
        if isinstance(store, MinioStore) and store.keeps_versions():
            text = t(
                f"the bucket {settings.s3_bucket} keeps versions: what Kapok deletes stays, and "
                "takes room, until a lifecycle rule removes noncurrent versions",
                f"存储桶 {settings.s3_bucket} 启用了版本控制：木棉删除的对象仍占用空间，"
                "请用生命周期规则清除非当前版本",
            )
            yield Finding("servers", "versions", "warning", text)


def _check_broker(settings: Settings) -> str:
    if settings.broker_url is None:
        return t("in this process (embedded)", "进程内（单机模式）")
    from workers.broker import QUEUES, messages_waiting, open_broker

    waiting = sum(messages_waiting(open_broker(settings), queue) for queue in QUEUES)
    return t(f"answers, {waiting} messages wait", f"可连接，{waiting} 条消息等待")


def _workers(settings: Settings) -> Iterator[Finding]:
    """The workers that live now, here or elsewhere, and what each of them cannot do."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import DBAPIError

    from storage.catalogue.workers import living_workers
    from storage.database import Database

    file = make_url(settings.database_url).database
    if settings.database_url.startswith("sqlite") and not (file and Path(file).exists()):
        return
    try:
        with Database(settings.database_url).read() as session:
            living = living_workers(session, settings.beat_s)
    except (KapokError, DBAPIError):  # the catalogue's own line says why, or it was never migrated
        return
    for worker in living:
        able = sum(verdict.available for verdict in worker.verdicts.values())
        unable = [one for one in worker.verdicts.values() if not one.available]
        queues = ", ".join(worker.queues)
        words = t(f"{queues}; {able} profiles proven", f"{queues}；已验证 {able} 个方案")
        lacks = "".join(f"\n    {one.profile}: {one.reason}" for one in unable)
        yield Finding("workers", worker.name, "warning" if unable else "ok", f"{words}{lacks}")


def _reach(name: str, check: Callable[[], str]) -> Finding:
    from workers.broker import BROKEN

    try:
        return Finding("servers", name, "ok", check())
    except KapokError as error:
        return Finding("servers", name, "error", f"{error.code}: {error.detail}")
    except BROKEN as error:
        return Finding("servers", name, "error", f"{type(error).__name__}: {error}")


def _disk(folders: dict[str, Path]) -> Iterator[Finding]:
    for name, folder in folders.items():
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        writable = os.access(existing, os.W_OK)
        text = t(f"{size(free)} free at {folder}", f"{folder} 剩余 {size(free)}")
        if not writable:
            text = t(f"{folder} cannot be written", f"{folder} 不可写")
        level = "error" if not writable else "ok" if free >= LOW_DISK_BYTES else "warning"
        yield Finding("disk", name, level, text)


def _profiles() -> Iterator[Finding]:
    """A profile that cannot be met here is a warning: the planner refuses it, others work."""
    from pipelines.profiles.capabilities import prove
    from pipelines.profiles.profile import load_profiles
    from pipelines.words import zh_of

    for profile in load_profiles().values():
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kapok-doctor-") as folder:
            proven = prove(profile, Path(folder))
        seconds = time.monotonic() - began
        title = t(profile.title_en, profile.title_zh)
        words = t(f"{title}: encoded and read back", f"{title}：已试编码并回读")
        made_by = f"{_encoder(profile, proven.tools)}, {seconds:.1f} s"
        reason = proven.reason or ""
        text = f"{words} ({made_by})" if proven.available else t(reason, zh_of(reason))
        yield Finding("profiles", profile.name, "ok" if proven.available else "warning", text)


def _encoder(profile: Profile, tools: Mapping[str, str]) -> str:
    """What made it, with the version of its library, or of the ffmpeg that holds it."""
    name = profile.video.encoder if profile.video else profile.audio[0].codec
    return f"{name} {tools[name]}" if name in tools else f"{name}, ffmpeg {tools['ffmpeg']}"
