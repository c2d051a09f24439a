"""Where the samples of colour of 4:2:0 stand among those of luma (ITU-T H.273, 8.7)."""

from __future__ import annotations

import av

from pipelines.media import ChromaLocation, Colour, VideoTrack

# What everybody takes who is told nothing, and what BT.709's 4:2:0 has: H.273's type 0.
USUAL: ChromaLocation = "left"
# BT.2020-2 and BT.2100-2 have each sample of colour on the luma sample at the upper left of its
# four, type 2, as ETSI TS 101 154 asks of HEVC in BT.2020 [?].
_BY_PRIMARIES: dict[str | None, ChromaLocation] = {"bt2020": "topleft"}
# Measured: libxavs2 writes none, AVS2 has no syntax for it, and no AVS3 encoder was ever tried.
_WRITTEN_BY = frozenset({"libx264", "libx265", "libsvtav1", "libvvenc"})
# By name: PyAV knows fewer formats than ffmpeg.
_SITED = ("yuv420p", "yuvj420p", "yuva420p", "nv12", "nv21", "p010", "p012", "p016")
# H.273's types by their numbers.
CODED: tuple[ChromaLocation, ...] = ("left", "center", "topleft", "top", "bottomleft", "bottom")


def unshared(pix_fmt: str) -> str:
    """The format of Y'CbCr with as many bits, in which each pixel has its own sample of colour."""
    bits = av.VideoFormat(pix_fmt).components[0].bits
    return "yuv444p" if bits == 8 else f"yuv444p{bits}le"


def is_sited(pix_fmt: str) -> bool:
    """Whether two lines share samples of colour, so that these can stand at several places."""
    return pix_fmt.startswith(_SITED)


def best_siting(colour: Colour) -> ChromaLocation:
    """By a complete colour's own standard."""
    return _BY_PRIMARIES.get(colour.primaries, USUAL)


def planned_siting(colour: Colour, pix_fmt: str, encoder: str) -> ChromaLocation | None:
    """Of a rendition: what its colour asks for where its file can say it; `None` without 4:2:0."""
    if not is_sited(pix_fmt):
        return None
    return best_siting(colour) if encoder in _WRITTEN_BY else USUAL


# What Matroska, of FFV1 the only one to say it, has no words for (RFC 9559, ChromaSitingVert).
_UNSAID_IN_MATROSKA = frozenset({"bottomleft", "bottom"})
# In halves of a pixel, right and down of the first luma sample.
_HALVES: dict[tuple[int, int], ChromaLocation] = {
    (0, 0): "topleft",
    (1, 0): "top",
    (0, 1): "left",
    (1, 1): "center",
    (0, 2): "bottomleft",
    (1, 2): "bottom",
}


def upright_siting(picture: VideoTrack) -> ChromaLocation | None:
    """Of pictures as they are shown, `None` at the left; H.273 has no word for the right, of which
    the middle is the nearest.
    """
    found = picture.chroma_location or USUAL
    if picture.mirrored or not is_sited(picture.pix_fmt):
        return picture.chroma_location
    x, y = next(place for place, name in _HALVES.items() if name == found)
    for _ in range(picture.rotation_deg // 90):
        x, y = 2 - y, x
    turned = _HALVES[min(x, 1), y]
    return None if turned == USUAL else turned


def preserved_siting(picture: VideoTrack) -> ChromaLocation | None:
    """Of a preservation master: its source's, `None` also where its file cannot say that."""
    found = found_siting(picture)
    return None if found in _UNSAID_IN_MATROSKA else found


def found_siting(picture: VideoTrack) -> ChromaLocation | None:
    """Of pictures as they are; `None` without 4:2:0."""
    return (picture.chroma_location or USUAL) if is_sited(picture.pix_fmt) else None
