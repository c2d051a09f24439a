"""The pixel formats that ffmpeg's FFV1 encoder takes as they are (`ffmpeg -h encoder=ffv1`)."""

from __future__ import annotations

_PLANAR = {
    f"yuv{alpha}{sampling}p{bits}le"
    for alpha in ("", "a")
    for sampling in ("420", "422", "444")
    for bits in (9, 10, 12, 16)
}
_GREY = {f"gray{bits}le" for bits in (9, 10, 12, 14, 16)}
_RGB = {f"gbrp{bits}le" for bits in (9, 10, 12, 14, 16)}
_RGBA = {f"gbrap{bits}le" for bits in (10, 12, 14, 16)}

FFV1_PIX_FMTS = frozenset(
    {
        *("yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p"),
        *("yuva420p", "yuva422p", "yuva444p", "yuv440p10le", "yuv440p12le"),
        *("yuv420p14le", "yuv422p14le", "yuv444p14le"),
        *("gray", "ya8", "bgr0", "bgra", "rgb48le", "rgba64le"),
        *_PLANAR,
        *_GREY,
        *_RGB,
        *_RGBA,
    }
)
