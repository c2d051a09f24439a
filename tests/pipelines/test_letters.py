"""Letters of files that do not say in which code they were saved."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.errors import UnsupportedMedia
from pipelines.progress import finish
from pipelines.subtitles.cues import Cue
from pipelines.subtitles.letter_tracks import read_position, unreadable_tracks
from pipelines.subtitles.letters import Unreadable, read_cues, read_text
from pipelines.subtitles.timed_text import write_mp4

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


TALE = (
    "这部影片讲述了一位老人在山村里的生活。",
    "他每天清晨起床，去田间劳动。",
    "孩子们都喜欢听他讲过去的故事。",
    "欢迎收看今天的节目，我们来到了海边的小城。",
    "请问您在这里住了多少年？",
    "大概有四十多年了，变化非常大。",
    "以前这条河边没有桥，只能坐船过去。",
)


@pytest.mark.parametrize("plain", [0, 7, 8, 20])
@pytest.mark.parametrize("said", [b"OK", b""], ids=["ASCII", "nothing"])
def test_cues_without_a_letter_beyond_ascii_prove_no_code(plain: int, said: bytes) -> None:
    """Pauses of a text track are cues too: a track in GB 18030 was left out for them."""
    cues = [one.encode("gb18030") for one in TALE]
    assert read_cues([*cues, *[said] * plain]) == [*TALE, *[said.decode()] * plain]


@pytest.mark.media
def test_a_text_track_in_gb_18030_with_pauses_is_read(tmp_path: Path) -> None:
    """Each pause is a sample without letters: there are more of them than cues."""
    coded = [one.encode("gb18030") for one in TALE]
    places = [str(at) * len(one) for at, one in enumerate(coded)]
    cues = [Cue(Fraction(3 * at + 1), Fraction(3 * at + 2), one) for at, one in enumerate(places)]
    movie = write_mp4([*cues, Cue(Fraction(30), Fraction(31), "OK")])
    for place, one in zip(places, coded, strict=True):
        movie = movie.replace(place.encode(), one)
    path = tmp_path / "a.mp4"
    path.write_bytes(movie)
    assert finish(unreadable_tracks(path, [0])) == ((), ())
    assert [cue.text for cue in finish(read_position(path, 0))] == [*TALE, "OK"]


@pytest.mark.parametrize(
    "cues",
    [
        [one.encode("latin-1") for one in FRENCH],
        [*(one.encode() for one in FRENCH), "été aérien".encode("latin-1")],
        ["你好世界".encode(), "我们走吧".encode(), "再见".encode() + "朋友".encode("gbk")],
        ["你好世界".encode(), "我们走吧".encode(), "再见".encode()[:-1]],
        [b"plain words", b"more of them", b"na\xefve caf\xe9"],
        [*[b"plain words"] * 20, b"na\xefve"],
        [*["你好世界".encode()] * 10, "再见".encode()[:-1]],
        [*[b"OK"] * 20, *["你好世界".encode()] * 10, "我们走".encode("gbk") + b"\xe4\xbd\xa0"],
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
