"""What stands in a cue as each kind of file writes it, as the text of a `Cue`. Pure.

In a `Cue`, `<b>`, `<i>`, `<u>` and `<font color="#rrggbb">` are tags, and all else is words.
"""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType

TAG = re.compile(r"<(/?)(?:([biu])|(font)(?:\s[^<>]*)?)>", re.IGNORECASE)
_COLOUR = re.compile(r"color\s*=\s*[\"']?(#?[0-9a-z]{1,30})\b", re.IGNORECASE)
_SIX_DIGITS, _THREE_DIGITS = re.compile(r"#?([0-9a-f]{6})"), re.compile("#([0-9a-f]{3})")
# W3C CSS Color 4, 6.1: those of HTML 4, and others that people call speakers by.
_NAMES = (
    "black=000000 silver=c0c0c0 gray=808080 white=ffffff maroon=800000 red=ff0000 "
    "purple=800080 fuchsia=ff00ff green=008000 lime=00ff00 olive=808000 yellow=ffff00 "
    "navy=000080 blue=0000ff teal=008080 aqua=00ffff cyan=00ffff magenta=ff00ff "
    "grey=808080 orange=ffa500 pink=ffc0cb gold=ffd700 brown=a52a2a violet=ee82ee "
    "lightblue=add8e6 lightgreen=90ee90 lightgray=d3d3d3 khaki=f0e68c lightyellow=ffffe0 "
    "lightgrey=d3d3d3 skyblue=87ceeb salmon=fa8072"
)
_NAMED = dict(name.split("=") for name in _NAMES.split())
# W3C WebVTT, 5.1: the classes that have a colour by themselves.
_VTT_COLOURS = frozenset(["white", "lime", "cyan", "red", "yellow", "magenta", "blue", "black"])
_JOINER = "\u2060"  # shows nothing, and nobody breaks a line there
# Places and effects; SubStation's in braces, and MicroDVD's, as ffmpeg has them.
_PLACED = re.compile(r"\{(?:\\|[cCfFoPsSyY]:)[^{}]*\}|</?s>", re.IGNORECASE)
_VTT_TAG = re.compile(r"<(/?)([a-zA-Z]*+)((?:\.[^\s.<>]++)*+)[^<>]*+(?:>|$)")
_ASS_PART = re.compile(r"\\([Nnh{}])|(\{[^{}]*\})")
_ASS_STYLE = re.compile(r"\\(?:([biu])(\d*)|(?:1?c)&?H?([0-9a-fA-F]{0,8})&?|(r)([^\\]*))(?=\\|$)")
_HEX, _DECIMAL = re.compile(r"&h([0-9a-f]{1,8})&?"), re.compile(r"\d{1,10}")
_BOLD = 500  # of ASS's weights
_WHITE = "ffffff"  # what letters without a colour have


@dataclass(frozen=True, slots=True)
class Look:
    """Of some letters; `colour` is `rrggbb`."""

    bold: bool = False
    italic: bool = False
    underlined: bool = False
    colour: str | None = None


PLAIN = Look()
_NO_STYLES: Mapping[str, Look] = MappingProxyType({})


def words(text: str) -> str:
    """Letters of which none is a tag, whatever they look like."""
    return TAG.sub(lambda tag: f"<{_JOINER}{tag[0][1:]}", text)


def of_subrip(text: str) -> str:
    """Nobody has said what SubRip's tags are: what players know are tags, and all else words."""
    return _closed(_PLACED.sub("", text))


def _closed(text: str) -> str:
    """Its tags end with it: another cue may be shown together with this one."""
    made, after, open_ = list[str](), 0, Counter[str]()
    for tag in TAG.finditer(text):
        name = (tag[2] or tag[3]).lower()
        spare = bool(tag[1]) and not open_[name]
        made.append(text[after : tag.start() if spare else tag.end()])
        after = tag.end()
        open_[name] += 0 if spare else -1 if tag[1] else 1
    ends = (f"</{name}>" * count for name, count in reversed(open_.items()))
    return "".join([*made, text[after:], *ends])


def of_webvtt(text: str) -> str:
    """W3C WebVTT, 6.4: whatever is in angle brackets is a tag there, and words are escaped."""
    made, after, coloured = list[str](), 0, defaultdict[str, list[bool]](list)
    for tag in _VTT_TAG.finditer(text):
        made.append(words(html.unescape(text[after : tag.start()])))
        after = tag.end()
        name = tag[2].lower()
        itself = [f"<{tag[1]}{name}>"] if name in ("b", "i", "u") else []
        if tag[1]:
            ends = ["</font>"] if coloured[name] and coloured[name].pop() else []
            made += [*ends, *itself]
        else:
            colours = [_NAMED[one] for one in tag[3].split(".") if one in _VTT_COLOURS]
            coloured[name].append(bool(colours))
            made += [*itself, *(f'<font color="#{colour}">' for colour in colours[-1:])]
    return _closed("".join([*made, words(html.unescape(text[after:]))]))


