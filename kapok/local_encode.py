"""Encode on this machine, with no service: every rung joined, verified, named and scored."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kapok.errors import Usage
from kapok.language import t, told
from kapok.local import Show, follow
from kapok.names import as_json, readable
from kapok.ways_out import of_system, there_already, way_out
from pipelines.errors import KapokError
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.plan_types import Plan, Probe, Rung
from pipelines.running.durable import sync, sync_names

if TYPE_CHECKING:
    from pipelines.encoding.encode import EncodedChunk
    from pipelines.facts import Measurement, RenditionFacts
    from pipelines.inspection.thumbs import Thumbs
    from pipelines.quality.measure import Scored, Scores
    from pipelines.subtitles.subtitle_tracks import EncodedSubtitles

_NAME_BYTES = 255  # NAME_MAX of Linux's file systems


@dataclass(frozen=True, slots=True)
class FailedRung:
    """A rung of an encode that left no file, or only no scores (`kept`), and why."""

    profile: str
    code: str
    detail: str
    kept: bool = False


class RungsFailed(KapokError):
    """Some rungs of an encode failed, after all others were finished."""

    code = "job_failed"

    def __init__(self, message: str, failed: Sequence[FailedRung]) -> None:
        super().__init__(message)
        self.failed = tuple(failed)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One finished rendition on this machine, with all that proves it."""

    rung: Rung
    path: Path
    facts: RenditionFacts
    measurements: tuple[Measurement, ...]
    commands: tuple[tuple[str, ...], ...]

    def record(self) -> dict[str, Any]:
        from pipelines.records import to_json
        from pipelines.running import tools

        decision = self.rung.video and self.rung.video.colour_decision
        return {
            "profile": self.rung.profile,
            "profile_version": self.rung.profile_version,
            "colour_decision": to_json(decision, said=told) if decision else None,
            "path": str(self.path),
            "facts": to_json(self.facts),
            "measurements": [to_json(measurement) for measurement in self.measurements],
            "commands": [list(argv) for argv in self.commands],
            "tools": tools.versions(),
        }


@dataclass(frozen=True, slots=True)
class Work:
    """One source being encoded here; `begin` names a stage and gives the place for its progress."""

    source: Path
    info: MediaInfo
    inspection: Inspection
    plan: Plan
    thumbs: Thumbs | None
    output: Path
    scratch: Path
    begin: Callable[[str], Show]
    score: bool
    overwrite: bool = False

    def target(self, rung: Rung) -> Path:
        return _place(self.output, self.source, rung.profile, rung.container)

    def folder(self, name: str) -> Path:
        made = self.scratch / name
        made.mkdir(parents=True)
        return made


def refuse_names(
    source: Path, output: Path, wanted: Sequence[str] | str | None, *, overwrite: bool
) -> None:
    """What `encode` says of names, before hours of inspection. Raises `Usage` and `UnknownProfile`.

    Of profiles that are asked for one by one: of a ladder the plan may leave some out.
    """
    from pipelines.profiles.profile import profile

    if wanted is None or isinstance(wanted, str):
        return
    for one in map(profile, wanted):
        _refuse(_place(output, source, one.name, one.container), overwrite=overwrite)


def with_parts_that_decode(work: Work) -> Work:
    """`pipelines.encoding.encode.with_parts_that_decode` of its plan."""
    from pipelines.encoding.cut import LocalFile
    from pipelines.encoding.encode import with_parts_that_decode as settled

    if len(work.plan.chunks) <= 1:
        return work
    show = work.begin(t("looking at a part", "检查能否分段读取"))
    looking = settled(LocalFile(work.source), work.plan, work.folder("look"))
    return replace(work, plan=follow(looking, show))


@dataclass(frozen=True, slots=True)
class Pieces:
    """The encoded streams of one rung and the commands that made them."""

    pictures: tuple[Path, ...]
    tracks: tuple[Path, ...]
    commands: tuple[tuple[str, ...], ...]


class _Failures:
    """The rungs of an encode that failed."""

    def __init__(self) -> None:
        self.rungs: list[FailedRung] = []

    @contextmanager
    def of(self, *rungs: Rung, kept: bool = False) -> Iterator[None]:
        """A failure of these rungs ends the block and nothing else."""
        try:
            yield
        except (KapokError, OSError) as error:
            fault = of_system(error) if isinstance(error, OSError) else error
            self.rungs += [FailedRung(one.profile, fault.code, fault.detail, kept) for one in rungs]

    def has(self, *rungs: Rung) -> bool:
        return not {one.profile for one in rungs}.isdisjoint(one.profile for one in self.rungs)


