"""`kapok key …` and `kapok events …`: who may come in, and what has happened."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kapok.command import Group, Output, command, online
from kapok.errors import FileMissing, SecretLost, Usage
from kapok.language import t
from kapok.names import readable
from pipelines.errors import KapokError

if TYPE_CHECKING:
    from kapok.client import Client
    from storage.catalogue.events import ChainReport

Role = Annotated[str, typer.Option(metavar="ROLE", help="admin, uploader, publisher, centre")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE",
        help=t("Write the secret there (0600), unprinted.", "写入该文件（0600），不打印。"),
    ),
]  # fmt: skip
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="key_…")]
After = Annotated[str, typer.Option(metavar="SEQ", help=t("After this event.", "从该事件之后。"))]
KnownHead = Annotated[
    str | None,
    typer.Option(
        metavar="HASH",
        help=t("A head that was kept: it must be there.", "此前另存的末端哈希，须仍在链中。"),
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=1000)]


class ChainBroken(KapokError):
    """A row of the event chain does not fit the row before it: the record was altered."""

    code = "chain_broken"


def register(app: typer.Typer) -> None:
    key = typer.Typer(cls=Group, help=t("API keys.", "API 密钥。"), no_args_is_help=True)
    online(key, "create", t("A new key; its secret is shown once.", "新建密钥，只显示一次。"))(
        create_key
    )
    online(key, "list", t("All keys, without secrets.", "全部密钥（不含密文）。"))(list_keys)
    online(key, "revoke", t("End a key.", "吊销密钥。"))(revoke_key)
    app.add_typer(key, name="key")
    events = typer.Typer(cls=Group, help=t("The audit trail.", "审计事件。"), no_args_is_help=True)
    online(events, "list", t("What happened, oldest first.", "发生过的事件，最早在前。"))(
        list_events
    )
    command(events, "verify", t("Prove that nothing was altered.", "验证事件链未被改动。"))(
        verify_events
    )
    app.add_typer(events, name="events")


def create_key(
    out: Output,
    client: Client,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    role: Role,
    output: KeyFile = None,
) -> None:
    with _secret_place(output) as keep:
        record = client.create_key(name, role)
        try:
            _hand_over(out, record, output, keep)
        except OSError as error:
            client.revoke_key(record["id"])
            raise SecretLost(
                t(
                    f"the secret could not be written ({error.strerror}): key {record['id']} was "
                    "revoked; free some space or give another -o, then run it again",
                    f"密钥无法写出（{error.strerror}），{record['id']} 已吊销："
                    "请释放空间或换一个 -o，再次运行",
                )
            ) from error


def _secret_place(output: Path | None) -> AbstractContextManager[Callable[[str], None]]:
    """Open before the key is made: where nothing can be written, none is.

    A file that is there may hold another key, which nobody is shown again.
    """
    from kapok.up import secret_file

    if output is not None and output.is_file():
        name = readable(output)
        text = t(
            f"{name} is there already: give -o a new name, or remove the file first",
            f"{name} 已存在：请给 -o 一个新文件名，或先删除该文件",
        )
        raise Usage(text)
    return nullcontext(_nowhere) if output is None else secret_file(output)


def _nowhere(_secret: str) -> None:
    """Without -o the secret is part of the answer."""


def _hand_over(
    out: Output, record: dict[str, Any], output: Path | None, keep: Callable[[str], None]
) -> None:
    from kapok import show

    if output is not None:
        keep(record.pop("secret"))
        record["secret_file"] = str(output)
    rows = [
        ("id", record["id"]),
        (t("role", "角色"), record["role"]),
        (t("secret", "密钥"), record.get("secret")),
        (t("file", "文件"), record.get("secret_file")),
    ]
    out.answer(record, lambda: show.sheet(rows))


def list_keys(out: Output, client: Client) -> None:
    from kapok import show

    found = client.keys()
    out.answer({"data": found}, lambda: show.keys(found))


def revoke_key(out: Output, client: Client, key: KeyId) -> None:
    from kapok import show

    record = client.revoke_key(key) or {"id": key}
    out.answer(record, lambda: show.sheet([("id", key), ("", t("revoked", "已吊销"))]))


def list_events(out: Output, client: Client, after: After = "", limit: Limit = 100) -> None:
    from kapok import show
    from kapok.listing import Listing

    page = client.events(after=after or None, limit=limit)
    made = show.table(None, "seq", t("time", "时间"), t("event", "事件"), t("subject", "对象"))
    listed = Listing(made, head=(0, 2, 3))
    for event in page["data"]:
        listed.add_row(str(event["seq"]), show.moment(event["at"]), event["type"], event["subject"])
    out.answer(page, lambda: listed)


def verify_events(out: Output, known_head: KnownHead = None) -> None:
    from kapok import show
    from storage.catalogue import events
    from storage.database import Database
    from storage.settings import load_settings

    known = _hash(known_head)
    url = load_settings().database_url
    _need_catalogue(url)
    with Database(url).read() as session:
        chain = events.verify_chain(session, known)
    record = {
        "events": chain.events,
        "broken_at": chain.broken_at,
        "head": chain.head,
        "known_head": known,
        "known_at": chain.known_at,
        "intact": chain.broken_at is None,
    }
    out.answer(record, lambda: show.sheet(_proof(chain)))
    if chain.broken_at is not None:
        raise ChainBroken(_breach(chain))


def _hash(known_head: str | None) -> str | None:
    """A part of a hash, or an empty variable of a script, would look like a broken chain."""
    if known_head is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", known_head):
        raise Usage(
            t(
                "--known-head takes a whole head: 64 hexadecimal digits",
                "--known-head 须为完整的末端哈希：64 位十六进制数",
            )
        )
    return known_head and known_head.lower()


def _proof(chain: ChainReport) -> list[tuple[str, str | None]]:
    """What was proven: a chain alone cannot know that it was cut off, or all of it written anew."""
    if chain.known_at is None:
        proven = t(
            "the events fit together: none by itself was altered or removed",
            "各事件前后相接：没有单独一条被改动或删除",
        )
        left = t(
            "that the chain was not cut off, or written anew from some event on: keep the head "
            "elsewhere, and give it next time as --known-head",
            "整条链是否自某条起被截去或重写：请将末端哈希另存他处，下次以 --known-head 给出",
        )
    else:
        proven = t(
            f"none was altered or removed up to event {chain.known_at}, the known head",
            f"截至第 {chain.known_at} 号事件（已知的末端），没有任何一条被改动或删除",
        )
        left = t(
            "what came after it: it fits together, but may have been cut off or written anew; keep "
            "the new head",
            "其后的事件：虽前后相接，但可能被截去或重写；请另存新的末端哈希",
        )
    whole = chain.broken_at is None
    return [
        (t("events", "事件数"), str(chain.events)),
        (t("proven", "已证明"), proven if whole else None),
        (t("not proven", "尚未证明"), left if whole else None),
        (t("head", "末端哈希"), chain.head),
    ]


def _breach(chain: ChainReport) -> str:
    from storage.catalogue.events import HEAD_MISSING

    if chain.reason == HEAD_MISSING:
        return t(
            f"the known head is not among the {chain.events} events: the newest were cut off, or "
            "the chain was written anew; compare with a backup",
            f"{chain.events} 条事件中没有已知的末端：最新的记录被截去，或整条链被重写，"
            "请与备份比对",
        )
    return t(
        f"the chain breaks at event {chain.broken_at}: rows were altered or removed after "
        "they were written; compare with a backup",
        f"事件链在第 {chain.broken_at} 号事件处断裂：记录写入后被改动或删除，请与备份比对",
    )


def _need_catalogue(url: str) -> None:
    """Opening SQLite makes the file: a proof over nothing would look like one."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").is_file():
        return
    raise FileMissing(
        t(
            f"no catalogue at {parsed.database}: set KAPOK_DATA to the data folder of the service",
            f"{parsed.database} 没有目录库：请把 KAPOK_DATA 设为服务的数据目录",
        )
    )
