"""Which pages of DVB teletext a transport stream says are subtitles, by ffprobe.

Its tables have a language, a type and a number of each (ETSI EN 300 468, 6.2.43); PyAV, which has
no decoder for them, tells of none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.sources.ask_ffprobe import ask_ffprobe
from pipelines.sources.track_names import NO_DECODER, track_name
from pipelines.words import Words, joined

_SUBTITLES, _FOR_THE_DEAF = 0x02, 0x05  # EN 300 468, table 105
_DUMPED = re.compile(r"^[0-9a-f]{8}: ((?:[0-9a-f]{2,4} )+)", re.MULTILINE)


def read_teletext(
    path: Path, tracks: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], list[Words]]:
    """Of `tracks` (of `probe_child`) each page of subtitles as a track, and the names of the rest.

    Raises as `capture` does.
    """
    entries = "stream=id,codec_name,extradata:stream_tags=language"
    told = ask_ffprobe(path, "-show_entries", entries, "-show_data")
    known = {int(one["id"], 16): one for one in told.get("streams", []) if "id" in one}
    found: list[Mapping[str, Any]] = []
    left_out: list[Words] = []
    for track in tracks:
        said = known.get(track["id"], {})
        pages = list(_pages(said)) if said.get("codec_name") == "dvb_teletext" else []
        subtitles = [one for one in pages if one["kind"] in (_SUBTITLES, _FOR_THE_DEAF)]
        found += [{**track, **_marks(one)} for one in subtitles]
        if others := [one for one in pages if one not in subtitles]:
            index, named = track["index"], joined(map(_named, others))
            left_out.append(
                Words(
                    f"teletext of track {index} (page {named})",
                    f"轨 {index} 的图文电视（{named.zh} 页）",
                )
            )
        elif not subtitles:
            left_out.append(track_name("subtitle", track["index"], _codec(said)))
    return found, left_out


def _codec(said: Mapping[str, Any]) -> str:
    name = said.get("codec_name", "")
    return NO_DECODER if name in ("", "unknown") else str(name)


def _named(page: Mapping[str, Any]) -> str:
    return f"{page['page']} {page['language']}".strip()


def _marks(page: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "codec": "dvb_teletext",
        "page": page["page"],
        "language": page["language"],
        "hearing_impaired": page["kind"] == _FOR_THE_DEAF,
    }


def _pages(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Two bytes each as ffmpeg keeps them: the type, the magazine (0 is 8), and two digits."""
    dumped = "".join(_DUMPED.findall(said.get("extradata", "")))
    coded = bytes.fromhex(dumped)
    languages = said.get("tags", {}).get("language", "").split(",")
    for number in range(len(coded) // 2):
        first, last = coded[2 * number : 2 * number + 2]
        tens, units = last >> 4, last & 15
        if max(tens, units) < 10:  # others are no pages that anybody could choose
            yield {
                "kind": first >> 3,
                "page": 100 * (first & 7 or 8) + 10 * tens + units,
                "language": languages[number] if number < len(languages) else "",
            }
