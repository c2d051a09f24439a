"""`pipelines` on files of this machine, with no service: inspect, encode, measure."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kapok.errors import FileMissing, Usage
from kapok.language import t
from kapok.names import as_json, readable
from kapok.ways_out import of_system, way_out
from pipelines.colour import needs_sdr_conversion, target_colour
from pipelines.errors import KapokError, NothingToEncode
from pipelines.media import Colour, Inspection, MediaInfo, VideoTrack
from pipelines.plan import Chunk, Conversion, Plan, Rung, VideoPlan
from pipelines.progress import Progress
from pipelines.source_colour import complete_colour

if TYPE_CHECKING:
    from pipelines.facts import Measurement, RenditionFacts
    from pipelines.measure import Scored, Scores
    from pipelines.profile import VideoCodec
    from pipelines.thumbs import Thumbs

T = TypeVar("T")
Show = Callable[[Progress], None]
CONVERSIONS: Mapping[tuple[str, str], Conversion] = {
    ("hlg", "sdr"): "hlg_to_sdr",
    ("pq", "sdr"): "pq_to_sdr",
    ("pq", "hlg"): "pq_to_hlg",
}


class NotComparable(KapokError):
    """Two files are not versions of the same picture: no score would mean anything."""

    code = "not_comparable"


@dataclass(frozen=True, slots=True)
class FailedRung:
    """A rung of an encode that left no file, and why."""

    profile: str
    code: str
    detail: str


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
        from pipelines import tools
        from pipelines.records import to_json

        return {
            "profile": self.rung.profile,
            "profile_version": self.rung.profile_version,
            "path": str(self.path),
            "facts": to_json(self.facts),
            "measurements": [to_json(measurement) for measurement in self.measurements],
            "commands": [list(argv) for argv in self.commands],
            "tools": tools.versions(),
        }


def follow(operation: Generator[Progress, None, T], show: Show) -> T:
    """Run an operation of `pipelines` to its end, showing its progress."""
    while True:
        try:
            progress = next(operation)
        except StopIteration as end:
            result: T = end.value
            return result
        show(progress)


def look(
    path: Path, folder: Path, show: Show, *, keep_thumbs: bool = False
) -> tuple[MediaInfo, Inspection]:
    """Probe and inspect; pictures and waveform land in `folder`, thumbnails where wanted."""
    from pipelines.inspect import inspect
    from pipelines.probe import probe

    _need_file(path)
    info = probe(path)
    folder.mkdir(parents=True, exist_ok=True)
    return info, follow(inspect(path, info, folder, keep_thumbs=keep_thumbs), show)


def _need_file(path: Path) -> None:
    name = readable(path)
    if path.is_dir():
        text = t(f"{name} is a folder: name a file in it", f"{name} 是目录：请指定其中的文件")
        raise FileMissing(text)
    if not path.is_file():
        raise FileMissing(t(f"there is no file {name}", f"文件 {name} 不存在：请检查路径"))


def make_plan(info: MediaInfo, inspection: Inspection, wanted: Sequence[str] | str | None) -> Plan:
    """`wanted`: profile names, a ladder's name, or nothing for the source's default ladder."""
    from pipelines.plan import plan
    from pipelines.profile import choose_profiles

    made = plan(info, inspection, choose_profiles(info, wanted))
    if not made.rungs:
        reasons = "\n".join(f"{refusal.profile}: {refusal.reason}" for refusal in made.refused)
        raise NothingToEncode(reasons)
    return made


@dataclass(frozen=True, slots=True)
class Work:
    """One source being encoded here; `begin` names a stage and gives the place for its progress."""

    source: Path
    plan: Plan
    thumbs: Thumbs | None
    output: Path
    scratch: Path
    begin: Callable[[str], Show]
    score: bool

    def folder(self, name: str) -> Path:
        made = self.scratch / name
        made.mkdir(parents=True)
        return made


@dataclass(frozen=True, slots=True)
class Pieces:
    """The encoded streams of one rung and the commands that made them."""

    pictures: tuple[Path, ...]
    sounds: tuple[Path, ...]
    commands: tuple[tuple[str, ...], ...]


class _Failures:
    """The rungs of an encode that failed."""

    def __init__(self) -> None:
        self.rungs: list[FailedRung] = []

    @contextmanager
    def kept(self, rung: Rung) -> Iterator[None]:
        """The rung's own failure ends the block and nothing else."""
        try:
            yield
        except (KapokError, OSError) as error:
            told = of_system(error) if isinstance(error, OSError) else error
            self.rungs.append(FailedRung(rung.profile, told.code, told.detail))


def encode(work: Work) -> Iterator[Encoded]:
    """Every rung of the plan from one decode; each is joined, verified and scored, then named.

    What is scored together is named together. A rung that disagrees with its plan leaves no file
    and does not stop the others; after the last one `RungsFailed` tells of all that failed.
    """
    failures, pieces = _Failures(), _encode_all(work)
    for group in _groups(work):
        verified: list[Encoded] = []
        for rung in group:
            with failures.kept(rung):
                verified.append(_verified(work, rung, pieces[rung.profile]))
        scored, named = _scored(work, verified), list[Encoded]()
        for one in verified:
            with failures.kept(one.rung):
                named.append(_named(work, one, scored))
        yield from named
    if failures.rungs:
        raise RungsFailed(_told(work, failures.rungs), failures.rungs)


