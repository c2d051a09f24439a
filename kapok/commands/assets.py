"""`kapok asset …` and `kapok rendition …`: what is there, and the files that were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kapok.command import Group, Output, online
from kapok.commands.local import Overwrite, Programme, SourceColour, Subtitles
from kapok.commands.publications import Replace
from kapok.commands.upload import Ladder, Profiles, Scores, Zone
from kapok.language import t

if TYPE_CHECKING:
    from kapok.client import Client

AssetId = Annotated[str, typer.Argument(metavar="ASSET", help="ast_…")]
RenditionId = Annotated[str, typer.Argument(metavar="RENDITION", help="ren_…")]
Text = Annotated[str, typer.Option(help=t("Words to look for.", "要查找的文字。"))]
State = Annotated[str, typer.Option(help="processing, ready, failed, cancelled")]
After = Annotated[str, typer.Option("--after", metavar="TIME", help="RFC 3339")]
Before = Annotated[str, typer.Option("--before", metavar="TIME", help="RFC 3339")]
Limit = Annotated[int, typer.Option(min=1, help=t("At most so many.", "最多条数。"))]
Target = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="PATH", help=t("A file, or a folder/.", "文件，或目录/。")
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait", help=t("Follow the job to its end.", "一直跟随任务直到结束。"))
]


def register(app: typer.Typer) -> None:
    asset = typer.Typer(cls=Group, help=t("Assets.", "素材。"), no_args_is_help=True)
    online(asset, "list", t("Newest first; search by text, state and date.", "最新在前，可检索。"))(
        list_assets
    )
    online(asset, "show", t("One asset with its renditions.", "一个素材及其成品。"))(show_asset)
    online(asset, "encode", t("Make more renditions of it.", "为其生成更多成品。"))(encode_asset)
    online(asset, "play", t("Signed HLS and DASH addresses.", "带签名的 HLS、DASH 播放地址。"))(
        play
    )
    app.add_typer(asset, name="asset")
    rendition = typer.Typer(cls=Group, help=t("Renditions.", "成品。"), no_args_is_help=True)
    online(rendition, "list", t("The renditions of an asset.", "素材的全部成品。"))(list_renditions)
    online(rendition, "show", t("Facts, scores and exact commands.", "参数、评分与完整命令。"))(
        show_rendition
    )
    online(rendition, "download", t("Fetch and prove by SHA-256.", "下载并校验 SHA-256。"))(
        download_rendition
    )
    app.add_typer(rendition, name="rendition")


def list_assets(
    out: Output,
    client: Client,
    text: Text = "",
    state: State = "",
    created_after: After = "",
    created_before: Before = "",
    limit: Limit = 50,
) -> None:
    from kapok import show

    wanted = {
        "text": text,
        "state": state,
        "created_after": created_after,
        "created_before": created_before,
    }
    filters = {name: value for name, value in wanted.items() if value}
    found = list(client.assets(**filters, limit=limit))
    out.answer({"data": found}, lambda: show.assets(found))


def show_asset(out: Output, client: Client, asset: AssetId) -> None:
    from rich.console import Group

    from kapok import show, show_jobs

    found, made = client.asset(asset), client.renditions(asset)

    def shown() -> Group:
        job = _that_ended_so(client, found)
        ended = [show_jobs.last_job(job)] if job else []
        return Group(show.asset(found), *ended, show.renditions(made))

    out.answer({**found, "renditions": made}, shown)


def _that_ended_so(client: Client, asset: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The newest job of an asset that failed or was cancelled: the asset is what that one is."""
    if asset["state"] not in ("failed", "cancelled"):
        return None
    return next(client.jobs(asset_id=asset["id"], state=asset["state"], limit=1), None)


def encode_asset(
    out: Output,
    client: Client,
    asset: AssetId,
    profiles: Profiles = None,
    ladder: Ladder = None,
    zone: Zone = "",
    source_colour: SourceColour = None,
    programme: Programme = None,
    subtitles: Subtitles = None,
    *,
    replace: Replace = False,
    scores: Scores = True,
    wait: Wait = False,
) -> None:
    from kapok import show_jobs
    from kapok.commands.upload import follow_job, names

    job = client.start_job(
        asset,
        profiles=names(profiles),
        ladder=ladder,
        zone=zone or None,
        replace=replace,
        scores=scores,
        source_colour=source_colour,
        programme=programme,
        subtitles=subtitles or (),
    )
    if wait:
        follow_job(out, client, job["id"], asset)
    else:
        out.answer(job, lambda: show_jobs.jobs([job]))


def play(out: Output, client: Client, asset: AssetId) -> None:
    from rich.cells import cell_len
    from rich.text import Text

    from kapok import show

    found = client.playback(asset)
    until = t("until", "有效至")
    rows = ("HLS", found["hls"]), ("DASH", found["dash"]), (until, show.moment(found["expires_at"]))
    lines = [f"{name}{' ' * (8 - cell_len(name))}{value}" for name, value in rows]
    out.answer(found, lambda: Text("\n".join(lines)), whole_lines=True)


def list_renditions(out: Output, client: Client, asset: AssetId) -> None:
    from kapok import show

    made = client.renditions(asset)
    out.answer({"data": made}, lambda: show.renditions(made))


def show_rendition(out: Output, client: Client, rendition: RenditionId) -> None:
    import shlex

    from rich.console import Group
    from rich.text import Text

    from kapok import show
    from kapok.show_colour import colour_table

    found = client.rendition(rendition)
    decided = [(found["profile"], found["colour_decision"])]
    commands = [Text(f"\n{shlex.join(argv)}") for argv in found["commands"] or []]
    tools = [(name, str(version)) for name, version in (found["tools"] or {}).items()]
    out.answer(
        found,
        lambda: Group(
            show.renditions([found]),
            show.read_back(found),
            colour_table(decided),
            show.sheet(tools),
            *commands,
        ),
        whole_lines=True,
    )


def download_rendition(
    out: Output,
    client: Client,
    rendition: RenditionId,
    output: Target = ".",
    *,
    overwrite: Overwrite = False,
) -> None:
    from kapok import show
    from kapok.live import transfers

    with transfers(out, t("fetching", "下载")) as view:
        place = client.download_rendition(rendition, output, overwrite=overwrite, on_progress=view)
    record = {"path": str(place), "sha256": client.rendition(rendition)["sha256"], "verified": True}
    rows = [(t("file", "文件"), str(place)), ("SHA-256", f"{record['sha256']} ✓")]
    out.answer(record, lambda: show.sheet(rows))
