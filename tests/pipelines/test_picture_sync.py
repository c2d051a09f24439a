"""Frames that look like another frame of the source are found, and only those."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.picture_sync import misplaced
from pipelines.samples import THUMB_HEIGHT, THUMB_WIDTH, Pictures
from tests.pipelines.handmade import PLAN, VIDEO

COUNT = 26
SHIFTED = [f"frame {at} shows source frame {at + 1}, planned {at}" for at in range(3)]


def moving() -> Pictures:
    """Blocks of grey that pass by, two samples a frame."""
    grey = np.random.default_rng(1).integers(40, 200, (THUMB_HEIGHT // 5, 60))
    wide = np.kron(grey, np.ones((5, 5))).astype(np.float32)
    return {at: wide[:, 2 * at : 2 * at + THUMB_WIDTH].copy() for at in range(COUNT)}


def noisy(pictures: Pictures, deviation: float) -> Pictures:
    chance = np.random.default_rng(2)
    return {
        at: (picture + chance.normal(0, deviation, picture.shape)).astype(np.float32)
        for at, picture in pictures.items()
    }


@pytest.mark.parametrize("deviation", [0.0, 1.5, 10.0])
def test_a_shift_by_one_frame_is_found_in_exact_and_in_noisy_copies(deviation: float) -> None:
    """A lossless copy has no distance at all, which is no more than the usual one."""
    source = moving()
    late = {at: source[at + 1] for at in range(COUNT - 1)}
    assert misplaced(VIDEO, PLAN, noisy(late, deviation), source) == SHIFTED


def test_one_flat_picture_does_not_hide_a_shift() -> None:
    """Where all is black beside white, a running sum ended below zero: its root is no number."""
    source = moving()
    source[12] = np.zeros((THUMB_HEIGHT, THUMB_WIDTH), np.float32)
    source[12][:, 20:40] = 235.37
    late = {at: source[at + 1] for at in range(COUNT - 1)}
    assert misplaced(VIDEO, PLAN, noisy(late, 1.5), source) == SHIFTED


@pytest.mark.parametrize("deviation", [0.0, 1.5, 10.0])
def test_what_stands_in_its_place_is_not_told(deviation: float) -> None:
    """However coarsely it is coded."""
    assert misplaced(VIDEO, PLAN, noisy(moving(), deviation), moving()) == []


def test_the_end_of_a_fade_says_nothing() -> None:
    """Of a picture at 4 % a coder leaves flat blocks, which look like no frame of the source."""
    pictures = moving()
    dark = {at: np.rint(16 + 0.03 * pictures[at]) for at in pictures}
    flat = {at: np.rint(dark[at] / 8) * 8 for at in dark}
    assert misplaced(VIDEO, PLAN, flat, dark) == []


def test_a_still_scene_says_nothing() -> None:
    """Every frame fits everywhere."""
    still = dict.fromkeys(range(COUNT), moving()[0])
    assert misplaced(VIDEO, PLAN, still, still) == []
