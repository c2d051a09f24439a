"""What ancillary data are (SMPTE ST 291-1), in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Of SMPTE's register of identifiers, what broadcasters' masters hold.
_NAMES: Mapping[tuple[int, int], str] = {
    (0x41, 0x01): "payload identifier",  # ST 352
    (0x41, 0x05): "active format and bars",  # ST 2016-3
    (0x41, 0x06): "pan and scan",  # ST 2016-4
    (0x41, 0x07): "splice messages (SCTE 104)",  # ST 2010
    (0x41, 0x08): "lines of VBI",  # ST 2031
    (0x43, 0x02): "OP-47 teletext subtitles",  # RDD 8
    (0x43, 0x03): "OP-47 teletext",  # RDD 8
    (0x44, 0x04): "KLV metadata",  # RP 214
    (0x5F, 0xDC): "ARIB captions",  # ARIB STD-B37, mobile
    (0x5F, 0xDD): "ARIB captions",
    (0x5F, 0xDE): "ARIB captions",
    (0x5F, 0xDF): "ARIB captions",
    (0x60, 0x60): "timecode",  # ST 12-2
    (0x61, 0x01): "captions (CEA-608/708)",  # ST 334-1
    (0x61, 0x02): "captions (CEA-608)",  # ST 334-1
    (0x62, 0x01): "programme description",  # RP 207
    (0x62, 0x03): "lines of VBI",  # RP 208
    (0x64, 0x64): "timecode (LTC)",  # RP 196
    (0x64, 0x7F): "timecode (VITC)",  # RP 196
}
_DOLBY = 0x45  # ST 2020-1
_NO_SECOND_NUMBER = 0x80  # ST 291-1


def names(identifiers: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """Each with its DID and SDID, as `timecode [60/60]`, in the order given."""
    return tuple(f"{_name(one)} {_number(one)}" for one in identifiers)


def _name(identifier: tuple[int, int]) -> str:
    if identifier[0] == _DOLBY:
        return "metadata of sound"
    return _NAMES.get(identifier, "data of another kind")


def _number(identifier: tuple[int, int]) -> str:
    first, second = identifier
    return f"[{first:02X}]" if first >= _NO_SECOND_NUMBER else f"[{first:02X}/{second:02X}]"
