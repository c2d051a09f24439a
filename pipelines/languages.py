"""Languages: as MP4 and MPEG-TS hold them, three letters of ISO 639-2/T, and as HLS and DASH do."""

from __future__ import annotations

import re

TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")  # a language and its subtags, BCP 47
# ISO 639-1 and its ISO 639-2/T code, in pairs (Library of Congress, code list of 2023).
_TWO_LETTERS = """
aa aar ab abk ae ave af afr ak aka am amh an arg ar ara as asm av ava ay aym az aze ba bak be bel
bg bul bi bis bm bam bn ben bo bod br bre bs bos ca cat ce che ch cha co cos cr cre cs ces cu chu
cv chv cy cym da dan de deu dv div dz dzo ee ewe el ell en eng eo epo es spa et est eu eus fa fas
ff ful fi fin fj fij fo fao fr fra fy fry ga gle gd gla gl glg gn grn gu guj gv glv ha hau he heb
hi hin ho hmo hr hrv ht hat hu hun hy hye hz her ia ina id ind ie ile ig ibo ii iii ik ipk io ido
is isl it ita iu iku ja jpn jv jav ka kat kg kon ki kik kj kua kk kaz kl kal km khm kn kan ko kor
kr kau ks kas ku kur kv kom kw cor ky kir la lat lb ltz lg lug li lim ln lin lo lao lt lit lu lub
lv lav mg mlg mh mah mi mri mk mkd ml mal mn mon mr mar ms msa mt mlt my mya na nau nb nob nd nde
ne nep ng ndo nl nld nn nno no nor nr nbl nv nav ny nya oc oci oj oji om orm or ori os oss pa pan
pi pli pl pol ps pus pt por qu que rm roh rn run ro ron ru rus rw kin sa san sc srd sd snd se sme
sg sag si sin sk slk sl slv sm smo sn sna so som sq sqi sr srp ss ssw st sot su sun sv swe sw swa
ta tam te tel tg tgk th tha ti tir tk tuk tl tgl tn tsn to ton tr tur ts tso tt tat tw twi ty tah
ug uig uk ukr ur urd uz uzb ve ven vi vie vo vol wa wln wo wol xh xho yi yid yo yor za zha zh zho
zu zul
"""
# The bibliographic codes of ISO 639-2/B, which Matroska and DVB use, where they differ.
_BIBLIOGRAPHIC = """
alb sqi arm hye baq eus bur mya chi zho cze ces dut nld fre fra geo kat ger deu gre ell ice isl
mac mkd mao mri may msa per fas rum ron slo slk tib bod wel cym
"""
# What ffmpeg writes into a QuickTime file, whose table knows some of either list (measured with
# ffmpeg 9): of all others it writes nothing.
_QUICKTIME_CODES = """
alb amh ara arm asm aym aze baq bel ben bul bur cat ces chi dan dut dzo eng epo est fin fra geo ger
gre grn guj heb hin hun ice ind ita jav jpn kan kas kaz khm kin kir kor kur lao lat lav lit mac mal
mar may mlg mlt mon nep nor nya ori orm per pol por pus que ron run rus san sin slk slv snd som spa
swa tam tat tel tgk tgl tha tib tir tuk tur uig ukr urd uzb vie wel yid
"""


# What speakers call their language, for the menu of a player; by the tag, else by its language.
_OWN_NAMES = {
    "ar": "العربية",
    "bo": "བོད་སྐད་",
    "cmn": "普通话",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "mn": "Монгол",
    "ms": "Bahasa Melayu",
    "pt": "Português",
    "ru": "Русский",
    "th": "ไทย",
    "ug": "ئۇيغۇرچە",
    "vi": "Tiếng Việt",
    "yue": "粤语",
    "yue-Hant": "粵語",
    "za": "Vahcuengh",
    "zh": "中文",
    "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文",
}
_SCRIPT, _REGION = re.compile(r"[A-Za-z]{4}"), re.compile(r"[A-Za-z]{2}|\d{3}")


_IN_QUICKTIME = frozenset(_QUICKTIME_CODES.split())


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


_SHORT = {three: two for two, three in _pairs(_TWO_LETTERS).items()}
_QUICKTIME = {
    code: other
    for other, code in [*_pairs(_BIBLIOGRAPHIC).items(), *((one, one) for one in _IN_QUICKTIME)]
    if other in _IN_QUICKTIME
}
_TERMINOLOGIC = {**_pairs(_TWO_LETTERS), **_pairs(_BIBLIOGRAPHIC)}


def short_tag(tag: str | None) -> str | None:
    """A BCP 47 tag in its shortest form: language, script and region; `None` where it tells none.

    Chinese in two scripts is two languages to a reader, and one in three letters.
    """
    code = three_letters(tag)
    if tag is None or code is None:
        return None
    _, *more = tag.split("-")
    script = next((one.title() for one in more if _SCRIPT.fullmatch(one)), None)
    region = next((one.upper() for one in more if _REGION.fullmatch(one)), None)
    return "-".join(part for part in (_SHORT.get(code, code), script, region) if part)


def own_name(tag: str | None) -> str | None:
    """What a player's menu calls a short tag; the tag itself where its name is not known here."""
    if tag is None:
        return None
    language, *more = tag.split("-")
    script = [one for one in more if _SCRIPT.fullmatch(one)]
    name = _OWN_NAMES.get("-".join([language, *script])) or _OWN_NAMES.get(language)
    region = [one for one in more if _REGION.fullmatch(one)]
    return tag if name is None else " ".join([name, *(f"({one})" for one in region)])


def in_file(code: str | None, container: str) -> str:
    """What a container says of a language: QuickTime's table has "chi" and no "zho"."""
    if code is None:
        return "und"
    return _QUICKTIME.get(code, "und") if container == "mov" else code


def three_letters(tag: str | None) -> str | None:
    """The code of a BCP 47 tag's language, without region and script; `None` where it has none."""
    if tag is None:
        return None
    language = tag.split("-")[0].lower()
    code = _TERMINOLOGIC.get(language, language)
    return code if len(code) == 3 and code != "und" else None