def _groups(work: Work) -> list[tuple[Rung, ...]]:
    """What is scored together, and alone what has no scores, each where its first rung stands."""
    from pipelines.measure import measured_together
    from pipelines.probe import probe

    rungs = work.plan.rungs
    groups = measured_together(rungs, probe(work.source)) if work.score else ()
    scored = {rung.profile for group in groups for rung in group}
    alone = [(rung,) for rung in rungs if rung.profile not in scored]
    return sorted([*groups, *alone], key=lambda group: rungs.index(group[0]))


def _told(work: Work, failed: Sequence[FailedRung]) -> str:
    told = [
        f"{rung.profile} ({rung.code}): {way_out(rung.code, rung.detail)}{rung.detail}"
        for rung in failed
    ]
    if done := len(work.plan.rungs) - len(failed):
        others = t(
            f"the other {done} renditions are finished in {work.output}",
            f"其余 {done} 个成品已完成，位于 {work.output}",
        )
        told.append(others)
    return "\n".join(told)


def _encode_all(work: Work) -> dict[str, Pieces]:
    """By profile."""
    from pipelines.audio import encode_audio
    from pipelines.encode import encode_chunk

    plan, chunks = work.plan, []
    for chunk in plan.chunks:
        title = t(f"encoding {len(plan.rungs)} renditions", f"编码 {len(plan.rungs)} 个成品")
        folder = work.folder(f"chunk-{chunk.index}")
        chunks.append(follow(encode_chunk(work.source, plan, chunk, folder), work.begin(title)))
    title = t("encoding sound", "编码声音")
    sound = follow(encode_audio(work.source, plan, work.folder("audio")), work.begin(title))
    made = {}
    for rung in plan.rungs:
        mine = [chunk for chunk in chunks if rung.profile in chunk.files]
        heard = (sound.argv,) if rung.audio else ()
        pictures = tuple(chunk.files[rung.profile] for chunk in mine)
        sounds = tuple(sound.files[track.key] for track in rung.audio)
        commands = (*(chunk.argv for chunk in mine), *heard)
        made[rung.profile] = Pieces(pictures, sounds, commands)
    return made


def _verified(work: Work, rung: Rung, pieces: Pieces) -> Encoded:
    """Joined in the scratch folder, and what its plan says it is."""
    from pipelines.join import join
    from pipelines.verify import verify

    made = work.scratch / f"{rung.profile}.{rung.container}"
    title = t(f"joining {rung.profile}", f"封装 {rung.profile}")
    joining = join(rung, pieces.pictures, pieces.sounds, made, work.plan)
    joined = follow(joining, work.begin(title))
    title = t(f"verifying {rung.profile}", f"校验 {rung.profile}")
    verifying = verify(made, rung, work.plan, work.source, work.thumbs)
    verified = follow(verifying, work.begin(title))
    commands = (*pieces.commands, joined.argv, *verified.commands)
    return Encoded(rung, made, verified.facts, verified.proofs, commands)


def _scored(work: Work, verified: Sequence[Encoded]) -> Scored | None:
    """The scores of a group, if it has any."""
    from pipelines.measure import has_scores

    pairs = [(one.rung, one.path) for one in verified if work.score and has_scores(one.rung)]
    return _score(work, pairs) if pairs else None


def _named(work: Work, one: Encoded, scored: Scored | None) -> Encoded:
    """With its scores and its final name."""
    path = work.output / f"{work.source.stem}.{one.rung.profile}.{one.rung.container}"
    encoded = replace(one, path=path)
    if scored is not None:
        scores = scored.of(one.rung.profile)
        commands = (*one.commands, scores.command)
        encoded = replace(encoded, measurements=scores.measurements, commands=commands)
    settle(one.path, path, encoded.record())
    return encoded


def settle(made: Path, path: Path, record: Mapping[str, Any]) -> None:
    """Give the result its name, its record before it: no file stands there without its proof."""
    proof = made.with_name(f"{made.name}.json")
    proof.write_text(f"{as_json(record)}\n", "utf-8")
    proof.replace(path.with_name(f"{path.name}.json"))
    made.replace(path)


def _score(work: Work, pairs: Sequence[tuple[Rung, Path]]) -> Scored:
    from pipelines.measure import measure

    names = ", ".join(rung.profile for rung, _ in pairs)
    title = t(f"measuring {names}", f"测量 {names}")
    folder = work.folder(f"measure-{pairs[0][0].profile}")
    return follow(measure(work.source, pairs, work.plan, folder), work.begin(title))


