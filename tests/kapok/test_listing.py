"""Lists of records in windows of any width: what is copied from them is whole."""

from __future__ import annotations

import io

import pytest
from real_service import Service
from rich.cells import cell_len
from rich.console import RenderableType
from shell import kapok

from kapok.show import PlainConsole, assets, profiles, pulled, renditions
from kapok.show_jobs import jobs

ASSET = {
    "id": "ast_01m8kfwk32je57qg1w3fgshemq",
    "state": "processing",
    "title": "岭南春早 · Spring comes early",
    "size_bytes": 27583190,
    "created_at": "2026-11-29T11:08:50.042133Z",
}
JOB = {
    "id": "job_01m8kfwkc766etj8fad5c4kg42",
    "state": "failed",
    "asset_id": ASSET["id"],
    "created_at": ASSET["created_at"],
    "error": {"code": "verification_failed"},
}
RENDITION = {
    "id": "ren_01m8kfwphpfnkgrxbke10ysywk",
    "profile": "cn4k-hevc-vivid-remux",
    "state": "ready",
    "size_bytes": 895595,
    "facts": {
        "codec": "hevc", "width": 3840, "height": 2160, "frame_rate": "50/1",
        "bitrate_bps": 14329520, "colour": {"transfer": "arib-std-b67"},
    },
    "measurements": [{"metric": "ssim", "mean": 0.9919}, {"metric": "xpsnr", "mean": 45.8}],
}  # fmt: skip


def shown(picture: RenderableType, width: int) -> list[str]:
    screen = PlainConsole(width=width)
    screen.file = io.StringIO()
    screen.print(picture)
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


def test_a_window_of_80_columns_breaks_no_id() -> None:
    """Ids go into the next command; each value below them follows its column's name."""
    assert shown(assets([ASSET]), 80)[1:-1] == [
        "ast_01m8kfwk32je57qg1w3fgshemq  processing",
        "  title 岭南春早 · Spring comes early  size 26.3 MiB",
        "  created 2026-11-29 11:08:50Z",
    ]
    assert shown(jobs([JOB]), 80)[1:-1] == [
        "job_01m8kfwkc766etj8fad5c4kg42  failed",
        "  asset ast_01m8kfwk32je57qg1w3fgshemq  created 2026-11-29 11:08:50Z",
        "  error verification_failed",
    ]
    assert shown(renditions([RENDITION]), 80)[1:-1] == [
        "cn4k-hevc-vivid-remux  ready  ren_01m8kfwphpfnkgrxbke10ysywk",
        "  picture 3840×2160@50  codec hevc  range HLG  rate 14.33 Mb/s  size 874.6 KiB",
        "  score SSIM 0.9919, XPSNR 45.8 dB",
    ]


def test_a_rendition_of_one_programme_of_several_says_which() -> None:
    """Two of one profile are told apart."""
    (first, *_) = shown(renditions([{**RENDITION, "programme": 101}]), 80)[1:]
    assert first.startswith("cn4k-hevc-vivid-remux (programme 101)  ready")


@pytest.mark.parametrize("width", range(40, 161, 5))
@pytest.mark.parametrize(
    ("picture", "ids"),
    [
        (assets([ASSET]), [ASSET["id"]]),
        (jobs([JOB]), [JOB["id"], JOB["asset_id"]]),
        (renditions([RENDITION]), [RENDITION["id"]]),
    ],
    ids=["assets", "jobs", "renditions"],
)
def test_no_width_breaks_an_id_or_goes_beyond_the_window(
    picture: RenderableType, ids: list[str], width: int
) -> None:
    """Of any window that has room for one."""
    lines = shown(picture, width)
    assert all(any(each in line for line in lines) for each in ids)
    assert max(map(cell_len, lines)) <= width


def test_where_there_is_room_it_is_a_table() -> None:
    """A row a record, and a long title folds before the table is given up."""
    (row,) = [line for line in shown(jobs([JOB]), 130) if "job_" in line]
    assert row.split() == [
        *("job_01m8kfwkc766etj8fad5c4kg42", "failed", "ast_01m8kfwk32je57qg1w3fgshemq"),
        *("2026-11-29", "11:08:50Z", "verification_failed"),
    ]
    long = {**ASSET, "title": "The long title of a programme about the flowers of spring"}
    assert "title" in shown(assets([long]), 110)[1].split()


def test_no_renditions_are_no_empty_table() -> None:
    """A failed asset is its sheet alone."""
    assert "".join(shown(renditions([]), 80)) == ""


def test_the_list_of_profiles_leaves_their_basis_to_show() -> None:
    """It made each of them ten lines high."""
    from kapok.commands.profiles import _record
    from pipelines.profiles.profile import profile

    lines = shown(profiles([_record(profile("cn4k-hevc-hlg"))]), 80)[1:-1]
    assert lines == [
        "cn4k-hevc-hlg",
        "  title 4K UHD for broadcast and OTT, HEVC, HLG",
        "  picture hevc 3840×2160 yuv420p10le HLG  sound aac 2ch + ac3 6ch  container mp4",
    ]


def test_a_pull_that_brings_nothing_says_so() -> None:
    """And not the cursor alone; a withdrawal is something."""
    record = {"files": [], "withdrawn": [], "failed": [], "cursor": "58"}
    assert shown(pulled(record), 80)[0].split()[:2] == ["nothing", "new"]
    withdrawn = {**record, "withdrawn": [{"title": "岭南春早", "publication_id": "pub_1"}]}
    assert "nothing new" not in "".join(shown(pulled(withdrawn), 80))


def test_addresses_for_players_stand_on_a_line_each(service: Service) -> None:
    """They are longer than any window, and are copied into a player or read by a script."""
    asset = service.packaged()

    done = kapok("asset", "play", asset, COLUMNS="80", **service.environment)

    assert done.returncode == 0, done.stderr
    hls, dash, until = done.stdout.splitlines()
    assert hls.startswith(f"HLS     {service.url}/v1/playback/")
    assert hls.endswith("/master.m3u8")
    assert dash.startswith("DASH    ")
    assert dash.endswith("/manifest.mpd")
    assert until.startswith("until   ")