def styles_of_ass(script: str) -> dict[str, Look]:
    """By name, of a script or a track's head."""
    fields, found = tuple[str, ...](), dict[str, Look]()
    for line in script.split("\n"):
        kind, _, said = line.partition(":")
        parts = tuple(one.strip().lower() for one in said.split(","))
        if kind.strip() == "Format" and "fontname" in parts:
            fields = parts
        elif kind.strip() == "Style":
            style = dict(zip(fields, parts, strict=False))
            bold, italic, lined = (
                style.get(one, "0") not in ("0", "") for one in ("bold", "italic", "underline")
            )
            name = _style_name(style.get("name", ""))
            found[name] = Look(bold, italic, lined, _style_colour(style))
    return found


def _style_name(said: str) -> str:
    return said.strip().lstrip("*").lower()


def _style_colour(style: Mapping[str, str]) -> str | None:
    """In hexadecimal, or SubStation's older decimal."""
    said = style.get("primarycolour", "")
    if found := _HEX.fullmatch(said):
        colour = _of_ass_colour(found[1])
    else:
        colour = _of_ass_colour(f"{int(said):06x}") if _DECIMAL.fullmatch(said) else None
    return None if colour == _WHITE else colour


def of_ass(text: str, styles: Mapping[str, Look] = _NO_STYLES, style: str = "") -> str:
    """Looks of letters, of their style and of overrides, become tags. All else in braces, such as a
    translator's note, stays out, as players have it.
    """
    own = styles.get(_style_name(style), PLAIN)
    runs, look, after = list[tuple[str, Look]](), own, 0
    for part in _ASS_PART.finditer(text):
        runs.append((text[after : part.start()], look))
        after = part.end()
        if part[2]:
            look = _overridden(look, own, styles, part[2][1:-1])
        else:
            runs.append(({"h": " ", "N": "\n", "n": "\n"}.get(part[1], part[1]), look))
    return tagged([*runs, (text[after:], look)])


def _overridden(look: Look, own: Look, styles: Mapping[str, Look], override: str) -> Look:
    """What an override leaves open is the line's own style's."""
    for said in _ASS_STYLE.finditer(override):
        match said[1]:
            case "b":
                bold = said[2] == "1" or int(said[2][:6] or 0) >= _BOLD
                look = replace(look, bold=bold if said[2] else own.bold)
            case "i":
                look = replace(look, italic=said[2] == "1" if said[2] else own.italic)
            case "u":
                look = replace(look, underlined=said[2] == "1" if said[2] else own.underlined)
            case _ if said[4]:
                look = styles.get(_style_name(said[5]), own)
            case _:
                look = replace(look, colour=_of_ass_colour(said[3]) or own.colour)
    return look


def _of_ass_colour(said: str | None) -> str | None:
    """`BBGGRR`, if any."""
    if not said:
        return None
    blue_first = said.rjust(6, "0")[-6:].lower()
    return blue_first[4:] + blue_first[2:4] + blue_first[:2]


def tagged(runs: list[tuple[str, Look]]) -> str:
    """Letters with their looks as the text of a cue."""
    said = ((text, look) for text, look in runs if text)
    alike = groupby(said, key=lambda run: run[1])
    return "".join(_tagged(words("".join(text for text, _ in of)), look) for look, of in alike)


def _tagged(text: str, look: Look) -> str:
    if not text.strip():
        return text
    wanted = [(look.underlined, "u", "u"), (look.italic, "i", "i"), (look.bold, "b", "b")]
    wanted.append((look.colour is not None, f'font color="#{look.colour}"', "font"))
    for there, opening, closing in wanted:
        text = f"<{opening}>{text}</{closing}>" if there else text
    return text


def looks(text: str) -> Iterator[tuple[str, Look]]:
    """The letters of a cue without its tags, each run with its look."""
    open_: dict[str, list[Look]] = {}
    look, after = PLAIN, 0
    for tag in TAG.finditer(text):
        if tag.start() > after:
            yield text[after : tag.start()], look
        after = tag.end()
        name = (tag[2] or tag[3]).lower()
        if not tag[1]:
            open_.setdefault(name, []).append(look)
            look = _with(look, name, tag[0])
        elif open_.get(name):
            look = _without(look, name, open_[name].pop())
    if after < len(text):
        yield text[after:], look


def _with(look: Look, name: str, tag: str) -> Look:
    if name == "font":
        return replace(look, colour=_colour_of(tag) or look.colour)
    return replace(
        look,
        bold=look.bold or name == "b",
        italic=look.italic or name == "i",
        underlined=look.underlined or name == "u",
    )


def _colour_of(tag: str) -> str | None:
    """`rrggbb`, if it says a colour that is known."""
    found = _COLOUR.search(tag)
    said = found[1].lower() if found else ""
    if short := _THREE_DIGITS.fullmatch(said):
        return "".join(2 * digit for digit in short[1])
    whole = _SIX_DIGITS.fullmatch(said)
    return whole[1] if whole else _NAMED.get(said)


def _without(look: Look, name: str, before: Look) -> Look:
    return Look(
        bold=before.bold if name == "b" else look.bold,
        italic=before.italic if name == "i" else look.italic,
        underlined=before.underlined if name == "u" else look.underlined,
        colour=before.colour if name == "font" else look.colour,
    )