def compare(
    reference: Path, distorted: Path, scratch: Path, begin: Callable[[str], Show]
) -> Scores:
    """Scores of one file against another, as if a plan had made the second from the first."""
    title = t("inspecting the reference", "检查参考文件")
    info, inspection = look(reference, scratch / "reference", begin(title))
    title = t("inspecting the other file", "检查被测文件")
    other, decoded = look(distorted, scratch / "distorted", begin(title))
    plan = plan_between(info, inspection, other, frames=decoded.frames)
    work = Work(reference, plan, None, scratch, scratch, begin, score=True)
    (rung,) = plan.rungs
    return _score(work, [(rung, distorted)]).of(rung.profile)


def plan_between(info: MediaInfo, inspection: Inspection, other: MediaInfo, *, frames: int) -> Plan:
    """The plan that would have made `other` from the reference; `NotComparable` when none could."""
    source, made = info.picture, other.picture
    if source is None or made is None or inspection.frame_rate is None:
        raise NotComparable(t("both files need a picture", "两个文件都必须有画面"))
    divisor = _divisor(inspection.frame_rate, made.frame_rate)
    expected = -(-inspection.frames // divisor)
    if frames != expected:
        raise NotComparable(
            t(
                f"{frames} frames against {expected}: the files do not show the same pictures",
                f"帧数为 {frames}，应为 {expected}：两个文件的画面不对应",
            )
        )
    video = _video_plan(source, made, inspection, divisor, frames)
    rung = Rung("comparison", 1, "mp4", video, (), packaged=False)
    return Plan(
        duration_s=inspection.duration_s,
        frames=inspection.frames,
        frame_rate=inspection.frame_rate,
        constant_frame_rate=inspection.constant_frame_rate,
        first_picture_s=inspection.first_picture_s,
        audio_start_s=inspection.audio_start_s,
        video_track=source.index,
        audio_tracks=(),
        rungs=(rung,),
        refused=(),
        chunks=(Chunk(0, 0, inspection.frames),),
        decisions=(),
        source_colour=complete_colour(source),
        source_field_order=inspection.scan,
        source_timecode=info.timecode,
        start_s=info.start_s,
        clock_jumps=inspection.clock_jumps,
    )


def _divisor(reference: Fraction, made: Fraction) -> int:
    ratio = reference / made
    if ratio.denominator != 1:
        raise NotComparable(
            t(
                f"{float(made):g} fps is no whole part of {float(reference):g}: no frames pair up",
                f"{float(made):g} fps 不是 {float(reference):g} fps 的整数分之一，无法逐帧配对",
            )
        )
    return ratio.numerator


def _video_plan(
    source: VideoTrack, made: VideoTrack, inspection: Inspection, divisor: int, frames: int
) -> VideoPlan:
    conversion = _conversion(source, made)
    deinterlace = inspection.scan != "progressive" and made.field_order not in ("tt", "bb")
    return VideoPlan(
        codec=_codec(made.codec),
        encoder=made.codec,
        width=made.width,
        height=made.height,
        frame_rate=made.frame_rate,
        frames=frames,
        pix_fmt=made.pix_fmt,
        colour=target_colour(conversion, complete_colour(source)),
        conversion=conversion,
        field_order=made.field_order or "progressive",
        sample_aspect_ratio=made.sample_aspect_ratio,
        deinterlace=deinterlace,
        rate_divisor=divisor,
    )


def _conversion(source: VideoTrack, made: VideoTrack) -> Conversion:
    """What Kapok would have done; two SDR files of one colour are compared as they are."""
    before, after = complete_colour(source), complete_colour(made)
    ranges = (before.dynamic_range, after.dynamic_range)
    if ranges == ("sdr", "sdr"):
        same_tags = source.colour == made.colour and before.range == after.range
        if before == after or same_tags:
            return "none"
        conversion: Conversion = "sdr_to_sdr" if needs_sdr_conversion(before) else "none"
    elif ranges[0] == ranges[1] or ranges in CONVERSIONS:
        conversion = CONVERSIONS.get(ranges, "none")
    else:
        raise NotComparable(
            t(
                f"{ranges[1]} was not made from {ranges[0]} by Kapok",
                f"Kapok 不会由 {ranges[0]} 生成 {ranges[1]}",
            )
        )
    wanted = target_colour(conversion, before)
    if replace(after, transfer=wanted.transfer) != wanted:
        raise NotComparable(_other_colour(after, wanted))
    return conversion


def _other_colour(found: Colour, wanted: Colour) -> str:
    names = (f"{one.primaries}/{one.matrix}/{one.range}" for one in (found, wanted))
    has, needs = names
    return t(
        f"the other file is {has} and would be {needs} if it came from the reference: convert it",
        f"被测文件的色彩为 {has}，由参考文件生成时应为 {needs}：请先转换",
    )


def _codec(name: str) -> VideoCodec:
    """The nearest codec word of a plan; scores do not depend on it."""
    return {"hevc": "hevc", "ffv1": "ffv1"}.get(name, "h264")  # type: ignore[return-value]


def chosen(profiles: Sequence[str], ladder: str) -> Sequence[str] | str | None:
    if profiles and ladder:
        raise Usage(t("give --profile or --ladder, not both", "--profile 与 --ladder 只能选一个"))
    return list(profiles) or ladder or None
