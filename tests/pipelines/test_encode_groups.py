"""A ladder whose one decode would take too much memory is encoded in groups of rungs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.encoding.encode_groups import MOST_BYTES, divided, group_with, groups_of
from pipelines.encoding.graph import compose
from pipelines.media import VideoTrack
from pipelines.planning.memory import encode_bytes, look_bytes, score_bytes
from pipelines.planning.plan import Plan, plan
from pipelines.profiles.profile import ladder, profile
from tests.pipelines.sources import UHD, described

UHD_2 = replace(UHD, width=7680, height=4320)
CORES = (2, 16, 64)


def of_ladder(picture: VideoTrack, name: str) -> Plan:
    info, seen = described(picture, frames=100)
    return plan(info, seen, [profile(one) for one in ladder(name).profiles])


def held(made: Plan, picture: VideoTrack, cores: int) -> int:
    return encode_bytes(picture, made, made.chunks[0], cores)


@pytest.mark.parametrize("codec", ["hevc", "h264"])
def test_a_4320p_rung_is_foreseen_below_8_gb_whatever_the_cores(codec: str) -> None:
    """In all steps; held were 7.6, 1.6 and 3.2 GB (decision 16)."""
    picture = replace(UHD_2, codec=codec)
    info, seen = described(picture, frames=100)
    made = plan(info, seen, [profile("cn8k-hevc-hlg")])
    (foreseen,) = {held(made, picture, cores) for cores in CORES}
    assert 7e9 < foreseen < MOST_BYTES
    (looking,) = {look_bytes(picture, cores) for cores in CORES}
    assert 1e9 < looking < 2e9
    videos = [rung.video for rung in made.rungs if rung.video]
    (scoring,) = {score_bytes(picture, videos, (7680, 4320), cores) for cores in CORES}
    assert 2.5e9 < scoring < 4e9


def test_large_pictures_are_decoded_and_encoded_with_threads_of_their_own_count() -> None:
    made = of_ladder(UHD_2, "cn-uhd-8k")
    argv = compose(Path("/s.mov"), made, made.chunks[0], Path("/out"))
    assert argv[argv.index("-threads") + 1] == "4"
    assert argv.index("-threads") < argv.index("-i")
    sent = [words for words in argv if words.startswith("keyint=")]
    own = ["frame-threads=1:bframes=3" in words for words in sent]
    assert own == [True, False]
    small = of_ladder(UHD, "cn-uhd-zone")
    argv = compose(Path("/s.mov"), small, small.chunks[0], Path("/out"))
    assert "-threads" not in argv
    assert not any("frame-threads" in words for words in argv)


@pytest.mark.parametrize("cores", CORES)
def test_a_ladder_that_needs_more_memory_is_encoded_in_groups(cores: int) -> None:
    """The largest by itself, the others from a second decode; the plan says so."""
    whole = of_ladder(UHD_2, "cn-uhd-8k")
    assert held(whole, UHD_2, cores) > MOST_BYTES
    made = divided(whole, UHD_2, cores, 64 * MOST_BYTES)
    assert made.together[0] == ("cn8k-hevc-hlg",)
    assert sorted(name for group in made.together for name in group) == sorted(
        rung.profile for rung in whole.rungs
    )
    assert all(held(group, UHD_2, cores) <= MOST_BYTES for group in groups_of(made))
    assert made.decisions[-1].startswith(f"encoded in {len(made.together)} groups")
    alone = [rung.profile for rung in group_with(made, "cn8k-hevc-hlg").rungs]
    assert alone == ["cn8k-hevc-hlg"]


def test_a_ladder_that_fits_is_encoded_from_one_decode() -> None:
    whole = of_ladder(UHD, "cn-uhd-zone")
    assert divided(whole, UHD, 2, MOST_BYTES) == whole
    (group,) = groups_of(whole)
    assert group.rungs == whole.rungs


def test_a_small_machine_has_more_groups_and_no_rung_is_lost() -> None:
    """What does not fit by itself is alone; equal pictures stay together, as they are one file."""
    whole = of_ladder(UHD, "cn-uhd-zone")
    copy = replace(whole.rung("hd-avc-sdr"), profile="hd-copy")
    whole = replace(whole, rungs=(*whole.rungs, copy))
    made = divided(whole, UHD, 2, 100_000_000)
    assert made.together[:2] == (("cn4k-hevc-hlg",), ("hd-avc-sdr", "hd-copy"))
    assert sum(len(group) for group in made.together) == len(whole.rungs)