def encode(work: Work) -> Iterator[Encoded]:
    """Every rung of the plan from one decode; each is joined and verified, named, and then scored.

    What is scored together comes together. A rung that disagrees with its plan leaves no file, nor
    do those of a group that cannot be encoded, where there are several; one that cannot be scored
    leaves a file without scores. None stops the others; after the last one `RungsFailed` tells of
    all that failed. Raises `Usage` before the work where a file is there
    already, unless it is to be overwritten.
    """
    for path in map(work.target, work.plan.rungs):
        _refuse(path, overwrite=work.overwrite)
    failures = _Failures()
    pieces = _encode_all(work, failures)
    for group in _groups(work):
        named: dict[str, Encoded] = {}
        for rung in (one for one in group if one.profile in pieces):
            with failures.of(rung):
                named[rung.profile] = _named(work, _verified(work, rung, pieces[rung.profile]))
        pairs = _to_score(work, named.values())
        with failures.of(*(rung for rung, _ in pairs), kept=True):
            scored = _score(work, pairs)
            for rung, _ in pairs:
                with failures.of(rung, kept=True):
                    one = _with_scores(work, named[rung.profile], scored.of(rung.profile))
                    named[rung.profile] = one
        yield from named.values()
    if failures.rungs:
        raise RungsFailed(_told(work, failures.rungs), failures.rungs)


def _groups(work: Work) -> list[tuple[Rung, ...]]:
    """What is scored together, and alone what has no scores, each where its first rung stands."""
    from pipelines.quality.measure import measured_together

    rungs = work.plan.rungs
    groups = measured_together(rungs, work.info) if work.score else ()
    scored = {rung.profile for group in groups for rung in group}
    alone = [(rung,) for rung in rungs if rung.profile not in scored]
    return sorted([*groups, *alone], key=lambda group: rungs.index(group[0]))


def _told(work: Work, failed: Sequence[FailedRung]) -> str:
    lines = [
        f"{rung.profile} ({rung.code}): {way_out(rung.code, rung.detail)}{rung.detail}"
        for rung in failed
    ]
    lost = [rung for rung in failed if not rung.kept]
    if done := len(work.plan.rungs) - len(lost):
        others = t(
            f"verified and finished in {work.output}: {done} of {len(work.plan.rungs)} renditions",
            f"已校验并完成的成品：{len(work.plan.rungs)} 个中的 {done} 个，位于 {work.output}",
        )
        lines.append(others)
    return "\n".join(lines)


def _encode_all(work: Work, failures: _Failures) -> dict[str, Pieces]:
    """By profile, of all that did not fail."""
    from pipelines.sound.audio import encode_audio

    plan = work.plan
    text = _subtitles(work)  # before the pictures: a file of subtitles may be refused
    chunks = _encode_pictures(work, failures)
    title = t("encoding sound", "编码声音")
    sound = follow(encode_audio(work.source, plan, work.folder("audio")), work.begin(title))
    made = {}
    for rung in (one for one in plan.rungs if not failures.has(one)):
        mine = [chunk for chunk in chunks if rung.profile in chunk.files]
        heard = (sound.argv,) if rung.audio else ()
        read = text.commands if rung.subtitles else ()
        pictures = tuple(chunk.files[rung.profile] for chunk in mine)
        tracks = (
            *(sound.files[track.key] for track in rung.audio),
            *(text.files[track.key] for track in rung.subtitles),
        )
        commands = (*(chunk.argv for chunk in mine), *heard, *read)
        made[rung.profile] = Pieces(pictures, tracks, commands)
    return made


def _encode_pictures(work: Work, failures: _Failures) -> list[EncodedChunk]:
    """In the order of the chunks, those that steer the others being encoded first.

    One command makes a chunk of all rungs of a group, and what ends it stops no other group.
    """
    from pipelines.encoding.cut import LocalFile
    from pipelines.encoding.encode_groups import groups_of
    from pipelines.quality.steered_encode import encode_steered
    from pipelines.quality.steering import in_order

    ordered = [chunk for wave in in_order(work.plan) for chunk in wave]
    groups = groups_of(work.plan)
    parts = list(product(ordered, groups))
    probes: list[Probe] = []
    made: list[tuple[int, EncodedChunk]] = []
    for number, (chunk, group) in enumerate(parts):
        if failures.has(*group.rungs):
            continue
        count = len(group.rungs)
        title = t(f"encoding {count} renditions", f"编码 {count} 个成品")
        if len(parts) > 1:
            title += f" ({number + 1}/{len(parts)})"
        folder, source = work.folder(f"part-{number}"), LocalFile(work.source)
        encoding = encode_steered(source, group, chunk, work.info, work.inspection, probes, folder)
        with failures.of(*group.rungs) if len(groups) > 1 else nullcontext():
            one = follow(encoding, work.begin(title))
            probes += one.probes
            made.append((chunk.index, one.encoded))
    return [encoded for _, encoded in sorted(made, key=lambda one: one[0])]


