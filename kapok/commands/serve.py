"""`kapok up`, and the same service in parts: `api`, `worker`, `migrate`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kapok.command import Output, command
from kapok.connection import DEFAULT_DATA, DEFAULT_PORT
from kapok.errors import Usage
from kapok.language import t

if TYPE_CHECKING:
    from storage.settings import Settings

Data = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help=t("Data folder (KAPOK_DATA, ./kapok-data).", "数据目录（KAPOK_DATA、./kapok-data）。"),
    ),
]
Port = Annotated[
    int, typer.Option(metavar="N", min=0, max=65535, help=t("0: a free one.", "0 为任选空闲端口。"))
]
Host = Annotated[
    str,
    typer.Option(metavar="ADDRESS", help=t("0.0.0.0: every address.", "0.0.0.0 表示所有地址。")),
]
Queues = Annotated[
    str | None, typer.Option(metavar="A,B", help="inspect, encode, measure, package, deliver")
]
Threads = Annotated[
    int, typer.Option(min=1, max=256, help=t("Steps at a time.", "同时执行的步骤数。"))
]
LogLevel = Annotated[str, typer.Option(metavar="LEVEL", help="debug, info, warning, error")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=t(
            "Where a first admin key goes (DIR/admin.key).",
            "首个管理员密钥写到哪里（DIR/admin.key）。",
        ),
    ),
]


def register(app: typer.Typer) -> None:
    about = t(
        "Run everything on this machine: API, workers, catalogue, object store.",
        "在本机运行全部服务：API、工作进程、目录库、对象存储。",
    )
    command(app, "up", about)(up)
    command(app, "api", t("Run the API alone (servers by settings).", "只运行 API。"))(api)
    command(app, "worker", t("Run workers alone (servers by settings).", "只运行工作进程。"))(
        worker
    )
    command(app, "migrate", t("Bring the catalogue up to date.", "升级目录库结构。"))(migrate)


def up(
    out: Output,
    data: Data = None,
    port: Port = DEFAULT_PORT,
    host: Host = "127.0.0.1",
    log_level: LogLevel = "info",
) -> None:
    from kapok.up import stop_signal, wait_until_stopped, whole_service

    _log(log_level)
    stop = stop_signal()
    with whole_service(_data(data), host, port) as running:
        if out.json:
            record = {
                "url": running.url,
                "data": str(running.data),
                "key_file": str(running.key_file),
            }
            out.answer(record, str)
        out.note(
            t(
                f"Kapok listens on {running.url}\n"
                f"  API pages   {running.url}/docs\n"
                f"  data        {running.data}\n"
                f"  admin key   {running.key_file}\n"
                f"  try         KAPOK_DATA={running.data} kapok upload FILE --wait\n"
                "  stop        Ctrl-C",
                f"Kapok 已在 {running.url} 运行\n"
                f"  接口文档    {running.url}/docs\n"
                f"  数据目录    {running.data}\n"
                f"  管理员密钥  {running.key_file}\n"
                f"  试一试      KAPOK_DATA={running.data} kapok upload 文件 --wait\n"
                "  停止        Ctrl-C",
            )
        )
        wait_until_stopped(stop, running)
        out.note(t("stopping", "正在停止"))


def api(
    out: Output,
    port: Port = DEFAULT_PORT,
    host: Host = "127.0.0.1",
    log_level: LogLevel = "info",
) -> None:
    from kapok.up import api_only, stop_signal, wait_until_stopped
    from storage.settings import load_settings

    _log(log_level)
    _need_broker("kapok api", load_settings())
    _keep_private()
    stop = stop_signal()
    with api_only(host, port) as running:
        out.note(t(f"Kapok API listens on {running.url}", f"Kapok API 已在 {running.url} 运行"))
        wait_until_stopped(stop, running)


def worker(
    out: Output, queues: Queues = None, threads: Threads = 1, log_level: LogLevel = "info"
) -> None:
    from kapok.commands.upload import names
    from kapok.up import stop_signal, wait_until_stopped
    from storage.settings import load_settings
    from workers.broker import QUEUES
    from workers.service import WorkerService

    _log(log_level)
    settings = load_settings()
    _need_broker("kapok worker", settings)
    _need_store(settings)
    _keep_private()
    wanted = names(queues) or QUEUES
    unknown = sorted(set(wanted) - set(QUEUES))
    if unknown:
        known = ", ".join(QUEUES)
        raise Usage(
            t(f"no queue {unknown[0]!r}: use {known}", f"没有队列 {unknown[0]!r}：可用 {known}")
        )
    stop = stop_signal()
    service = WorkerService(settings, wanted, threads)
    service.start()
    words = ", ".join(wanted)
    out.note(t(f"working on {words}, {threads} at a time", f"处理队列 {words}，同时 {threads} 个"))
    try:
        wait_until_stopped(stop)
    finally:
        service.stop()


def migrate(out: Output, data: Data = None, admin_key_file: KeyFile = None) -> None:
    from kapok import show
    from kapok.connection import KEY_FILE
    from kapok.up import prepare
    from storage.database import Database
    from storage.settings import load_settings

    _keep_private()
    settings = load_settings(_data(data) if data else None)
    key_file = admin_key_file or settings.data / KEY_FILE
    made = prepare(settings, Database(settings.database_url), key_file)
    record = {"migrated": True, "admin_key_file": str(key_file) if made else None}
    rows = [(t("catalogue", "目录库"), t("up to date", "已是最新"))]
    rows += [(t("admin key", "管理员密钥"), str(key_file))] if made else []
    out.answer(record, lambda: show.sheet(rows))


def _data(given: Path | None) -> Path:
    import os

    return (given or Path(os.environ.get("KAPOK_DATA") or DEFAULT_DATA)).absolute()


def _keep_private() -> None:
    """Masters, scratch and keys are for this user alone, whatever this process makes."""
    import os

    os.umask(0o077)


def _need_broker(what: str, settings: Settings) -> None:
    if settings.embedded:
        raise Usage(
            t(
                f"{what} shares its work through a broker: set KAPOK_BROKER_URL (and "
                "KAPOK_DATABASE_URL, KAPOK_S3_…), or run everything on one machine with `kapok up`",
                f"{what} 通过消息队列协作：请设置 KAPOK_BROKER_URL（以及 KAPOK_DATABASE_URL、"
                "KAPOK_S3_…），或用 `kapok up` 在一台机器上运行全部服务",
            )
        )


def _need_store(settings: Settings) -> None:
    """A worker with a folder of its own would not find what was sent to the API's."""
    if settings.s3_endpoint is None:
        raise Usage(
            t(
                "kapok worker needs the object store that the API has: set KAPOK_S3_ENDPOINT, "
                "KAPOK_S3_ACCESS_KEY and KAPOK_S3_SECRET_KEY for both, or run everything on one "
                "machine with `kapok up`",
                "kapok worker 需要与 API 相同的对象存储：请为两者设置 KAPOK_S3_ENDPOINT、"
                "KAPOK_S3_ACCESS_KEY 和 KAPOK_S3_SECRET_KEY，"
                "或用 `kapok up` 在一台机器上运行全部服务",
            )
        )


def _log(level: str) -> None:
    """Logs are for whoever runs the service: stderr, one line an event."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise Usage(t(f"no log level {level!r}", f"没有日志级别 {level!r}"))
    logging.basicConfig(level=number, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    # Each start would begin with six lines about what alembic loads of itself.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
