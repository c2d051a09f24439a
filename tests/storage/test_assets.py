"""Assets: search in both languages on both databases, editing, and who sees what."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import inspect
from worlds import World, statements

from storage.catalogue import assets, events
from storage.errors import AssetNotFound, InvalidCursor, InvalidText, VersionConflict
from storage.schema import Asset
from storage.text import grams, longest_grams, normalise, words


def search(world: World, text: str | None = None, **given: object) -> list[str]:
    """Titles, in the order of the page."""
    page = world.read(
        lambda session: assets.search_assets(session, world.organisation_id, text=text, **given)  # type: ignore[arg-type]
    )
    return [asset.title for asset in page.data]


@pytest.mark.parametrize(
    "text",
    [
        "岭南春早",
        "南春",
        "春",
        "南春早",
        "岭南 2160p",
        "PROGRAMME",
        "rogram",
        "ｐｒｏｇｒａｍｍｅ",
        "programme_2160p50.mxf",
        "广播电视",
        "barcode GD007",
        "4821",
        "岭南，春早！",
        "  春早  ",
    ],
)
def test_any_part_of_title_file_name_or_metadata_is_found(world: World, text: str) -> None:
    """Case, width and punctuation do not matter; several words must all occur."""
    world.asset(
        title="岭南春早 · 第一集",
        file_name="Programme_2160p50.mxf",
        request={
            "metadata": {
                "creator": "广东广播电视台",
                "tags": ["barcode GD007", "x"],
                "shelf": 4821,
            }
        },
    )
    world.asset(title="另一个节目", file_name="other.mov")
    assert search(world, text) == ["岭南春早 · 第一集"]


@pytest.mark.parametrize(
    "text", ["岭早", "春早岭", "programme other", "敦煌", "!!!", "20160", "mxf2"]
)
def test_what_does_not_occur_is_not_found(world: World, text: str) -> None:
    """Having all the pieces in another order is not enough."""
    world.asset(title="岭南春早", file_name="programme.mxf")
    world.asset(title="other", file_name="other.mxf")
    assert search(world, text) == []


def test_a_word_whose_pieces_all_occur_elsewhere_is_not_found(world: World) -> None:
    """The index finds candidates; the text itself decides."""
    world.asset(title="abcd bcde", file_name="x")
    assert search(world, "abcde") == []
    assert search(world, "bcde") == ["abcd bcde"]


@pytest.mark.parametrize("text", ["%", "_", "100%", "a_b", '"', "' OR 1=1", "a AND b", "NOT", "*"])
def test_signs_of_query_languages_are_plain_text(world: World, text: str) -> None:
    """Nothing that a user types is taken for LIKE, FTS5 or SQL."""
    world.asset(title="plain", file_name="file")
    assert search(world, text) == []


def test_an_empty_text_lists_everything_newest_first(world: World) -> None:
    """With or without spaces."""
    for title in ("one", "two", "three"):
        world.asset(title=title)
    assert search(world) == search(world, "") == search(world, "  ") == ["three", "two", "one"]


@pytest.mark.parametrize("name", ["ast_\0", "ast_1 ", "\0", "", "AST_1", "ast_" + "1" * 41])
@pytest.mark.parametrize("text", [None, "page"])
def test_a_cursor_that_names_no_id_is_refused(world: World, text: str | None, name: str) -> None:
    """PostgreSQL would stumble over a NUL in it."""
    cursor = base64.urlsafe_b64encode(f"2026-01-01T00:00:00+00:00 {name}".encode()).decode()
    with pytest.raises(InvalidCursor):
        world.read(
            lambda session: assets.search_assets(
                session, world.organisation_id, text=text, cursor=cursor
            )
        )


@pytest.mark.parametrize("text", [None, "page"])
def test_pages_follow_each_other_without_gap_or_repeat(world: World, text: str | None) -> None:
    """With a search and without."""
    for number in range(7):
        world.asset(title=f"page {number}")
    found: list[str] = []
    cursor: str | None = None
    for expected_more in (True, True, True, False):
        page = world.read(
            lambda session, cursor=cursor: assets.search_assets(
                session, world.organisation_id, text=text, cursor=cursor, limit=2
            )
        )
        found += [asset.title for asset in page.data]
        cursor = page.next_cursor
        assert page.has_more is expected_more
    assert found == [f"page {number}" for number in range(6, -1, -1)]
    assert cursor is None


@pytest.mark.parametrize("text", [None, "岭南"])
def test_a_page_of_assets_does_not_read_what_was_measured(world: World, text: str | None) -> None:
    """An inspection of ten hours names every shot."""
    world.asset(title="岭南春早")
    page = world.read(
        lambda session: assets.search_assets(session, world.organisation_id, text=text)
    )
    (asset,) = page.data
    assert {"media", "inspection"} <= inspect(asset).unloaded


@pytest.mark.parametrize("text", [None, "木棉"])
def test_state_and_dates_narrow_a_search(world: World, text: str | None) -> None:
    """`created_after` is included, `created_before` is not."""
    first, second = world.asset(title="木棉 1"), world.asset(title="木棉 2")
    world.fail_job_of(first)
    assert search(world, text, state="failed") == ["木棉 1"]
    assert search(world, text, state="processing") == ["木棉 2"]
    assert search(world, text, created_after=second.created_at) == ["木棉 2"]
    assert search(world, text, created_before=second.created_at) == ["木棉 1"]
    assert search(world, text, created_after=second.created_at + timedelta(seconds=1)) == []


def test_an_edited_title_is_found_and_the_old_one_is_not(world: World) -> None:
    """The index follows in the same transaction."""
    asset = world.asset(title="旧标题 old")
    world.write(
        lambda session: assets.edit_asset(
            session,
            assets.get_asset(session, world.organisation_id, asset.id),
            title="新标题 new",
            metadata={"note": "修复"},
            actor="key_test",
        )
    )
    assert search(world, "旧标题") == []
    assert search(world, "新标题 修复") == ["新标题 new"]
    assert search(world, "programme") == ["新标题 new"]


def edit(world: World, asset: Asset, **given: Any) -> list[str]:
    """What the database was asked for it."""
    with statements(world) as asked:
        world.write(
            lambda session: assets.edit_asset(
                session,
                assets.get_asset(session, world.organisation_id, asset.id),
                actor="key_test",
                **given,
            )
        )
    return asked


def test_the_trail_says_what_was_changed(world: World) -> None:
    """A field that is long is told by its hash; one that is gone is empty."""
    asset = world.asset(title="木棉")
    long = "x" * 1000
    edit(world, asset, metadata={"rights_holder": "甲", "year": 1995, "note": long})
    edit(world, asset, metadata={"rights_holder": "乙", "note": long})
    edit(world, asset, title="新")
    told = [
        event.payload["metadata"]
        for event in world.read(lambda session: events.read(session, world.organisation_id, 0, 99))
        if event.type == "asset.edited"
    ]
    digest = hashlib.sha256(f'"{long}"'.encode()).hexdigest()
    assert told == [
        {"rights_holder": "甲", "year": 1995, "note": {"sha256": digest}},
        {"rights_holder": "乙", "year": None},
        {},
    ]


def test_numbers_are_found(world: World) -> None:
    asset = world.asset(title="木棉")
    edit(world, asset, metadata={"reel": 417, "length_s": 12345678.5, "whole": True})
    assert [search(world, text) for text in ("417", "12345678.5")] == [["木棉"], ["木棉"]]


def test_the_first_20_000_characters_are_searched(world: World) -> None:
    """An edit indexes them while every other writer waits; a letter may become many of them."""
    ends = {"within": "x" * 19_900 + " 岭南", "beyond": "y" * 100 + " 春早"}
    asset = world.asset(title="木棉")
    edit(world, asset, metadata=ends)
    assert search(world, "木棉 岭南") == ["木棉"]
    assert search(world, "春早") == []
    many = "\ufdfa" * 19_000  # 18 letters each, in compatibility form
    edit(world, asset, metadata={"many": many})
    found = world.read(lambda session: assets.get_asset(session, world.organisation_id, asset.id))
    assert len(found.search_text) <= assets.SEARCHED
    found.search_text = "z" * assets.SEARCHED + "岭"  # as an earlier Kapok kept it
    assert "岭" not in str(assets.index_row(found)["grams"])


def test_an_edit_that_changes_no_word_indexes_nothing(world: World) -> None:
    """Words in other places of other signs are the same words."""
    asset = world.asset(title="岭南 春早")

    def indexed(asked: list[str]) -> bool:
        return any("asset_search" in text or "search_grams=" in text for text in asked)

    assert not indexed(edit(world, asset, title="岭南：春早！"))
    assert indexed(edit(world, asset, title="岭南：秋晚！"))
    assert search(world, "秋晚") == ["岭南：秋晚！"]


def test_an_asset_without_a_word_has_its_row_of_the_search(world: World) -> None:
    """The row's number is the asset's moment, and no other asset's."""
    first, second = world.asset(title="·", file_name="-"), world.asset(title="·", file_name="-")
    assert first.search_text == ""
    edit(world, first, title="岭南")
    edit(world, second, title="岭南 2")
    assert search(world, "岭南") == ["岭南 2", "岭南"]


