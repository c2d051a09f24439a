"""What a plan decided about colour, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from kapok import show
from kapok.language import t

_TYPES = {
    "sdr-709": "SDR BT.709",
    "sdr-2020": "SDR BT.2020",
    "sdr-other": "SDR",
    "hlg": "HLG",
    "pq": "PQ",
}


def colour_table(decided: Sequence[tuple[str, Mapping[str, Any] | None]]) -> RenderableType:
    """By profile; those with sound alone have none."""
    rows = [(profile, decision) for profile, decision in decided if decision]
    if not rows:
        return Text()
    made = show.table(
        None, t("profile", "方案"), t("colour", "色彩"), "", t("method", "方法"),
        t("numbers", "参数"),
    )  # fmt: skip
    for profile, decision in rows:
        action, methods = _action(decision), _methods(decision)
        made.add_row(profile, _kinds(decision), action, methods, _numbers(decision))
    return made


def of_plan(plan: Mapping[str, Any] | None) -> RenderableType:
    """Of a job's plan, once it has one."""
    rungs = (plan or {}).get("rungs") or []
    return colour_table(
        [(rung["profile"], (rung.get("video") or {}).get("colour_decision")) for rung in rungs]
    )


def _kinds(decision: Mapping[str, Any]) -> str:
    source, target = (_TYPES[decision[key]] for key in ("source", "target"))
    return source if source == target else f"{source} → {target}"


def _action(decision: Mapping[str, Any]) -> str:
    kept = decision["action"] == "preserve"
    return t("preserve", "保留") if kept else t("convert", "转换")


def _methods(decision: Mapping[str, Any]) -> str:
    lost = ", ".join(decision.get("dropped") or ())
    without = [t(f"without {lost}", f"不含 {lost}")] if lost else []
    return "\n".join([*decision["methods"], *without])


def _numbers(decision: Mapping[str, Any]) -> str:
    return "\n".join(f"{one['name']} {one['value']:g}" for one in decision["parameters"])
