"""A rendition has every subtitle at its time: what was moved, cut or lost on the way is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.errors import VerificationFailed
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.subtitles.subtitle_tracks import encode_subtitles
from pipelines.verification.subtitle_times import copied_subtitles, joined_subtitles
from tests.pipelines.made import made_of
from tests.pipelines.sources import verified
from tests.pipelines.subtitle_samples import subtitled, words

MOBILE, ARCHIVE = profile("mobile-540p"), profile("archive-ffv1")
SAID = [("00:00:00,500", "00:00:01,500", "one"), ("00:00:02,000", "00:00:03,000", "two")]
LATE = [("00:00:00,500", "00:00:01,500", "one"), ("00:00:02,040", "00:00:03,040", "two")]
LONG = [("00:00:00,500", "00:00:01,540", "one"), ("00:00:02,000", "00:00:03,000", "two")]


def source_of(folder: Path, said: Sequence[tuple[str, str, str]]) -> Path:
    folder.mkdir()
    return subtitled(folder / "a.mkv", [words(folder / "a.srt", said)], "-c:s", "copy")


@pytest.mark.media
def test_what_a_join_moved_lost_or_cut_is_seen(tmp_path: Path) -> None:
    """By 40 ms, in MP4 and in Matroska, where nothing is the matter with the words."""
    right = source_of(tmp_path / "right", SAID)
    made, files = made_of(right, right.parent, [MOBILE, ARCHIVE])
    for name, said, fault in (
        ("late", LATE, "packet 1 is at 2.000 s for 1.000 s"),
        ("long", LONG, "packet 0 is at 0.500 s for 1.000 s"),
        ("more", [*SAID, ("00:00:03,200", "00:00:03,500", "3")], "it has 2 packets, 3 were made"),
    ):
        other = source_of(tmp_path / name, said)
        tracks = finish(encode_subtitles(other, made, other.parent)).files
        for rung in made.rungs:
            (planned,) = rung.subtitles
            joined = joined_subtitles(files[rung.profile], rung, [tracks[planned.key]])
            (found,) = finish(joined)
            assert found.startswith(f"subtitle track 0: {fault}")


@pytest.mark.media
def test_a_copy_that_is_not_at_the_sources_times_is_refused(tmp_path: Path) -> None:
    """By whatever: here the source has another second cue, and one more."""
    right = source_of(tmp_path / "right", SAID)
    made, files = made_of(right, right.parent, [ARCHIVE])
    (rung,), copy = made.rungs, files["archive-ffv1"]
    assert rung.subtitles[0].copied
    proof = finish(copied_subtitles(copy, rung, made, right))
    assert (proof.faults, bool(proof.argv)) == ((), True)
    for name, said, fault in (
        ("late", LATE, "packet 1 is at 2.000 s, due at 2.040 s"),
        ("more", [*SAID, ("00:00:03,200", "00:00:03,500", "3")], "it has 2 packets, the source 3"),
    ):
        other = source_of(tmp_path / name, said)
        proof = finish(copied_subtitles(copy, rung, made, other))
        assert proof.faults == (f"subtitle track 0: {fault}",)
        with pytest.raises(VerificationFailed, match="disagrees with its plan: not copied: subtit"):
            verified(copy, rung, made, other)