def test_an_edit_of_a_stale_version_is_refused(world: World) -> None:
    """Nobody overwrites what somebody else has just written."""
    asset = world.asset()

    def edit(version: int | None, title: str) -> int:
        return world.write(
            lambda session: (
                assets.edit_asset(
                    session,
                    assets.get_asset(session, world.organisation_id, asset.id),
                    title=title,
                    version=version,
                    actor="key_test",
                ).version
            )
        )

    assert edit(1, "second") == 2
    with pytest.raises(VersionConflict, match="at version 2, not 1"):
        edit(1, "lost")
    assert edit(None, "third") == 3


def test_another_organisations_assets_are_neither_shown_nor_found(world: World) -> None:
    """Not by id, not by list, not by search."""
    asset = world.asset(title="秘密")
    with pytest.raises(AssetNotFound):
        world.read(lambda session: assets.get_asset(session, "org_other", asset.id))
    for text in (None, "秘密"):
        page = world.read(
            lambda session, text=text: assets.search_assets(session, "org_other", text=text)
        )
        assert page.data == []


@pytest.mark.parametrize("title", ["a\0b", "\ud800"])
def test_text_that_a_database_cannot_keep_is_refused_by_both(world: World, title: str) -> None:
    """SQLite would keep a NUL, PostgreSQL not: neither gets it."""
    with pytest.raises(InvalidText):
        world.upload(title=title)


def test_words_are_runs_of_letters_and_digits_of_any_script() -> None:
    """A run of Chinese is one word; full-width and case are made one."""
    assert words("Straße_ＴＶ－4K · 岭南春早（第1集）") == [
        "strasse",
        "tv",
        "4k",
        "岭南春早",
        "第1集",
    ]
    assert normalise("ＡＢＣ ﬁ") == "abc fi"


def test_grams_hold_every_short_piece_of_a_word() -> None:
    """So that one, two or three characters are found by the index alone."""
    assert grams(["木棉花"]) == {"木", "棉", "花", "木棉", "棉花", "木棉花"}
    assert longest_grams(["木棉花开", "tv", "x"]) == {"木棉花", "棉花开", "tv", "x"}
