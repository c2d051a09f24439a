"""Tracks of a recording that are not there where it begins: ffmpeg reads those of the beginning
alone. A channel gives a track another PID, or has a second sound for one programme of an evening.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from pipelines.inspection.decoder_words import DecoderWords
from pipelines.media import LaterTrack, MediaInfo
from pipelines.progress import Progress
from pipelines.sources.ask_stream import ask_later
from pipelines.sources.track_names import NO_DECODER, track_kind, track_name
from pipelines.words import Words, zh_of

_KINDS = {"video": "picture", "beside": "second picture", "audio": "sound"}
_MOST_PLACES = 50  # [P] each takes a look at some megabytes


def later_tracks(
    path: Path, info: MediaInfo, words: DecoderWords
) -> Generator[Progress, None, tuple[LaterTrack, ...]]:
    """Each once, by where it begins. Raises as `run` does.

    Of tracks that begin together ffmpeg names the one whose packet comes first, so a transport
    stream is asked again at those places.
    """
    found = [
        LaterTrack("picture", track_name("video", track.index, track.codec))
        for track in (info.video if len(info.video) > 1 else ())
        if track.index in words.absent
    ]
    if info.format_name != "mpegts":
        found += [_track(kind, track_name(kind, index), at) for kind, index, at in words.later]
    elif words.later:
        places = [at for _, _, at in words.later][:_MOST_PLACES]
        told = yield from ask_later(path, places)
        found += [_track(kind, _by_pid(kind, codec, pid), at) for kind, codec, pid, at in told]
    return tuple(found)


def _track(kind: str, name: Words, at: int) -> LaterTrack:
    return LaterTrack(_KINDS.get(kind, kind), name, at)


def _by_pid(kind: str, codec: str | None, pid: int) -> Words:
    name, coded = track_kind(kind), codec or NO_DECODER
    return Words(f"{name} ({coded}, PID {pid})", f"{name.zh}（{zh_of(coded)}，PID {pid}）")
