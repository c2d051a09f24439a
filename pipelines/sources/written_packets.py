"""The packets of a file that a confined tool wrote, which nobody vouches for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from pipelines.sources.containers import GUARD_OPTIONS


def picture_packets(path: Path) -> Iterator[Any]:
    """Those of its picture that have bytes, in the order of decoding; none is decoded here."""
    with av.open(str(path), options=dict(GUARD_OPTIONS)) as container:
        assert isinstance(container, InputContainer)
        yield from (packet for packet in container.demux(video=0) if packet.size)
