"""Encode a chunk at the CRFs that earlier ones led to, and score its window for later ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.encoding.cut import Master
from pipelines.encoding.encode import EncodedChunk, encode
from pipelines.errors import MediaError, ToolFailed, ToolKilled, ToolStalled
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.memory import encode_bytes
from pipelines.planning.plan_types import Chunk, Plan, Probe
from pipelines.progress import Progress, part
from pipelines.quality.measure import measured_together, together_bytes
from pipelines.quality.probing import probe_part
from pipelines.quality.steering import is_worth_again, steered, window_in

log = logging.getLogger(__name__)
_SCORING = 0.05  # share of the time: a second of the six and more that were encoded


@dataclass(frozen=True, slots=True)
class SteeredChunk:
    """What was encoded, and what of it was scored for the chunks to come.

    `seconds` were spent on that, and on an encode whose files are not these.
    """

    encoded: EncodedChunk
    probes: tuple[Probe, ...] = ()
    seconds: float = 0.0


def encode_steered(
    source: Master,
    made: Plan,
    chunk: Chunk,
    info: MediaInfo,
    inspection: Inspection,
    seen: Sequence[Probe],
    folder: Path,
) -> Generator[Progress, None, SteeredChunk]:
    """`encode`, of a plan that may have a steering; `seen` are the probes of the chunks before.

    A first chunk that scored far below its target is encoded once more, by its own score. A window
    that cannot be scored is no failure: later chunks then rest on the others.
    """
    if made.steering is None or info.picture is None:
        return SteeredChunk((yield from encode(source, made, chunk, folder)))
    began = time.monotonic()
    plan = steered(made, info.picture, inspection, seen)
    one = yield from _scored_chunk(source, plan, chunk, info, folder)
    after = steered(made, info.picture, inspection, [*seen, *one.probes])
    if not is_worth_again(made, after, chunk, one.probes):
        return one
    spent = time.monotonic() - began
    log.info("encoding %s again, which scored far below its target", chunk)
    again = _scored_chunk(source, after, chunk, info, folder)
    better = yield from part(again, 1.0, 1.0, "encoding again, for its target")
    # Where the second cannot be scored, nothing is known of what is kept.
    probes = (*one.probes, *better.probes) if better.probes else ()
    return replace(better, probes=probes, seconds=spent + better.seconds)


def _scored_chunk(
    source: Master, plan: Plan, chunk: Chunk, info: MediaInfo, folder: Path
) -> Generator[Progress, None, SteeredChunk]:
    window = window_in(plan, chunk)
    if window is None:
        return SteeredChunk((yield from encode(source, plan, chunk, folder)))
    encoding = encode(source, plan, chunk, folder, keep_part=True)
    encoded = yield from part(encoding, 0.0, 1 - _SCORING, "encoding")
    if encoded.part is None:  # the whole source was decoded for it: so it would be once more
        return SteeredChunk(encoded)
    began = time.monotonic()
    scoring = _scored(plan, encoded, chunk, window, info, folder)
    try:
        probes = yield from part(scoring, 1 - _SCORING, 1.0, "scoring")
    except (ToolKilled, ToolStalled):
        raise
    except (ToolFailed, MediaError) as error:
        log.warning("what was encoded of %s could not be scored: %s", chunk, error)
        probes = ()
    finally:
        encoded.part.unlink(missing_ok=True)
    seconds = time.monotonic() - began
    return SteeredChunk(replace(encoded, part=None), probes, seconds)


def steered_bytes(made: Plan, chunk: Chunk, info: MediaInfo, cores: int) -> int:
    """The most memory that `encode_steered` is foreseen to hold at once."""
    assert info.picture is not None, "a plan with chunks comes from a source with a picture"
    encoding = encode_bytes(info.picture, made, chunk, cores)
    if window_in(made, chunk) is None:
        return encoding
    groups = measured_together(_steered_rungs(made).rungs, info)
    scoring = (together_bytes(group, info.picture, cores) for group in groups)
    return max([encoding, *scoring])


def _scored(
    made: Plan, encoded: EncodedChunk, chunk: Chunk, window: Chunk, info: MediaInfo, folder: Path
) -> Generator[Progress, None, tuple[Probe, ...]]:
    assert encoded.part is not None, "looked at before"
    probes: list[Probe] = []
    for group in measured_together(_steered_rungs(made).rungs, info):
        alone = replace(made, rungs=group)
        probes += yield from probe_part(
            encoded.part, alone, info, chunk, window, encoded.files, folder
        )
    return tuple(probes)


def _steered_rungs(made: Plan) -> Plan:
    """Those of the plan's rungs, which may be a group of them, whose CRF follows the scores."""
    names = made.steering.profiles if made.steering else ()
    return replace(made, rungs=tuple(rung for rung in made.rungs if rung.profile in names))
