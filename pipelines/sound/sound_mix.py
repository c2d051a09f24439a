"""How tracks become the channels of a rendition: the filters, for whoever builds a graph."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pipelines.sound.loudspeakers import pair_places, six_places, usual


class Filter(NamedTuple):
    name: str
    options: Mapping[str, str | int | float]

    def __str__(self) -> str:
        """As a graph that is written out has it."""
        return f"{self.name}=" + ":".join(f"{key}={value}" for key, value in self.options.items())


_SIDES: Mapping[int, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        2: ("stereo", ("FL", "FR")),
        6: ("5.1(side)", ("FL", "FR", "FC", "LFE", "SL", "SR")),
    }
)
# ITU-R BS.775-3 annex 4: L = L + 0.7071 C + 0.7071 Ls, R alike, no LFE.
_MINUS_3_DB = 0.70710678


def mono() -> Filter:
    """Half the sum of stereo, which passes full scale nowhere that its sides do not."""
    return Filter("pan", {"args": "mono|c0=0.5*FL+0.5*FR"})


def join(count: int) -> Filter:
    """Of mono tracks side by side, which ends with the shortest of them."""
    layout, sides = _SIDES[count]
    named = "|".join(f"{number}.0-{side}" for number, side in enumerate(sides))
    return Filter("join", {"inputs": count, "channel_layout": layout, "map": named})


def downmix(layout: str) -> tuple[Filter, Filter]:
    """In floating point, where swresample does not scale the coefficients by itself.

    Unscaled, the mix keeps the loudness of the programme, and its peaks may pass full scale.
    """
    levels = {"clev": _MINUS_3_DB, "slev": _MINUS_3_DB, "lfe_mix_level": 0.0}
    return (
        Filter("aformat", {"sample_fmts": "fltp"}),
        Filter("aresample", {"ochl": layout, **levels, "osf": "fltp"}),
    )


def in_order(own_order: str | None) -> tuple[Filter, ...]:
    """Of a track that lists its channels in an order of their own (see `sound.loudspeakers`)."""
    found = usual(own_order)
    if found is None:
        return ()
    layout, places = found
    named = "|".join(map(str, places))
    return (Filter("channelmap", {"map": named, "channel_layout": layout}),)


def pair(own_order: str | None) -> Filter:
    """The stereo mix that a track has beside its loudspeakers, else channels 1 and 2."""
    left, right = pair_places(own_order)
    return Filter("channelmap", {"map": f"{left}-FL|{right}-FR", "channel_layout": "stereo"})


def six(own_order: str | None) -> Filter:
    """The loudspeakers that a track has beside their stereo mix."""
    named = "|".join(map(str, six_places(own_order)))
    return Filter("channelmap", {"map": named, "channel_layout": _SIDES[6][0]})
