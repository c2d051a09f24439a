"""Which containers Kapok opens, and the ffmpeg options that hold it to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Names of ffmpeg's demuxers. Playlists and scripts (hls, dash, concat, imf, sdp, image2) are absent
# on purpose: they name other files or hosts, and ffmpeg would open those.
FORMATS = (
    *("mov", "matroska", "mpegts", "mpeg", "mxf", "gxf", "avi", "asf", "flv", "dv", "ogg", "ivf"),
    *("wav", "w64", "aiff", "caf", "au", "flac", "mp3", "aac", "loas", "ac3", "eac3"),
    *("h264", "hevc", "vvc", "obu", "mpegvideo", "m4v", "cavsvideo", "avs2", "avs3"),
    "yuv4mpegpipe",
)

# Ffmpeg's AVFMT_TS_DISCONT: the clock may jump, and ffmpeg corrects it by all tracks that it reads.
JUMPING = frozenset({"mpegts", "mpeg", "ogg"})

# Of what stands in these, a part can be taken out that decodes by itself (`encoding.cut`).
CUT_FORMATS = frozenset({"mov", "matroska", "mpegts", "mxf"})
CUT_CODECS = frozenset({"h264", "hevc", "mpeg2video", "prores", "ffv1", "vp9", "av1"})

# Of an input whose tracks may pause for as long as they like.
_GAP_OPTIONS: Mapping[str, str] = {
    "dts_delta_threshold": "200000",  # seconds: more than the 26.5 hours that 33 bits count
    # [P] A minute, where ffmpeg's usual seconds hold no whole picture, without whose size it copies
    # none; its 5 MB at most are read all the same.
    "analyzeduration": "60000000",
}

_NARROWING = frozenset({"ac3", "eac3"})

MAX_PIXELS = 8192 * 8192

# Of every input that is a source, as ffmpeg-python takes them. A playlist renamed `.mp4` is
# otherwise still opened as a playlist.
GUARD_OPTIONS: Mapping[str, str] = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(FORMATS),
    "max_pixels": str(MAX_PIXELS),  # of every picture: a later one may be larger than the first
}
# The same before `-i` in a command that is written out.


def _words(options: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(word for name, value in options.items() for word in (f"-{name}", value))


INPUT_GUARDS = _words(GUARD_OPTIONS)
# Of every source whose pictures are decoded. What a container asks players to hide (QuickTime's
# clean aperture, Matroska's PixelCrop) is a part of the picture, which `probe` has measured whole:
# ffmpeg would cut it off. What the stream itself crops stays cropped.
PICTURE_OPTIONS: Mapping[str, str] = {**GUARD_OPTIONS, "apply_cropping": "codec"}
PICTURE_INPUT = _words(PICTURE_OPTIONS)


def sound_options(codecs: Iterable[str]) -> Mapping[str, str]:
    """Of every input whose sound is decoded: AC-3 and E-AC-3 say how players may narrow the
    programme's dynamics (ETSI TS 102 366, 6.7), which ffmpeg does unless it is told not to.
    """
    return {} if _NARROWING.isdisjoint(codecs) else {"drc_scale": "0"}


def sound_words(codecs: Iterable[str]) -> tuple[str, ...]:
    """The same before `-i` in a command that is written out."""
    return _words(sound_options(codecs))


def clock_options(*, track_gaps: bool) -> Mapping[str, str]:
    """Of every input that is read by its clock. A track that pauses for 10 s makes ffmpeg believe
    that the clock has jumped, and it closes the gap in that track alone: with `track_gaps` it does
    not. A clock that goes back is corrected all the same.
    """
    return _GAP_OPTIONS if track_gaps else {}


def clock_words(*, track_gaps: bool) -> tuple[str, ...]:
    """The same before `-i` in a command that is written out."""
    return _words(clock_options(track_gaps=track_gaps))


def may_jump(format_name: str) -> bool:
    """Whether time stamps of this container (ffmpeg's names, with commas) can begin anew."""
    return not JUMPING.isdisjoint(format_name.split(","))
