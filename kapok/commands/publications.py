"""`kapok publish`, `pull`, `publication …` and `zone …`: the way out to the centres."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kapok.command import Group, Output, need_folder, online
from kapok.errors import Usage
from kapok.language import t

if TYPE_CHECKING:
    from kapok.client import Client
    from kapok.pull import Pulled

AssetId = Annotated[str, typer.Argument(metavar="ASSET", help="ast_…")]
PublicationId = Annotated[str, typer.Argument(metavar="PUBLICATION", help="pub_…")]
ZoneOption = Annotated[str, typer.Option(help=t("Where it goes.", "目标专区。"))]
Centre = Annotated[str, typer.Option(help=t("Who pulls.", "拉取的中心。"))]
Since = Annotated[
    str,
    typer.Option(
        metavar="CURSOR",
        help=t(
            "Default: where the last pull into this folder ended.", "默认接着该目录上次拉取的位置。"
        ),
    ),
]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace",
        help=t("In the place of what is there of it.", "取代该素材在此专区的已有发布。"),
    ),
]
ZoneName = Annotated[str, typer.Argument(metavar="NAME")]
ZoneTitle = Annotated[str, typer.Option(help=t("What people read.", "显示名称。"))]
Require = Annotated[
    str | None,
    typer.Option(metavar="A,B", help=t("One of these must be ready.", "需具备其一的方案。")),
]
OutputFolder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help=t("Folder to fill.", "输出目录。"))
]


def register(app: typer.Typer) -> None:
    online(app, "publish", t("Let an asset into a zone.", "把素材发布到专区。"))(publish)
    online(app, "pull", t("Take what was published for a centre.", "拉取发布给某中心的文件。"))(
        pull
    )
    publication = typer.Typer(cls=Group, help=t("Publications.", "发布。"), no_args_is_help=True)
    online(publication, "list", t("Newest first.", "最新在前。"))(list_publications)
    online(publication, "show", t("Its exact files.", "发布的确切文件。"))(show_publication)
    online(publication, "withdraw", t("Take it back.", "撤回发布。"))(withdraw)
    app.add_typer(publication, name="publication")
    zone = typer.Typer(
        cls=Group, help=t("Zones: publish targets.", "专区：发布目标。"), no_args_is_help=True
    )
    online(zone, "list", t("All zones.", "全部专区。"))(list_zones)
    online(zone, "create", t("A new zone.", "新建专区。"))(create_zone)
    online(zone, "edit", t("Change what is given of it.", "更改所给出的各项。"))(edit_zone)
    app.add_typer(zone, name="zone")


def publish(
    out: Output,
    client: Client,
    asset: AssetId,
    zone: ZoneOption,
    *,
    replace: Replace = False,
) -> None:
    from kapok import show

    record = client.publish(asset, zone, replace=replace)
    out.answer(record, lambda: show.publication(record))


def pull(
    out: Output, client: Client, centre: Centre, output: OutputFolder, since: Since = ""
) -> None:
    from kapok import show
    from kapok.live import transfers

    need_folder(output)
    with ExitStack() as shown:
        view = shown.enter_context(transfers(out, t("fetching", "拉取")))

        def tell(pulled: Pulled) -> None:
            shown.close()
            record = pulled.record()
            out.answer({**record, "output": str(output)}, lambda: show.pulled(record))

        client.pull(centre, output, since=since or None, on_progress=view, tell=tell)


def list_publications(
    out: Output,
    client: Client,
    asset: Annotated[str, typer.Option(metavar="ASSET", help="ast_…")] = "",
    zone: Annotated[str, typer.Option(help=t("What is in this one.", "只列该专区。"))] = "",
    state: Annotated[str, typer.Option(help="published, withdrawn")] = "",
    limit: Annotated[int, typer.Option(min=1, help=t("At most so many.", "最多条数。"))] = 50,
) -> None:
    from kapok import show
    from kapok.listing import Listing

    wanted = {"asset_id": asset, "zone": zone, "state": state}
    filters = {name: value for name, value in wanted.items() if value}
    found = list(client.publications(**filters, limit=limit))
    columns = (t("zone", "专区"), t("state", "状态"), t("asset", "素材"))
    times = (t("published", "发布时间"), t("withdrawn", "撤回时间"))
    listed = Listing(show.table(None, "id", *columns, *times), head=(0, 1, 2))
    for record in found:
        listed.add_row(
            record["id"],
            record["zone"],
            show.state(record["state"]),
            record["asset_id"],
            *(
                show.moment(record[at]) if record[at] else "–"
                for at in ("created_at", "withdrawn_at")
            ),
        )
    out.answer({"data": found}, lambda: listed)


def show_publication(out: Output, client: Client, publication: PublicationId) -> None:
    from kapok import show

    record = client.publication(publication)
    out.answer(record, lambda: show.publication(record))


def withdraw(out: Output, client: Client, publication: PublicationId) -> None:
    from kapok import show

    record = client.withdraw(publication)
    out.answer(record, lambda: show.publication(record))


def list_zones(out: Output, client: Client) -> None:
    from kapok import show

    found = client.zones()
    out.answer({"data": found}, lambda: show.zones(found))


def create_zone(
    out: Output,
    client: Client,
    name: ZoneName,
    title: ZoneTitle = "",
    require: Require = None,
    centres: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help=t("Who may pull; default all.", "可拉取的中心，默认全部。")
        ),
    ] = None,
) -> None:
    from kapok import show
    from kapok.commands.upload import names

    record = client.create_zone(
        name,
        title=title or None,
        required_profiles=names(require),
        centres=names(centres) or None,
    )
    if require is None and not out.json:
        out.note(
            t(
                f"{name} asks for no profile, so any rendition may enter: "
                f"`kapok zone edit {name} --require PROFILE` closes it to the others",
                f"{name} 未要求任何方案，任何成品均可进入：如需限定，"
                f"请用 `kapok zone edit {name} --require 方案`",
            )
        )
    out.answer(record, lambda: show.zones([record]))


def edit_zone(
    out: Output,
    client: Client,
    name: ZoneName,
    title: ZoneTitle = "",
    require: Require = None,
    centres: Annotated[
        str | None,
        typer.Option(metavar="A,B", help=t("Who may pull from now on.", "今后可拉取的中心。")),
    ] = None,
    *,
    any_profile: Annotated[
        bool, typer.Option("--any-profile", help=t("Any rendition may.", "任何成品均可进入。"))
    ] = False,
    all_centres: Annotated[
        bool, typer.Option("--all-centres", help=t("Every centre may.", "全部中心均可拉取。"))
    ] = False,
) -> None:
    from kapok import show
    from kapok.commands.upload import names

    wanted = {
        "title": title,
        "required_profiles": list(names(require)),
        "centres": list(names(centres)),
    }
    changed: dict[str, object] = {field: value for field, value in wanted.items() if value}
    if any_profile:
        _need_alone("--any-profile", "--require", require)
        changed["required_profiles"] = []
    if all_centres:
        _need_alone("--all-centres", "--centres", centres)
        changed["centres"] = None
    if not changed:
        raise Usage(
            t(
                "nothing to change: give --title, --require, --any-profile, --centres or "
                "--all-centres",
                "没有要更改的内容：请给出 --title、--require、--any-profile、--centres 或 "
                "--all-centres",
            )
        )
    record = client.edit_zone(name, **changed)
    out.answer(record, lambda: show.zones([record]))


def _need_alone(flag: str, option: str, given: str | None) -> None:
    if given is not None:
        raise Usage(
            t(
                f"{option} and {flag} exclude each other: give one of them",
                f"{option} 与 {flag} 不能同时使用：请只给出其一",
            )
        )
