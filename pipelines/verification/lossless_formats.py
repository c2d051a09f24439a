"""The pixel formats that FFV1 can hold: as they are, or with the same samples in another order."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PLANAR = {
    f"yuv{alpha}{sampling}p{bits}le"
    for alpha in ("", "a")
    for sampling in ("420", "422", "444")
    for bits in (9, 10, 12, 16)
}
_GREY = {f"gray{bits}le" for bits in (9, 10, 12, 14, 16)}
_RGB = {f"gbrp{bits}le" for bits in (9, 10, 12, 14, 16)}
_RGBA = {f"gbrap{bits}le" for bits in (10, 12, 14, 16)}

# What ffmpeg's encoder takes (`ffmpeg -h encoder=ffv1`).
FFV1_PIX_FMTS = frozenset(
    {
        *("yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p"),
        *("yuva420p", "yuva422p", "yuva444p", "yuv440p10le", "yuv440p12le"),
        *("yuv420p14le", "yuv422p14le", "yuv444p14le"),
        *("gray", "ya8", "bgr0", "bgra"),
        *_PLANAR,
        *_GREY,
        *_RGB,
        *_RGBA,
    }
)

# Packed formats of capture cards, codecs and images, and the format with the very same samples.
# Each was tried with random samples there and back; those with bits to spare are not here.
REPACKED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("uyvy422", "yuyv422", "yvyu422", "nv16"), "yuv422p"),
        **dict.fromkeys(("nv12", "nv21"), "yuv420p"),
        **dict.fromkeys(("nv24", "nv42", "vyu444"), "yuv444p"),
        **dict.fromkeys(("rgb24", "bgr24", "gbrp", "0rgb", "rgb0", "0bgr"), "bgr0"),
        **dict.fromkeys(("argb", "rgba", "abgr", "gbrap"), "bgra"),
        # FFV1 itself has these two only plane by plane, whatever its encoder takes.
        **dict.fromkeys(("rgb48le", "rgb48be", "bgr48le", "bgr48be"), "gbrp16le"),
        **dict.fromkeys(("rgba64le", "rgba64be"), "gbrap16le"),
        "gray16be": "gray16le",
    }
)

# The fourth byte of bgr0 is nobody's sample, and decoders write what they like into it.
HASHED_AS: Mapping[str, str] = MappingProxyType({"bgr0": "gbrp"})
