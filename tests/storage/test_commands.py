"""Commands are kept small and come back word for word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.encoding.graph import compose
from pipelines.media import Shot
from pipelines.planning.plan import plan
from pipelines.profiles.profile import profile
from storage.catalogue.commands import packed, unpacked
from storage.ids import new_id
from tests.pipelines.sources import STEREO, UHD, described

CHUNKS = 600


def chunk_commands() -> list[list[str]]:
    """Of three hours of UHD, as 600 steps run them, each in a folder of its own."""
    shots = tuple(Shot(at * 900, (at + 1) * 900, 0.1) for at in range(CHUNKS))
    info, seen = described(UHD, [STEREO], frames=CHUNKS * 900, shots=shots)
    names = ("cn4k-hevc-hlg", "hd-avc-sdr", "mobile-720p", "review-proxy")
    made = plan(info, seen, [profile(name) for name in names])
    assert len(made.chunks) == CHUNKS
    return [
        compose(Path(f"/scratch/{new_id('stp')}/frames.mkv"), made, chunk, Path("/scratch/made"))
        for chunk in made.chunks
    ]


def test_the_commands_of_many_chunks_are_a_tenth_and_the_same() -> None:
    commands = [*chunk_commands(), ["ffmpeg", "-i", "join"], ["ffmpeg", "-i", "verify"], ["x"]]
    kept = packed(commands)
    assert len(json.dumps(kept)) * 10 < len(json.dumps(commands))
    assert unpacked(json.loads(json.dumps(kept))) == commands


@pytest.mark.parametrize(
    "commands",
    [
        [],
        [["ffmpeg", "-i", "a.mov"]],
        [["ffmpeg", ""], ["ffmpeg", ""]],
        [["a", "x=1:y=2"], ["a", "x=1:y=3"], ["b", "x=9:y=2"]],
        [["a", "1"], ["a", "1", "2"], ["a", "木棉-1"], ["a", "木棉-2"]],
        [["a", "[0:v]trim=0:10[s0]"], ["a", "[0:v]trim=10:20[s0]"], ["a", "{}"], ["a", "null"]],
    ],
)
def test_every_word_comes_back(commands: list[list[str]]) -> None:
    assert unpacked(json.loads(json.dumps(packed(commands)))) == commands


def test_what_was_kept_before_is_read() -> None:
    """Rows of earlier versions hold nothing but whole commands."""
    old = [["ffmpeg", "-i", "1"], ["ffmpeg", "-i", "2"]]
    assert unpacked(old) == old
