"""The demo's JSON object: ffprobe's names for colour, paths relative to `keep`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]
Read = Mapping[str, Any]
COLOUR_KEYS = {
    "color_range": "range",
    "color_primaries": "primaries",
    "color_transfer": "transfer",
    "color_space": "matrix",
}
PICTURE_KEYS = ("codec", "width", "height", "frame_rate", "frames", "pix_fmt")


def compose(
    file: Path,
    keep: Path,
    asset: Read,
    refused: Sequence[Read],
    files: Read,
    publication: Read,
    pulled: Sequence[Read],
    declared: Mapping[str, str],
    timings_s: Mapping[str, float],
) -> Record:
    """Everything that was made, from the API's records; nothing is computed here."""
    posters = [{key: item[key] for key in POSTER_KEYS} for item in files["posters"]]
    return {
        "asset": {key: asset[key] for key in ("id", "sha256", "state", "title")},
        "declared_checksums": dict(declared),
        "source": source(file, asset["source"]),
        "renditions": [rendition(item) for item in files["renditions"]],
        "refused": [dict(refusal) for refusal in refused],
        "posters": posters,
        "storyboard": files["storyboard"],
        "packages": files["packages"],
        "publication": {
            "id": publication["id"],
            "zone": publication["zone"],
            "manifest": publication["manifest_path"],
        },
        "pulled": [dict(item) for item in pulled],
        "keep": str(keep.absolute()),
        "timings_s": dict(timings_s),
    }


POSTER_KEYS = ("path", "width", "height", "time_s")


def source(file: Path, record: Read) -> Record:
    return {
        "path": str(file.absolute()),
        **{key: record.get(key) for key in PICTURE_KEYS},
        **colour(record.get("colour")),
        "duration_s": record["duration_s"],
        "audio_tracks": len(record["audio"]),
    }


def rendition(record: Read) -> Record:
    facts = record["facts"]
    return {
        **{key: record[key] for key in ("id", "profile", "state", "path", "sha256", "size_bytes")},
        **{key: facts.get(key) for key in PICTURE_KEYS},
        **colour(facts.get("colour") if facts.get("width") else None),
        "duration_s": facts["duration_s"],
        "bitrate_bps": facts["bitrate_bps"],
        "audio": [dict(track) for track in facts["audio"]],
        "command": record["commands"],
        "tools": record["tools"],
        "measurements": [dict(measurement) for measurement in record["measurements"]],
    }


def colour(record: Read | None) -> Record:
    return {key: (record or {}).get(name) for key, name in COLOUR_KEYS.items()}
