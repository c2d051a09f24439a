"""What a file holds, read in a sandbox: by PyAV, or by ffmpeg where PyAV has no decoder (AVS3)."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from pipelines import languages
from pipelines.colour import colour_codes
from pipelines.colour.chroma_siting import CODED, USUAL
from pipelines.encoding.timecode import picture_timecode, timecode_at
from pipelines.errors import (
    EmptyFile,
    LimitExceeded,
    MediaError,
    NoEssence,
    ToolFailed,
    TruncatedMedia,
    UnsupportedMedia,
)
from pipelines.media import (
    AncillaryTrack,
    AudioTrack,
    Beside,
    Colour,
    FieldOrder,
    MasteringDisplay,
    MediaInfo,
    SubtitleTrack,
    VideoTrack,
    content_light,
)
from pipelines.rates import nearest_standard_rate
from pipelines.running import isolated_python
from pipelines.running.run import capture
from pipelines.running.sandbox import active
from pipelines.sources.ask_ffprobe import ask_ffprobe
from pipelines.sources.ask_stream import ask_track_at_once
from pipelines.sources.containers import FORMATS, MAX_PIXELS, may_jump
from pipelines.sources.first_picture import FirstPicture, first_picture
from pipelines.sources.movie_boxes import edit_lists, edited_s, is_fragmented
from pipelines.sources.programmes import read_programmes
from pipelines.sources.sound_files import missing_bytes
from pipelines.sources.teletext_pages import read_teletext
from pipelines.sources.track_choice import with_choice
from pipelines.sources.track_names import NO_DECODER, track_name
from pipelines.sources.vvc_headers import chroma_of_vvc
from pipelines.subtitles.ancillary import names
from pipelines.subtitles.letters import read_text
from pipelines.subtitles.ttml import is_ttml
from pipelines.words import Words, zh_of

MAX_STREAMS = 128
MAX_DURATION_S = 7 * 24 * 3600
_NUMBERED = 30  # pictures a second that always have a number each: above, two may share one

_MOV_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"})
# Brands of ISO/IEC 23008-12 (HEIF) and of AOM's AV1 Image File Format, still and moving.
_PHOTOGRAPHS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})
_PHOTOGRAPHS |= {b"avif", b"avis", b"avci"}
# SMPTE ST 377-1, RFC 8794 (EBML).
_SIGNATURES = {"MXF": bytes.fromhex("060e2b34020501010d010201"), "MKV": b"\x1a\x45\xdf\xa3"}
_OPENED = "MP4, MOV, MXF, MPEG-TS, MKV, WAV or the like"
CHECK_AND_EXPORT = "check the file in a player, and export it again"
_CHILD = Path(__file__).with_name("probe_child.py")
_DOLBY_VISION_TAGS = frozenset({"dvh1", "dvhe", "dvav", "dva1", "dav1"})
_LOSSLESS_SOUND = frozenset({"flac", "alac", "wavpack", "tta"})
_MOST_DISC_BITS = 24  # of a DVD's and a Blu-ray's PCM, the codecs whose names do not say
_HD_LINES = 720
_MOST_FPS = 1000  # [P] no camera that writes an even rate is faster; clocks are
# SMPTE ST 268.
_DPX_LIGHT = {
    1: Words("printing density", "印片密度"),
    3: Words("logarithmic light", "对数光"),
}
# What ffmpeg's decoders make letters of, and Kapok of TTML; the others are pictures. Names are
# ffmpeg's.
TEXT_CODECS = frozenset({"subrip", "ass", "ssa", "mov_text", "webvtt", "text", "eia_608", "ttml"})
TEXT_CODECS |= {"dvb_teletext"}
_NO_PICTURE = Words("no picture of it decodes", "没有可解码的画面")
_NOT_AT_START = "no TS found at start of file"  # ffmpeg's words of a recording's late tracks
# ITU-T H.273, 8.7, by the names of ffprobe and of ffmpeg's filters; "left" is what all assume.
_CHROMA_LOCATIONS = frozenset(CODED) - {USUAL}
_BESIDE: Mapping[str, Beside] = {
    "visual_impaired": "for the visually impaired",
    "hearing_impaired": "for the hard of hearing",
    "comment": "a commentary",
}
_LANGUAGE_OF_TTML = re.compile(r"""<[^<>]*\bxml:lang=["']([A-Za-z0-9-]+)["']""")
# AVFieldOrder: TT, BB, TB, BT. For woven frames ffmpeg writes TB when the top field is earlier.
_FIELD_ORDERS: Mapping[int, FieldOrder] = {1: "progressive", 2: "tt", 3: "bb", 4: "tt", 5: "bb"}


def probe(path: Path, programme: int | None = None) -> MediaInfo:
    """What the file holds; of a transport stream with several programmes, the one that is asked
    for, else the one with the largest picture (see `pipelines.sources.track_choice`).

    Raises `EmptyFile`, `UnsupportedMedia`, `TruncatedMedia`, `NoEssence`, `NoSuchProgramme` or
    `LimitExceeded`. Never opens another file or the network, whatever the file asks for.
    """
    path = path.resolve()
    if path.stat().st_size == 0:
        message = "the file is empty: upload it again"
        raise EmptyFile(message)
    _refuse_photographs(path)
    found = _sniff(path)
    _refuse_broken(path, found)
    video, unreadable = _video_tracks(path, found["video"])
    video = _with_ends(path, found, _with_chroma(path, video))
    audio = tuple(_audio_track(track) for track in found["audio"] if track["decoded"])
    if not video and not audio:
        message = (
            "the file has neither a picture nor a sound track that can be decoded: "
            f"{CHECK_AND_EXPORT}"
        )
        raise NoEssence(message)
    documents, nameless = _unknown_subtitles(path, found)
    timecode, uncounted = _timecode(path, found, video)
    tracks = (*found["video"], *found["audio"], *found["subtitles"], *documents)
    info = MediaInfo(
        format_name=found["format_name"],
        size_bytes=path.stat().st_size,
        duration_s=_fraction(found["duration_s"]),
        video=video,
        audio=audio,
        timecode=timecode,
        sandbox=active(),
        notes=_notes(found),
        left_out=(
            *(*_left_out(found), *nameless, *unreadable, *uncounted),
            *_further_services(found["subtitles"]),
        ),
        programmes=read_programmes(path, tracks) if found["format_name"] == "mpegts" else (),
        subtitles=_subtitle_tracks((*found["subtitles"], *documents)),
        ancillary=tuple(_ancillary_track(path, index) for index in found["ancillary"]),
    )
    chosen = with_choice(info, programme)
    return replace(chosen, start_s=_start_s(found, (*chosen.video[:1], *chosen.audio)))


def _timecode(
    path: Path, found: Mapping[str, Any], video: Sequence[VideoTrack]
) -> tuple[str | None, tuple[Words, ...]]:
    """Of the first picture that is shown, which may stand behind others in its group, and the name
    of one that is left out.
    """
    said: str | None = found["timecode"]
    rate, later = Fraction(found["counted_at"]), found["frames_later"]
    if later:
        return picture_timecode(said, rate, later), ()
    if said and "mov" in found["format_name"]:
        return _of_its_track(path, said, video)
    return said, ()


def _of_its_track(
    path: Path, said: str, video: Sequence[VideoTrack]
) -> tuple[str | None, tuple[Words, ...]]:
    """Ffmpeg says the first number of a QuickTime track of timecode, whose edit list may begin
    later, and which may count every second one of 50 pictures.
    """
    if (counting := _counting(path)) is None:
        return said, ()
    index, counted = counting
    edits = edit_lists(path).get(index, ())
    if len(edits) > 1:
        uncounted = Words(
            f"the timecode from {said} on (its track has several edits)",
            f"自 {said} 起的时码（其轨道有多段编辑）",
        )
        return None, (uncounted,)
    later_s = edits[0].media_s if edits else Fraction(0)
    may_share = bool(video) and video[0].frame_rate > _NUMBERED
    if not later_s and not may_share:
        return said, ()
    rate = video[0].frame_rate if may_share else counted
    start = timecode_at(said, counted, rate)
    return (str(start.later(round(later_s * rate))) if start else said), ()


def _counting(path: Path) -> tuple[int, Fraction] | None:
    """Index of a QuickTime track of timecode, and how many numbers it has in a second."""
    wanted = (
        "-select_streams",
        "d",
        "-show_entries",
        "stream=index,codec_tag_string,avg_frame_rate",
    )
    tracks = ask_ffprobe(path, *wanted).get("streams", ())
    found = (
        (int(one["index"]), Fraction(one["avg_frame_rate"]))
        for one in tracks
        if one["codec_tag_string"] == "tmcd" and not one["avg_frame_rate"].endswith("/0")
    )
    return next(found, None)


def _start_s(found: Mapping[str, Any], tracks: Sequence[VideoTrack | AudioTrack]) -> Fraction:
    """Ffmpeg's time zero: where a clock may jump, of the tracks that are read, else of the file."""
    if may_jump(found["format_name"]):
        return min(track.start_s for track in tracks)
    return Fraction(found["start_s"])


def _video_tracks(
    path: Path, found: Sequence[Mapping[str, Any]]
) -> tuple[tuple[VideoTrack, ...], list[Words]]:
    """And the names of those without a picture that decodes, which are none beside others."""
    read, unreadable = [], []
    for track in found:
        try:
            read.append(_video_track(path, track))
        except NoEssence:
            if len(found) == 1:
                raise
            unreadable.append(track_name("video", track["index"], _NO_PICTURE))
    if unreadable and not read:
        message = (
            f"none of its {len(found)} picture tracks has a picture that decodes: "
            f"{CHECK_AND_EXPORT}"
        )
        raise NoEssence(message)
    return tuple(read), unreadable


def _with_chroma(path: Path, video: tuple[VideoTrack, ...]) -> tuple[VideoTrack, ...]:
    """Where the samples of colour stand, by ffprobe: PyAV does not tell. Of VVC neither does."""
    if not any(track.pix_fmt.startswith(("yuv420p", "yuvj420p")) for track in video):
        return video
    entries = "stream=index,chroma_location"
    try:
        told = ask_ffprobe(path, "-select_streams", "v", "-show_entries", entries)
    except ToolFailed:
        return video  # it opens a decoder for each track, also for one that none can decode
    known = {one["index"]: one.get("chroma_location") for one in told.get("streams", [])}
    of_vvc = [track.index for track in video if track.codec == "vvc"]
    known |= {index: chroma_of_vvc(path, index) for index in of_vvc}
    return tuple(
        replace(track, chroma_location=known.get(track.index))
        if known.get(track.index) in _CHROMA_LOCATIONS
        else track
        for track in video
    )


def _with_ends(
    path: Path, found: Mapping[str, Any], video: tuple[VideoTrack, ...]
) -> tuple[VideoTrack, ...]:
    """When the last picture of each ends, where the container says it; never behind its own end.
    And the edits of those that ffmpeg may not keep.
    """
    if found["duration_s"] is None:
        return video
    last_s = Fraction(found["start_s"]) + Fraction(found["duration_s"])
    ends = {one["index"]: _fraction(one["end_s"]) for one in found["video"]}
    edits: dict[int, int] = {}
    if "mov" in found["format_name"]:
        ends = _fragments_end(found) if is_fragmented(path) else {**ends, **edited_s(path)}
        edits = {index: len(listed) for index, listed in edit_lists(path).items()}
    reordered = {one["index"] for one in found["video"] if one.get("reordered")}
    said = {index: min(end_s, last_s) for index, end_s in ends.items() if end_s is not None}
    return tuple(
        replace(
            track,
            end_s=said.get(track.index),
            reordered_edits=count
            if (count := edits.get(track.index, 0)) > 1 and track.index in reordered
            else 0,
        )
        for track in video
    )


def _fragments_end(found: Mapping[str, Any]) -> dict[int, Fraction | None]:
    """Of fragments the length that ffmpeg tells of a track is where it ends, by the track's clock:
    a segment of a broadcast that begins at an hour lasts an hour and a minute, then.
    """
    told = {one["index"]: (_fraction(one["end_s"]), one["start_s"]) for one in found["video"]}
    return {at: end_s and end_s - Fraction(start_s) for at, (end_s, start_s) in told.items()}


def _sniff(path: Path) -> dict[str, Any]:
    """The finding of `probe_child`, made in the sandbox."""
    argv = isolated_python.command(_CHILD, str(path), ",".join(FORMATS), str(MAX_PIXELS))
    captured = capture(argv, readable=[path, *isolated_python.files(_CHILD)])
    found: dict[str, Any] = json.loads(captured.stdout)
    return found


def _refuse_broken(path: Path, found: Mapping[str, Any]) -> None:
    log = "\n".join(found["log"])
    if "moov atom not found" in log and _looks_like_mov(path):
        message = "the file ends before its index (moov): upload it again, whole"
        raise TruncatedMedia(message)
    if "error" in found:
        raise UnsupportedMedia(_why_unopened(path, log, found["error"]))
    if "external track" in log:
        message = "the file keeps its essence in other files: upload a self-contained file"
        raise UnsupportedMedia(message)
    of_film = "mov" in found["format_name"]
    missing = found["last_byte"] - path.stat().st_size if of_film else missing_bytes(path)
    if missing > 0:
        message = f"the file lacks its last {missing} bytes: upload it again, whole"
        raise TruncatedMedia(message)
    if found["streams"] > MAX_STREAMS:
        message = f"{found['streams']} streams are more than {MAX_STREAMS}: drop what is not needed"
        raise LimitExceeded(message)
    if Fraction(found["duration_s"] or 0) > MAX_DURATION_S:
        message = "it claims to last longer than a week: cut it, or repair its index"
        raise LimitExceeded(message)


def _refuse_photographs(path: Path) -> None:
    """As a programme they would be the first of the tiles that the photograph is made of."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:] in _PHOTOGRAPHS:
        message = (
            f"it is a photograph (HEIF or AVIF, {head[8:].decode()}): upload a programme, or "
            "export pictures as numbered PNG or TIFF images, of which `kapok wrap` makes one"
        )
        raise UnsupportedMedia(message)


def _looks_like_mov(path: Path) -> bool:
    """Whether it begins with a box: by its name alone, ffmpeg calls any text a broken `.mp4`."""
    with path.open("rb") as file:
        return file.read(8)[4:] in _MOV_BOXES


def _why_unopened(path: Path, log: str, error: str) -> str:
    if "whitelist" in log:
        return (
            "it is a playlist, a script or a format that Kapok does not open (as GIF and WavPack "
            f"are): upload the media itself, as {_OPENED}"
        )
    if kind := _signature(path):
        return f"it begins as {kind}, but its structure is damaged ({error}): write the file again"
    return f"it is not media ({error}): upload {_OPENED}"


def _signature(path: Path) -> str | None:
    """What its first bytes say that it is."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((kind for kind, words in _SIGNATURES.items() if head.startswith(words)), None)


def _video_track(path: Path, track: Mapping[str, Any]) -> VideoTrack:
    if track["decoded"]:
        return _track_by_pyav(track)
    _refuse_huge(track["pixels"])
    made = _track_by_ffmpeg(track, _ask_ffmpeg(path, track["index"]))
    _refuse_huge(made.width * made.height)
    return made


def _refuse_huge(pixels: int) -> None:
    if pixels > MAX_PIXELS:
        message = f"pictures of {pixels} pixels are larger than {MAX_PIXELS}: scale them down first"
        raise LimitExceeded(message)


def _ask_ffmpeg(path: Path, index: int) -> FirstPicture:
    try:
        picture = first_picture(path, index)
    except (ToolFailed, MediaError) as error:
        message = f"no picture of track {index} can be decoded ({error.detail}): {CHECK_AND_EXPORT}"
        raise NoEssence(message) from error
    if picture is None:
        message = f"there are no pictures in track {index}: {CHECK_AND_EXPORT}"
        raise NoEssence(message)
    return picture


def _track_by_pyav(track: Mapping[str, Any]) -> VideoTrack:
    return VideoTrack(
        index=track["index"],
        codec=track["codec"],
        codec_profile=track["codec_profile"],
        width=track["width"],
        height=track["height"],
        pix_fmt=track["pix_fmt"],
        bit_depth=_bit_depth(track["pix_fmt"]),
        frame_rate=_rate(track),
        colour=_colour(track),
        sample_aspect_ratio=_pixel_aspect(track),
        rotation_deg=-track["rotation_ccw_deg"] % 360,
        mirrored=track["mirrored"],
        field_order=_field_order(track),
        start_s=Fraction(track["start_s"]),
        container_frames=track["container_frames"],
        mastering_display=mastering_display(track["mastering_display"]),
        content_light=content_light(_pair(track["content_light"])),
        default=track["default"],
        dolby_vision=track["dolby_vision"] or track["codec_tag"] in _DOLBY_VISION_TAGS,
        hdr10_plus=track["hdr10_plus"],
        hdr_vivid=track["hdr_vivid"],
        captions=tuple(track["captions"]),
        field_pictures=_has_field_pictures(track),
    )


def _track_by_ffmpeg(track: Mapping[str, Any], picture: FirstPicture) -> VideoTrack:
    return VideoTrack(
        index=track["index"],
        codec=picture.codec,
        codec_profile=None,
        width=picture.width,
        height=picture.height,
        pix_fmt=picture.pix_fmt,
        bit_depth=_bit_depth(picture.pix_fmt),
        frame_rate=_rate(track),
        colour=picture.colour,
        sample_aspect_ratio=picture.sample_aspect_ratio or _pixel_aspect(track),
        field_order=picture.field_order,
        start_s=Fraction(track["start_s"]),
        container_frames=track["container_frames"],
        default=track["default"],
    )


def _pixel_aspect(track: Mapping[str, Any]) -> Fraction | None:
    said = track["sample_aspect_ratio"]
    return Fraction(said) if said else None


def _audio_track(track: Mapping[str, Any]) -> AudioTrack:
    return AudioTrack(
        index=track["index"],
        codec=track["codec"],
        channels=track["channels"],
        layout=track["layout"],
        sample_rate_hz=track["sample_rate_hz"],
        bit_depth=_sound_bit_depth(track["codec"], track["sample_bits"], track["coded_bits"]),
        language=_language(track["language"]),
        start_s=Fraction(track["start_s"]),
        duration_s=_fraction(track["duration_s"]),
        beside=next((said for mark, said in _BESIDE.items() if track[mark]), None),
    )


def _unknown_subtitles(
    path: Path, found: Mapping[str, Any]
) -> tuple[list[Mapping[str, Any]], list[Words]]:
    """Those that PyAV cannot decode: TTML and pages of teletext, and the names of the others."""
    if found["format_name"] == "mpegts" and found["unknown_subtitles"]:
        return read_teletext(path, found["unknown_subtitles"])
    documents: list[Mapping[str, Any]] = []
    nameless = []
    for track in found["unknown_subtitles"]:
        head = _document_head(path, track["index"]) if "mov" in found["format_name"] else ""
        if is_ttml(head):
            said = _LANGUAGE_OF_TTML.search(head)
            language = _language(track["language"]) or (said[1] if said else None)
            documents.append({**track, "codec": "ttml", "language": language})
        else:
            nameless.append(track_name("subtitle", track["index"], NO_DECODER))
    return documents, nameless


def _document_head(path: Path, index: int) -> str:
    """Of a sample of MP4, if it is letters."""
    coded = b64decode(ask_track_at_once(path, index, "head"))
    try:
        return read_text(coded, "the document", doubted=False)
    except UnsupportedMedia:
        return coded.decode("utf-8", "ignore")  # a letter may be cut in two at the end


def _subtitle_tracks(tracks: Sequence[Mapping[str, Any]]) -> tuple[SubtitleTrack, ...]:
    """In the file's order."""
    return tuple(_subtitle_track(one) for one in sorted(tracks, key=lambda one: one["index"]))


def _subtitle_track(track: Mapping[str, Any]) -> SubtitleTrack:
    return SubtitleTrack(
        index=track["index"],
        codec=track["codec"],
        text=track["codec"] in TEXT_CODECS,
        language=_language((track["language"] or "").partition(",")[0]),
        forced=track["forced"],
        hearing_impaired=track["hearing_impaired"],
        page=track.get("page"),
    )


def _further_services(tracks: Sequence[Mapping[str, Any]]) -> Iterator[Words]:
    """DVB subtitles may be several in one stream, told apart by their pages (ETSI EN 300 468,
    6.2.41); a copy says the first of them alone.
    """
    for track in tracks:
        for said in (track["language"] or "").split(",")[1:]:
            named, where = _language(said) or "und", f"{track['index']} ({track['codec']})"
            yield Words(
                f"service {named} of subtitle track {where}", f"字幕轨 {where} 中的 {named} 服务"
            )


def _ancillary_track(path: Path, index: int) -> AncillaryTrack:
    found = ask_track_at_once(path, index, "ancillary")
    return AncillaryTrack(index, names((first, second) for first, second in found))


def _language(tag: str | None) -> str | None:
    """A tag of BCP 47's shape; any other text could say something to the tools that get it."""
    known = tag is not None and tag != "und" and languages.TAG.fullmatch(tag)
    return tag if known else None


def _rate(track: Mapping[str, Any]) -> Fraction:
    """The container's average rate at its nearest standard; `inspect` measures the real one.

    Of a raw DV stream ffmpeg calls the clock its average rate, and guesses the right one.
    """
    rates = [Fraction(rate) for rate in track["rates"]]
    likely = [rate for rate in rates if rate <= _MOST_FPS] or rates
    return nearest_standard_rate(likely[0]) if likely else Fraction(25)


def _colour(track: Mapping[str, Any]) -> Colour:
    """What the pictures say, and what the container says where they say nothing."""
    frame = _named(track["colour_of_frame"])
    stream = _named(track["colour_of_stream"])
    full_range = "pc" if track["pix_fmt"].startswith("yuvj") else None
    return Colour(
        primaries=frame.primaries or stream.primaries,
        transfer=frame.transfer or stream.transfer,
        matrix=frame.matrix or stream.matrix,
        range=full_range or frame.range or stream.range,
    )


def _named(codes: Sequence[int]) -> Colour:
    primaries, transfer, matrix, value_range = codes
    return Colour(
        colour_codes.PRIMARIES.get(primaries),
        colour_codes.TRANSFERS.get(transfer),
        colour_codes.MATRICES.get(matrix),
        colour_codes.RANGES.get(value_range),
    )


def _has_field_pictures(track: Mapping[str, Any]) -> bool:
    """Ffmpeg's decoder of HEVC gives a picture for each field, and flags no other as interlaced
    (ITU-T H.265, D.3.3: pic_struct 1, 2 and 9 to 12); others weave the two.
    """
    return bool(track["codec"] == "hevc" and track["interlaced"])


def _field_order(track: Mapping[str, Any]) -> FieldOrder | None:
    if _has_field_pictures(track):
        return "progressive"  # is each of them
    order = _FIELD_ORDERS.get(track["field_order"])
    if track["interlaced"] and order in (None, "progressive"):
        # The frame says interlaced, the stream not which field is first. DV in SD begins with the
        # lower one (IEC 61834), everything else is taken in BT.709's order.
        lower_first = track["codec"] == "dvvideo" and track["height"] < _HD_LINES
        return "bb" if lower_first else "tt"
    return order


def mastering_display(numbers: Sequence[str] | None) -> MasteringDisplay | None:
    """Of the ten fractions of `probe_child.side_data`."""
    if numbers is None:
        return None
    rx, ry, gx, gy, bx, by, wx, wy, darkest, brightest = (Fraction(n) for n in numbers)
    return MasteringDisplay((rx, ry), (gx, gy), (bx, by), (wx, wy), darkest, brightest)


def _pair(numbers: Sequence[int] | None) -> tuple[int, int] | None:
    return (numbers[0], numbers[1]) if numbers else None


def _bit_depth(pix_fmt: str) -> int:
    return max(component.bits for component in av.VideoFormat(pix_fmt).components)


def _sound_bit_depth(codec: str, sample_bits: int, coded_bits: int | None) -> int | None:
    """Decoders give 24 bits in 32; floating point counts as 32. `None` for a lossy codec."""
    if codec.startswith("pcm_"):
        digits = re.match(r"pcm_[a-z]+(\d+)", codec)
        return int(digits[1]) if digits else min(sample_bits, _MOST_DISC_BITS)
    if codec in _LOSSLESS_SOUND:
        return 16 if sample_bits <= 16 else coded_bits or 24
    return None


def _left_out(found: Mapping[str, Any]) -> Iterator[Words]:
    for track in found["left_out"]:
        coded = track["codec"] or NO_DECODER
        if handler := track["handler"]:
            coded = Words(f'{coded}, "{handler}"', f"{zh_of(coded)}，“{handler}”")
        yield track_name(track["kind"], track["index"], coded)
    if chapters := found["chapters"]:
        yield Words(f"the list of chapters ({chapters})", f"章节列表（{chapters} 章）")


def _notes(found: Mapping[str, Any]) -> tuple[Words, ...]:
    silent = [_silent(track["index"], found) for track in found["audio"] if not track["decoded"]]
    decoded = [track for track in found["video"] if track["decoded"]]
    disputed = [
        _disputed(track_name("video", track["index"]))
        for track in decoded
        if _disagree(track["colour_of_stream"], track["colour_of_frame"])
    ]
    logarithmic = [
        _logarithmic(track_name("video", track["index"]), _DPX_LIGHT[track["dpx_transfer"]])
        for track in decoded
        if track["dpx_transfer"] in _DPX_LIGHT
    ]
    return (*silent, *disputed, *logarithmic)


def _disputed(name: Words) -> Words:
    return Words(
        f"{name}: the container and the pictures name different colours",
        f"{name.zh}：封装与画面标明的色彩不一致",
    )


def _logarithmic(name: Words, light: Words) -> Words:
    return Words(
        f"{name}: its DPX header says {light}, which is read as if it were video: grade it first, "
        "or keep it as it is",
        f"{name.zh}：DPX 文件头标为{light.zh}，此处按视频读取：请先调色，或原样保存",
    )


def _silent(index: int, found: Mapping[str, Any]) -> Words:
    name = track_name("audio", index)
    if any(line.startswith(f"stream {index} : {_NOT_AT_START}") for line in found["log"]):
        return Words(
            f"{name} is not there where the file begins, and is left out: if it comes later, cut "
            "the file there to have it",
            f"文件开头没有{name.zh}，未予采用：若在中途出现，请在该处切开文件",
        )
    return Words(f"{name} cannot be decoded and is left out", f"{name.zh} 无法解码，未予采用")


def _disagree(stream: Sequence[int], frame: Sequence[int]) -> bool:
    pairs = zip(_named_values(stream), _named_values(frame), strict=True)
    return any(one != other for one, other in pairs if one and other)


def _named_values(codes: Sequence[int]) -> tuple[str | None, ...]:
    colour = _named(codes)
    return (colour.primaries, colour.transfer, colour.matrix, colour.range)


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)
