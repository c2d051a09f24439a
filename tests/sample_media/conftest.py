"""Small copies of every sample, made once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sample_media.generate import generate, samples
from tests.sample_media.reading import HEIGHT, SECONDS


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a sample at 180 lines and two seconds (a quarter for film frames), once."""
    folder = tmp_path_factory.mktemp("samples")

    def make(name: str) -> Path:
        path = folder / samples()[name].file
        seconds = 0.25 if name == "dpx_sequence" else SECONDS
        return path if path.exists() else generate(name, folder, seconds=seconds, height=HEIGHT)

    return make
