"""What ancillary data are (SMPTE ST 291-1), in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipelines.words import Words, joined

# Of SMPTE's register of identifiers, what broadcasters' masters hold.
_NAMES: Mapping[tuple[int, int], Words] = {
    (0x41, 0x01): Words("payload identifier", "载荷标识"),  # ST 352
    (0x41, 0x05): Words("active format and bars", "有效画幅与黑边"),  # ST 2016-3
    (0x41, 0x06): Words("pan and scan", "摇移裁切"),  # ST 2016-4
    (0x41, 0x07): Words("splice messages (SCTE 104)", "插播指令（SCTE 104）"),  # ST 2010
    (0x41, 0x08): Words("lines of VBI", "场消隐行"),  # ST 2031
    (0x43, 0x02): Words("OP-47 teletext subtitles", "OP-47 图文电视字幕"),  # RDD 8
    (0x43, 0x03): Words("OP-47 teletext", "OP-47 图文电视"),  # RDD 8
    (0x44, 0x04): Words("KLV metadata", "KLV 元数据"),  # RP 214
    (0x5F, 0xDC): Words("ARIB captions", "ARIB 字幕"),  # ARIB STD-B37, mobile
    (0x5F, 0xDD): Words("ARIB captions", "ARIB 字幕"),
    (0x5F, 0xDE): Words("ARIB captions", "ARIB 字幕"),
    (0x5F, 0xDF): Words("ARIB captions", "ARIB 字幕"),
    (0x60, 0x60): Words("timecode", "时码"),  # ST 12-2
    (0x61, 0x01): Words("captions (CEA-608/708)", "隐藏字幕（CEA-608/708）"),  # ST 334-1
    (0x61, 0x02): Words("captions (CEA-608)", "隐藏字幕（CEA-608）"),  # ST 334-1
    (0x62, 0x01): Words("programme description", "节目说明"),  # RP 207
    (0x62, 0x03): Words("lines of VBI", "场消隐行"),  # RP 208
    (0x64, 0x64): Words("timecode (LTC)", "时码（LTC）"),  # RP 196
    (0x64, 0x7F): Words("timecode (VITC)", "时码（VITC）"),  # RP 196
}
_DOLBY, _OF_SOUND = 0x45, Words("metadata of sound", "声音元数据")  # ST 2020-1
_OTHER = Words("data of another kind", "其他数据")
_NO_SECOND_NUMBER = 0x80  # ST 291-1


def names(identifiers: Iterable[tuple[int, int]]) -> tuple[Words, ...]:
    """Each with its DID and SDID, as `timecode [60/60]`, in the order given."""
    return tuple(joined([_name(one), _number(one)], " ", " ") for one in identifiers)


def _name(identifier: tuple[int, int]) -> Words:
    return _OF_SOUND if identifier[0] == _DOLBY else _NAMES.get(identifier, _OTHER)


def _number(identifier: tuple[int, int]) -> str:
    first, second = identifier
    return f"[{first:02X}]" if first >= _NO_SECOND_NUMBER else f"[{first:02X}/{second:02X}]"
