"""The gate of a zone: may this asset be published there, at this moment? Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RenditionState:
    """A rendition as the catalogue knows it; `sha256` is empty until it was verified."""

    rendition_id: str
    profile: str
    state: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class RightsWindow:
    """Half-open in time; an open end is `None`. Empty `platforms` are every platform."""

    holder: str
    platforms: tuple[str, ...]
    starts_at: datetime | None
    ends_at: datetime | None
    derivatives_permitted: bool = True

    def covers(self, zone: str, now: datetime) -> bool:
        begun = self.starts_at is None or self.starts_at <= now
        running = self.ends_at is None or now < self.ends_at
        return begun and running and (not self.platforms or zone in self.platforms)


@dataclass(frozen=True, slots=True)
class GateFacts:
    """All that a gate decides by. Any one of `required_profiles` has to be ready; none asked for
    means any rendition. An asset without rights windows is its organisation's own.
    """

    zone: str
    required_profiles: tuple[str, ...]
    asset_state: str
    renditions: tuple[RenditionState, ...]
    rights: tuple[RightsWindow, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    text_en: str
    text_zh: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` is empty exactly when the gate is open."""

    reasons: tuple[Reason, ...]

    @property
    def passes(self) -> bool:
        return not self.reasons


def evaluate(facts: GateFacts) -> Verdict:
    """Every reason against publishing, not only the first."""
    return Verdict((*_asset(facts), *_renditions(facts), *_rights(facts)))


def file_missing(profile: str, path: str) -> Reason:
    """What the facts cannot tell: a file of a ready rendition is not whole in the object store."""
    return Reason(
        "file_missing",
        f"The file {path} of {profile} is gone from the object store, or not whole there:"
        " encode it again, or restore the store from a backup.",
        f"{profile} 的文件 {path} 在对象存储中缺失或不完整：请重新转码，或由备份恢复存储。",
    )


def still_being_made(zone: str, profiles: Sequence[str]) -> Reason:
    """Of the newest reading of the source these are planned, and ready ones of another reading
    would make room for it.
    """
    named = ", ".join(profiles)
    return Reason(
        "rendition_not_ready",
        f"The newest reading of the source is not done for zone {zone} ({named}), and what is ready"
        " of the reading before it would be left out: wait for its job.",
        f"专区 {zone} 所需的最新一次读取的成品尚未全部完成（{named}），而此前读取的成品将被排除："
        "请等待任务完成。",
    )


def _asset(facts: GateFacts) -> Iterator[Reason]:
    match facts.asset_state:
        case "ready":
            return
        case "processing":
            yield Reason(
                "asset_processing",
                "The asset is still being processed: wait for its job to end.",
                "媒资仍在处理中：请等待任务完成。",
            )
        case state:
            yield Reason(
                "asset_not_ready",
                f"The asset is {state}: look at its job, retry it, then publish.",
                f"媒资状态为“{state}”：请查看任务并重试后再发布。",
            )


def _renditions(facts: GateFacts) -> Iterator[Reason]:
    wanted = [
        rendition
        for rendition in facts.renditions
        if not facts.required_profiles or rendition.profile in facts.required_profiles
    ]
    ready = [rendition for rendition in wanted if rendition.state == "ready"]
    named = " / ".join(facts.required_profiles)
    if not wanted and named:
        yield Reason(
            "profile_missing",
            f"Zone {facts.zone} needs a rendition of {named}; this asset has none: encode one.",
            f"专区 {facts.zone} 要求档位 {named}，该媒资没有相应成品：请先转码。",
        )
    elif not ready:
        states = ", ".join(f"{one.profile}: {one.state}" for one in wanted) or "none"
        over = all(one.state in {"failed", "cancelled"} for one in wanted)
        english, chinese = (
            ("retry the job", "重试任务") if over else ("wait for its job", "等待任务完成")
        )
        yield Reason(
            "rendition_not_ready",
            f"No rendition that zone {facts.zone} accepts is ready ({states}): {english}.",
            f"专区 {facts.zone} 可接受的成品均未就绪（{states}）：请{chinese}。",
        )
    for rendition in ready:
        if not rendition.sha256:
            yield Reason(
                "rendition_without_hash",
                f"{rendition.profile} has no SHA-256 to be checked by: encode it again.",
                f"{rendition.profile} 没有可供校验的 SHA-256：请重新转码。",
            )


def _rights(facts: GateFacts) -> Iterator[Reason]:
    windows = facts.rights
    if not windows:
        return
    open_now = [window for window in windows if window.covers(facts.zone, facts.now)]
    if not open_now:
        yield Reason(
            "rights_closed",
            f"No rights window allows zone {facts.zone} at {facts.now.isoformat()}:"
            " extend the rights, or publish within them.",
            f"当前时间（{facts.now.isoformat()}）没有允许在专区 {facts.zone} 发布的版权窗口："
            "请续期版权或在授权期内发布。",
        )
    elif not any(window.derivatives_permitted for window in open_now):
        yield Reason(
            "derivatives_not_permitted",
            "The rights allow no derivatives, and every rendition is one: ask the holder.",
            "版权方不允许制作衍生版本，而所有成品均属衍生版本：请联系版权方。",
        )
