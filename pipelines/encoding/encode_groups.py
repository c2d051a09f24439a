"""Which rungs are encoded together: all from one decode, as long as its memory allows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipelines.encoding.rung_tree import chunk_files, lay_out
from pipelines.media import VideoTrack
from pipelines.planning.memory import encode_bytes
from pipelines.planning.plan_types import Plan
from pipelines.words import Words, joined

# [P] What one process may hold, however much its machine has: workers of 16 GB take one such step
# at a time, and what is divided is shared among several.
MOST_BYTES = 8_000_000_000


def divided(plan: Plan, source: VideoTrack | None, cores: int, limit_bytes: int) -> Plan:
    """The plan with its rungs in groups whose encodes are foreseen to fit, the largest rungs first.

    One that does not fit by itself is alone. Each group decodes the source again.
    """
    if source is None:
        return plan
    groups = list(_groups(plan, source, cores, min(limit_bytes, MOST_BYTES)))
    if len(groups) < 2:
        return plan
    told = joined(map(joined, groups), "; ", "；")
    why = Words(
        f"encoded in {len(groups)} groups, for less memory each: {told}",
        f"为减少每次所用内存，分 {len(groups)} 组编码：{told.zh}",
    )
    return replace(plan, together=tuple(groups), decisions=(*plan.decisions, why))


def groups_of(plan: Plan) -> tuple[Plan, ...]:
    """Of each group the plan that has its rungs alone; of a plan without pictures none."""
    pictures = tuple(rung.profile for rung in plan.rungs if rung.video)
    return tuple(_only(plan, group) for group in plan.together or (pictures,) if group)


def group_with(plan: Plan, profile: str) -> Plan:
    """The plan of the group in which that rung's picture is made."""
    return next(
        group for group in groups_of(plan) if any(rung.profile == profile for rung in group.rungs)
    )


def _only(plan: Plan, profiles: tuple[str, ...]) -> Plan:
    """Rungs whose CRF follows no score have no steering, and wait for none."""
    rungs = tuple(rung for rung in plan.rungs if rung.profile in profiles)
    steered = plan.steering and not set(profiles).isdisjoint(plan.steering.profiles)
    return replace(plan, rungs=rungs, steering=plan.steering if steered else None)


def _groups(
    plan: Plan, source: VideoTrack, cores: int, limit_bytes: int
) -> Iterator[tuple[str, ...]]:
    longest = max(plan.chunks, key=lambda chunk: chunk.frames)
    group: tuple[str, ...] = ()
    for same in _pictures(plan):
        more = (*group, *same)
        if group and encode_bytes(source, _only(plan, more), longest, cores) > limit_bytes:
            yield group
            group = same
        else:
            group = more
    if group:
        yield group


def _pictures(plan: Plan) -> Iterator[tuple[str, ...]]:
    """The rungs that share a file, largest first; copies need no memory and lead."""
    files = chunk_files(plan, Path())
    yield tuple(rung.profile for rung in plan.rungs if rung.video and rung.video.copied)
    for branch in lay_out(plan, Path()):
        yield tuple(profile for profile, path in files.items() if path == branch.path)
