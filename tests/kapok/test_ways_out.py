"""A person who reads Chinese gets cause and way out in Chinese for the usual mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_service import Service
from shell import kapok

from api.errors import TABLE
from kapok.client import settled
from kapok.command import Output, report
from kapok.errors import ApiError, JobFailed
from kapok.language import use
from kapok.ways_out import WAYS_OUT, way_out
from pipelines.errors import DiskFull, EmptyFile, KapokError

ASSET = "ast_01k9z8q4m7c2v5x3n6b1h0t8ye"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "empty.mov").touch()
    (tmp_path / "text.mov").write_text("no media")
    (tmp_path / "text.mov.sha256").write_text(f"{'0' * 64}  text.mov\n")
    (tmp_path / "a.key").write_text("kpk_wrong")
    return tmp_path


def told(*words: str, folder: Path, **environment: str) -> str:
    """What a person in China reads on stderr, without the line of the code."""
    done = kapok(*words, folder=folder, **{**environment, "LANG": "zh_CN.UTF-8"})
    _, begin, block = done.stderr.rpartition("错误：")
    assert begin, done.stderr
    return block.partition("\n")[2]


def in_chinese(text: str) -> None:
    """Some line names a cause and, after it, a way out."""
    assert re.search(r"[\u4e00-\u9fff]{2}.*[：，；]请", text), text


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "no.mov"),
        ("inspect", "."),
        ("inspect", "empty.mov"),
        ("inspect", "text.mov"),
        ("encode", "text.mov", "-o", "out"),
        ("encode", "text.mov", "-o", "empty.mov"),
        ("profile", "show", "no-such-one"),
        ("job", "list"),
        ("job", "list", "--api-key-file", "no.key"),
        ("job", "list", "--api-key-file", "a.key", "--url", "http://127.0.0.1:9"),
    ],
    ids=" ".join,
)
def test_mistakes_on_this_machine_are_told_in_chinese(words: tuple[str, ...], folder: Path) -> None:
    in_chinese(told(*words, folder=folder, KAPOK_DATA=str(folder)))


@pytest.mark.parametrize(
    "words",
    [
        ("upload", "no.mov"),
        ("upload", "."),
        ("upload", "empty.mov"),
        ("upload", "text.mov"),  # its checksum file beside it disagrees
        ("upload", "text.mov", "--checksum-file", "no.md5"),
        ("upload", "text.mov", "--profiles", "no-such-one"),
        ("upload", "text.mov", "--zone", "no-such-one"),
        ("asset", "show", ASSET),
        ("job", "show", "job_01k9z8q4m7c2v5x3n6b1h0t8ye"),
        ("asset", "list", "--api-key-file", "a.key"),
        ("key", "create", "bob", "--role", "boss"),
    ],
    ids=" ".join,
)
def test_what_the_service_refuses_is_told_in_chinese(
    words: tuple[str, ...], folder: Path, service: Service
) -> None:
    in_chinese(told(*words, folder=folder, **service.environment))


def test_a_closed_gate_is_told_in_chinese(service: Service, folder: Path) -> None:
    """The service gives its reasons in the reader's language itself."""
    words = ("publish", service.asset(), "--zone", "uhd-4k")

    in_chinese(told(*words, folder=folder, **service.environment))


@pytest.fixture
def chinese() -> Iterator[None]:
    use("zh")
    yield
    use("en")


@pytest.mark.usefixtures("chinese")
def test_a_failed_job_says_what_to_do() -> None:
    """By the code of its error; the English text with the names stays below."""
    error = {"code": "unsupported_media", "detail": "it is not media"}

    with pytest.raises(JobFailed) as end:
        settled({"id": "job_1", "state": "failed", "error": error})

    first, second = end.value.detail.splitlines()
    in_chinese(first)
    assert second == "unsupported_media: it is not media"


@pytest.mark.usefixtures("chinese")
def test_the_way_out_stands_between_the_title_and_the_detail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = {"code": "disk_full", "title": "磁盘空间不足", "detail": "no room"}

    report(Output(), ApiError(507, problem, None))

    lines = capsys.readouterr().err.splitlines()
    assert lines == ["错误：disk_full", "  磁盘空间不足", f"  {WAYS_OUT['disk_full']}", "  no room"]


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("error", [DiskFull("磁盘已满：请清理"), EmptyFile("空文件：请重新导出")])
def test_what_says_its_way_out_in_chinese_is_not_told_twice(error: KapokError) -> None:
    assert way_out(error.code, error.detail) == ""


def test_an_english_reader_gets_the_english_text_alone() -> None:
    assert way_out("disk_full", "no room") == ""


def test_every_sentence_belongs_to_a_code_and_names_a_way_out() -> None:
    assert WAYS_OUT.keys() <= TABLE.keys()
    for sentence in WAYS_OUT.values():
        in_chinese(sentence)


def test_the_commands_that_are_named_exist() -> None:
    named = {name for text in WAYS_OUT.values() for name in re.findall(r"`kapok ([^`]+)`", text)}
    assert named
    for name in named:
        assert kapok(*name.split(), "--help").returncode == 0
