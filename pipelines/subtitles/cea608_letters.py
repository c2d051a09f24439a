"""The letters of CEA-608 (CTA-608-E, tables 49 to 51 and annex F) in Unicode. Pure."""

from __future__ import annotations

BLOCK = "█"  # also what a letter is shown as whose parity is wrong
_OTHER_THAN_ASCII = {
    0x2A: "á",
    0x5C: "é",
    0x5E: "í",
    0x5F: "ó",
    0x60: "ú",
    0x7B: "ç",
    0x7C: "÷",
    0x7D: "Ñ",
    0x7E: "ñ",
    0x7F: BLOCK,
}
# From 0x30 on; the tenth is a transparent space.
_SPECIAL = "®°½¿™¢£♪à èâêîôû"
# From 0x20 on, by the first byte: Spanish and French, Portuguese, German and Danish.
_EXTENDED = {
    0x12: "ÁÉÓÚÜü‘¡*'—©℠•“”ÀÂÇÈÊËëÎïÏÔÙùÛ«»",
    0x13: "ÃãÍÌìÒòÕõ{}\\^_|~ÄäÖöß¥¤¦ÅåØø┌┐└┘",
}


def basic(code: int) -> str:
    """The letter of a byte from 0x20 on."""
    return _OTHER_THAN_ASCII.get(code, chr(code))


def special(first: int, second: int) -> str | None:
    """A letter of two bytes in a place of its own; `first` is that of an odd channel."""
    return _SPECIAL[second - 0x30] if first == 0x11 and 0x30 <= second <= 0x3F else None


def extended(first: int, second: int) -> str | None:
    """A letter of two bytes in the place of the one before it, which stands in for it."""
    letters = _EXTENDED.get(first)
    return letters[second - 0x20] if letters and 0x20 <= second <= 0x3F else None