def _subtitles(work: Work) -> EncodedSubtitles:
    from pipelines.subtitles.subtitle_tracks import EncodedSubtitles, encode_subtitles

    if not any(rung.subtitles for rung in work.plan.rungs):
        return EncodedSubtitles({}, ())
    reading = encode_subtitles(work.source, work.plan, work.folder("subtitles"))
    return follow(reading, work.begin(t("encoding subtitles", "编码字幕")))


def _verified(work: Work, rung: Rung, pieces: Pieces) -> Encoded:
    """Joined in the scratch folder, and what its plan says it is."""
    from pipelines.encoding.join import join
    from pipelines.verification.verify import verify

    made = work.scratch / f"{rung.profile}.{rung.container}"
    title = t(f"joining {rung.profile}", f"封装 {rung.profile}")
    joining = join(rung, pieces.pictures, pieces.tracks, made, work.plan)
    joined = follow(joining, work.begin(title))
    title = t(f"verifying {rung.profile}", f"校验 {rung.profile}")
    verifying = verify(made, rung, work.plan, work.source, work.thumbs)
    verified = follow(verifying, work.begin(title))
    commands = (*pieces.commands, joined.argv, *verified.commands)
    return Encoded(rung, made, verified.facts, verified.proofs, commands)


def _named(work: Work, one: Encoded) -> Encoded:
    """With its final name."""
    named = replace(one, path=work.target(one.rung))
    settle(one.path, named.path, named.record(), overwrite=work.overwrite)
    return named


def settle(made: Path, path: Path, record: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Give the result its name, its record before it: no file stands there without its proof.

    One that is overwritten stays until the new one takes its place, and the record follows. Raises
    `Usage` where a file has that name: it may be the only one of its master.
    """
    there = path.is_file()
    if there and not overwrite:
        raise there_already(path)
    sync(made)
    proof = _proof_of(path)
    whole = _record_aside(made.parent, record)
    names = [(whole, proof), (made, path)]
    try:
        for finished, name in reversed(names) if there else names:
            finished.replace(name)
    except OSError:
        of_this = path.is_file() and made.is_file()  # else it is of no file, or of another one
        if proof.is_file() and not of_this:
            proof.unlink()
        raise
    finally:
        whole.unlink(missing_ok=True)
    sync_names(path.parent)


def _proof_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _place(output: Path, source: Path, profile: str, container: str) -> Path:
    return output / f"{source.stem}.{profile}.{container}"


def _refuse(path: Path, *, overwrite: bool) -> None:
    _refuse_long(path)
    if path.is_file() and not overwrite:
        raise there_already(path)


def _refuse_long(path: Path) -> None:
    """Nothing of hours of work may fail for its name."""
    name = _proof_of(path).name
    if len(os.fsencode(name)) > _NAME_BYTES:
        raise Usage(
            t(
                f"{readable(name)} is longer than the {_NAME_BYTES} bytes of a file's name: "
                "shorten the source's name",
                f"文件名 {readable(name)} 超过 {_NAME_BYTES} 字节：请缩短源文件的名称",
            )
        )


def _record_aside(folder: Path, record: Mapping[str, Any]) -> Path:
    """Whole, on the disk, and without its name."""
    whole = folder / "record.json"
    try:
        whole.write_text(f"{as_json(record)}\n", "utf-8")
        sync(whole)
    except OSError:
        whole.unlink(missing_ok=True)
        raise
    return whole


def _to_score(work: Work, named: Iterable[Encoded]) -> list[tuple[Rung, Path]]:
    from pipelines.quality.measure import has_scores

    return [(one.rung, one.path) for one in named if work.score and has_scores(one.rung)]


def _with_scores(work: Work, one: Encoded, scores: Scores) -> Encoded:
    """In its record too."""
    commands = (*one.commands, scores.command)
    scored = replace(one, measurements=scores.measurements, commands=commands)
    proof = _proof_of(scored.path)
    _record_aside(work.scratch, scored.record()).replace(proof)
    return scored


def _score(work: Work, pairs: Sequence[tuple[Rung, Path]]) -> Scored:
    """Of a group; nothing is done for an empty one."""
    from pipelines.quality.measure import Scored, measure

    if not pairs:
        return Scored({}, {})
    names = ", ".join(rung.profile for rung, _ in pairs)
    title = t(f"measuring {names}", f"测量 {names}")
    folder = work.folder(f"measure-{pairs[0][0].profile}")
    return follow(measure(work.source, pairs, work.plan, folder), work.begin(title))
