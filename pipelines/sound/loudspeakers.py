"""Which loudspeaker each channel of a track is for, by ffmpeg's names of layouts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

SURROUND = (("FL", "FR", "FC", "LFE", "SL", "SR"), ("FL", "FR", "FC", "LFE", "BL", "BR"))
SURROUND_NAMES = ("5.1(side)", "5.1")
STEREO_MIX = ("DL", "DR")  # the two of a mix that somebody made for two loudspeakers

# In ffmpeg's own order, which is that of WAVEFORMATEXTENSIBLE's mask and so of FLAC's.
_ORDER = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR"),
    *("TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR"),
)
_NAMES: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("FC",): "mono",
        ("FL", "FR"): "stereo",
        ("FL", "FR", "FC"): "3.0",
        ("FL", "FR", "BL", "BR"): "quad",
        ("FL", "FR", "FC", "BL", "BR"): "5.0",
        ("FL", "FR", "FC", "SL", "SR"): "5.0(side)",
        **dict(zip(SURROUND, SURROUND_NAMES, strict=True)),
        ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"): "7.1",
    }
)
# Of these ffmpeg has a place for every loudspeaker in a mix for two, and leaves out the LFE alone;
# those above and behind the listener it drops without a word.
_MIXED = frozenset(
    {
        *("mono", "stereo", "downmix", "2.1", "3.0", "3.0(back)", "3.1", "4.0", "4.1", "quad"),
        *("quad(side)", "5.0", "5.0(side)", *SURROUND_NAMES, "6.0", "6.0(front)", "hexagonal"),
        *("6.1", "6.1(back)", "6.1(front)", "7.0", "7.0(front)", "7.1", "7.1(wide)"),
        *("7.1(wide-side)", "octagonal", "3.1.2", "5.1.2", "5.1.2(back)", "7.1.2"),
    }
)
_MIXED_SPEAKERS = frozenset({*_ORDER[: _ORDER.index("TC")], "TFL", "TFR"})
_LISTED = re.compile(r"\d+ channels \((.+)\)")


def listed(layout: str | None) -> tuple[str, ...]:
    """Of a layout that has no name; those that have one are in ffmpeg's order."""
    found = _LISTED.fullmatch(layout or "")
    return tuple(found[1].split("+")) if found else ()


def usual(layout: str | None) -> tuple[str, tuple[int, ...]] | None:
    """Of channels in an order of their own, as QuickTime's film order, the layout of the same ones
    in ffmpeg's order, and where each of these stands in the file.
    """
    channels = listed(layout)
    if not {*channels} <= {*_ORDER} or len({*channels}) < len(channels):
        return None
    wanted = tuple(one for one in _ORDER if one in channels)
    if wanted == channels:
        return None
    return _NAMES.get(wanted, "+".join(wanted)), tuple(map(channels.index, wanted))


def has_stereo_mix(layout: str | None) -> bool:
    """Whether a track has a mix of its own for two loudspeakers, beside others or alone."""
    return {*STEREO_MIX} <= {*listed(layout)}


def pair_places(layout: str | None) -> tuple[int, int]:
    """Where the two channels for stereo stand: those of the mix, else the first two."""
    if not has_stereo_mix(layout):
        return 0, 1
    left, right = map(listed(layout).index, STEREO_MIX)
    return left, right


def six_places(layout: str | None) -> tuple[int, ...]:
    """Where the six loudspeakers stand in a track that has their stereo mix too; else nowhere."""
    channels = listed(layout)
    others = [one for one in channels if one not in STEREO_MIX]
    six = next((six for six in SURROUND if sorted(six) == sorted(others)), ())
    return tuple(map(channels.index, six)) if has_stereo_mix(layout) else ()


def in_flac(layout: str) -> bool:
    """Whether FLAC can say it, once it is in ffmpeg's order; one channel has no need to."""
    channels = listed(layout)
    return not layout.startswith("ambisonic") and (len(channels) < 2 or {*channels} <= {*_ORDER})


def is_mixed(layout: str) -> bool:
    """Whether a mix for two loudspeakers has all that is in it, but for the LFE."""
    channels = {*listed(layout)}
    return layout in _MIXED or {"FL", "FR"} <= channels <= _MIXED_SPEAKERS
