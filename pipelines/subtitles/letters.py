"""In which letters a file was saved, where it does not say so itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.errors import UnsupportedMedia

_BYTE_ORDER = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
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


def read_text(raw: bytes, name: str) -> str:
    """By its byte order mark, else UTF-8, else GB 18030, which holds GBK and GB 2312.

    Raises `UnsupportedMedia`. GB 18030 gives nearly any bytes some meaning, so that what plainly is
    Big5, Shift-JIS or EUC-KR is refused by its name: it would become Chinese that nobody wrote.
    """
    marked = next((code for mark, code in _BYTE_ORDER if raw.startswith(mark)), None)
    for code in [marked] if marked else ["utf-8-sig", "gb18030"]:
        text = _decoded(raw, code)
        if text is None:
            continue
        if code == "gb18030" and (other := _rather(raw, text)):
            raise UnsupportedMedia(f"the letters of {name} look like {other}: save it as UTF-8")
        return text.replace("\r\n", "\n").replace("\0", "")
    raise UnsupportedMedia(
        f"the letters of {name} are neither UTF-8, UTF-16 nor GB 18030: save it as UTF-8"
    )


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
