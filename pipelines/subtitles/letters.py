"""In which letters a file was saved, where it does not say so itself. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from pipelines.errors import UnsupportedMedia

_BYTE_ORDER = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Without a mark: what these files begin with is ASCII, half of whose bytes are zero then.
_UNMARKED = ((rb"[\s\d<\[W]\0", "utf-16-le"), (rb"\0[\s\d<\[W]", "utf-16-be"))
_LINE_END = re.compile(r"\r+\n?")
# Letters of GB 18030: of four bytes, or of two, of which the second is found.
_DOUBLE = re.compile(rb"[\x81-\xfe]\d[\x81-\xfe]\d|[\x81-\xfe]([\x40-\x7e\x80-\xfe])")
_OF_UTF_8 = re.compile(rb"[\xe3-\xe9][\x80-\xbf]{2}")  # Han, kana and Hangul
# [P] Of the second bytes: of simplified Chinese 3 % are below 0x80, of traditional 18 %. Big5 and
# Latin-1, which could be read as GB 18030 too and would be other letters, have half and all there.
_FOREIGN_SHARE = 1 / 3
# What any page of the language is full of [P]: simplified and traditional Chinese, kana, Hangul.
_CHINESE = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后"
    "這個們來為國說時會對過發後沒麼還裡給讓嗎從樣開點話歡請難愛聽學電東樂關現間無問"
)
_KANA = frozenset(map(chr, range(0x3041, 0x30FF)))
_HANGUL = frozenset("이다는을가에의하고지기도로사은어나인한자리시아그해일를서")
_OTHERS: Mapping[str, tuple[str, frozenset[str]]] = {
    "Big5": ("big5hkscs", _CHINESE),
    "Shift-JIS": ("cp932", _KANA),
    "EUC-KR": ("euc_kr", _HANGUL),
}
_CLEARLY, _DIFFERENT = 3, 4  # times as many of the common letters, and so many that differ


def read_text(raw: bytes, name: str, *, doubted: bool = True) -> str:
    """By its byte order mark or first letter, else UTF-8, else GB 18030, which holds GBK and
    GB 2312. Lines end in a line feed.

    Raises `UnsupportedMedia`. GB 18030 gives nearly any bytes some meaning, so that what plainly is
    another code is refused, mostly by its name: it would become Chinese that nobody wrote. Not so
    where nothing is `doubted`.
    """
    for code in _codes(raw):
        text = _decoded(raw, code)
        if text is None:
            continue
        if code == "gb18030" and doubted:
            if other := _rather(raw, text):
                raise UnsupportedMedia(f"the letters of {name} look like {other}: save it as UTF-8")
            if _is_foreign(raw):
                continue
        return _LINE_END.sub(_line_feeds, text).replace("\0", "")
    raise UnsupportedMedia(
        f"the letters of {name} are neither UTF-8, UTF-16 nor GB 18030: save it as UTF-8"
    )


class Unreadable(UnsupportedMedia):
    """Neither UTF-8 nor GB 18030."""


class Foreign(UnsupportedMedia):
    """`letters` names the other code that they look like."""

    def __init__(self, letters: str) -> None:
        super().__init__(f"its letters look like {letters}")
        self.letters = letters


def read_cues(raw: Sequence[bytes]) -> list[str]:
    """The letters of a master's own cues, each of which is UTF-8 or else GB 18030, and one that
    begins with a byte order mark UTF-16.

    Raises `Unreadable`, and `Foreign` for what looks like another code.
    """
    read = [_own(one) for one in raw]
    foreign = [one for one, text in zip(raw, read, strict=True) if text is None]
    if foreign:
        together = b"\n".join(foreign)
        chinese = [_decoded(one, "gb18030") for one in foreign]
        if None in chinese:
            raise Unreadable("letters are neither UTF-8 nor GB 18030")
        if other := _rather(together, "\n".join(one or "" for one in chinese)):
            raise Foreign(other)
        # In a track of UTF-8 a few such cues are damaged rather than Chinese, and in one of ASCII
        # they are no chance: but ASCII is no proof of UTF-8.
        alone = 2 * len(foreign) >= len(raw)
        own = sum(
            text is not None and not one.isascii() for one, text in zip(raw, read, strict=True)
        )
        damaged = len(foreign) < own and _OF_UTF_8.search(together)
        if damaged or _is_foreign(together, alone=alone):
            raise Unreadable("letters are neither UTF-8 nor GB 18030")
        rest = iter(chinese)
        read = [next(rest) if text is None else text for text in read]
    return [_LINE_END.sub(_line_feeds, text or "").replace("\0", "") for text in read]


def _own(raw: bytes) -> str | None:
    code = next((code for mark, code in _BYTE_ORDER if raw.startswith(mark)), "utf-8-sig")
    return _decoded(raw, code)


def _line_feeds(end: re.Match[str]) -> str:
    """One carriage return by itself ends a line, as WebVTT allows and old Macs write it; any number
    before a line feed end the same one.
    """
    return "\n" if end[0].endswith("\n") else "\n" * len(end[0])


def _codes(raw: bytes) -> list[str]:
    told = [code for mark, code in _BYTE_ORDER if raw.startswith(mark)]
    told += [code for first, code in _UNMARKED if re.match(first, raw)]
    return told or ["utf-8-sig", "gb18030"]


def _is_foreign(raw: bytes, *, alone: bool = True) -> bool:
    """Whether what reads as GB 18030 is none, beyond the chance of a few letters; that is no excuse
    where it does not stand `alone`.
    """
    seconds = [second for second in _DOUBLE.findall(raw) if second]
    low = len([second for second in seconds if second < b"\x80"])
    chance = math.sqrt(len(seconds)) if alone else 0
    return low > _FOREIGN_SHARE * len(seconds) + chance


def _rather(raw: bytes, chinese: str) -> str | None:
    """The code in which the bytes hold far more of a language's common letters; mostly none."""
    enough = _CLEARLY * len(_common(chinese, _CHINESE))
    for name, (code, letters) in _OTHERS.items():
        found = _common(_decoded(raw, code) or "", letters)
        if len(found) >= enough and len(set(found)) >= _DIFFERENT:
            return name
    return None


def _common(text: str, letters: frozenset[str]) -> list[str]:
    return [letter for letter in text if letter in letters]


def _decoded(raw: bytes, code: str) -> str | None:
    try:
        return raw.decode(code)
    except UnicodeDecodeError:
        return None
