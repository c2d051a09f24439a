"""Letters of files that do not say in which code they were saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import UnsupportedMedia
from pipelines.subtitles.letters import Unreadable, read_cues, read_text

CUE = "1\n00:00:01,000 --> 00:00:02,000\n{}\n\n"
TRADITIONAL = "這個時候我們來到了嶺南，你說木棉花開了沒有？\n還沒有。"
SIMPLIFIED = "这个时候我们来到了岭南，你说木棉花开了没有？\n还没有。"
JAPANESE = "この花はまだ咲いていません。\nもうすぐ春ですね。"
KOREAN = "이 꽃은 아직 피지 않았다.\n나는 봄을 기다리고 있다."
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((SIMPLIFIED, code) for code in ("utf-8", "utf-8-sig", "utf-16", "gbk", "gb18030")),
        *((TRADITIONAL, code) for code in ("utf-8", "utf-16", "gbk", "gb18030")),
        *((text, code) for text in (JAPANESE, KOREAN) for code in ("utf-8", "utf-16", "gb18030")),
        ("啊啊啊……啊！", "gbk"),  # the letters that Korean texts are full of, in EUC-KR
        ("café, été", "utf-8"),
    ],
)
def test_what_can_be_told_is_read_as_it_was_written(text: str, code: str) -> None:
    """Traditional Chinese may be GBK too."""
    cue = CUE.format(text)
    assert read_text(cue.replace("\n", "\r\n").encode(code), "a.srt") == cue


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [
        (TRADITIONAL, "big5", "Big5"),
        (TRADITIONAL, "big5hkscs", "Big5"),
        (JAPANESE, "cp932", "Shift-JIS"),
        (KOREAN, "euc_kr", "EUC-KR"),
    ],
)
@pytest.mark.parametrize("cues", [1, 300])
def test_what_plainly_is_another_code_is_refused_by_its_name(
    text: str, code: str, name: str, cues: int
) -> None:
    """All of it has some meaning in GB 18030 too: Chinese that nobody wrote."""
    raw = (CUE.format(text) * cues).encode(code)
    raw.decode("gb18030")

    with pytest.raises(UnsupportedMedia) as caught:
        read_text(raw, "a.srt")

    assert caught.value.detail == f"the letters of a.srt look like {name}: save it as UTF-8"


def test_no_line_of_chinese_is_taken_for_another_code() -> None:
    """Each of the Chinese guides by itself, as GBK: some are of a few letters."""
    pages = [ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.zh-CN.md"))]
    lines = [line for page in pages for line in page.read_text("utf-8").splitlines()]
    for line in lines:
        kept = line.encode("gbk", "ignore")
        assert read_text(kept, "a.srt") == kept.decode("gbk")


@pytest.mark.parametrize(
    ("end", "read"),
    [("\r", "\n"), ("\r\n", "\n"), ("\r\r\n", "\n"), ("\r\r", "\n\n"), ("\n\r", "\n\n")],
)
def test_a_carriage_return_ends_a_line_once(end: str, read: str) -> None:
    """With a line feed behind it or without."""
    assert read_text(f"a{end}b".encode(), "a.srt") == f"a{read}b"


def test_a_megabyte_of_line_ends_is_read() -> None:
    """Each is looked at once: their square would not end."""
    many = 1 << 20
    assert read_text(b"\r" * many + b"a", "a.srt") == "\n" * many + "a"


FRENCH = ["Le déjeuner est prêt", "Une soirée d'été", "Voilà, c'était réussi"]


@pytest.mark.parametrize(
    "cues",
    [
        [SIMPLIFIED.encode(), SIMPLIFIED.encode("gbk")],
        [SIMPLIFIED.encode("gbk"), b"words", TRADITIONAL.encode("gbk")],
        [one.encode() for one in (*FRENCH, TRADITIONAL, SIMPLIFIED)],
        [*(one.encode() for one in FRENCH), "木棉花".encode("gb18030")],
    ],
)
def test_each_cue_of_a_master_is_read_by_itself(cues: list[bytes]) -> None:
    """UTF-8 stays what it is beside GB 18030."""
    for raw, text in zip(cues, read_cues(cues), strict=True):
        assert text in (raw.decode(errors="replace"), raw.decode("gb18030", errors="replace"))
        assert raw in (text.encode(), text.encode("gb18030"))


@pytest.mark.parametrize(
    "cues",
    [
        [one.encode("latin-1") for one in FRENCH],
        [*(one.encode() for one in FRENCH), "été aérien".encode("latin-1")],
        ["你好世界".encode(), "我们走吧".encode(), "再见".encode() + "朋友".encode("gbk")],
        ["你好世界".encode(), "我们走吧".encode(), "再见".encode()[:-1]],
        [b"plain words", b"more of them", b"na\xefve caf\xe9"],
    ],
)
def test_a_masters_letters_become_no_chinese_that_nobody_wrote(cues: list[bytes]) -> None:
    """In a track of UTF-8 a few such cues are damaged, and another code is not ours to guess."""
    with pytest.raises(Unreadable):
        read_cues(cues)


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [(TRADITIONAL, "big5", "Big5"), (JAPANESE, "cp932", "Shift-JIS"), (KOREAN, "euc_kr", "EUC-KR")],
)
def test_a_masters_letters_are_doubted_as_those_of_a_file(text: str, code: str, name: str) -> None:
    """By the name of the code that they look like."""
    with pytest.raises(UnsupportedMedia, match=f"its letters look like {name}"):
        read_cues([line.encode(code) for line in text.split("\n") * 3])
