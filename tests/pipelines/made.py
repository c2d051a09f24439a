"""Every rendition of a small source, by the steps of a job, each of them verified."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.media import SubtitleTrack
from pipelines.planning.plan import Plan
from pipelines.profiles.profile import Profile
from pipelines.progress import finish
from pipelines.sound.audio import encode_audio
from pipelines.subtitles.subtitle_tracks import encode_subtitles
from tests.pipelines.sources import planned, verified


def made_of(
    source: Path, folder: Path, profiles: Sequence[Profile], beside: Sequence[SubtitleTrack] = ()
) -> tuple[Plan, dict[str, Path]]:
    """Every rendition of a source and the subtitles beside it, each of which has been verified."""
    made = planned(source, profiles, folder, beside)
    (chunk,) = made.chunks
    pictures = finish(encode_chunk(source, made, chunk, folder)).files
    sounds = finish(encode_audio(source, made, folder)).files
    texts = finish(encode_subtitles(source, made, folder)).files
    files = {}
    for rung in made.rungs:
        tracks = [sounds[one.key] for one in rung.audio] + [
            texts[one.key] for one in rung.subtitles
        ]
        out = folder / f"out.{rung.profile}.{rung.container}"
        finish(join(rung, [pictures[rung.profile]], tracks, out, made))
        verified(out, rung, made, source)
        files[rung.profile] = out
    return made, files
