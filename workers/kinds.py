"""What each kind of step does: the one table that joins the catalogue's words to the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from storage.catalogue.steps import Claimed
from workers.context import StepContext, StepResult
from workers.steps import (
    audio,
    encode,
    fixity,
    inspect,
    join,
    measure,
    package,
    plan_or_inspect,
    publish,
)


def _nothing_more(session: Session, step: Claimed, error: Mapping[str, Any]) -> None:
    """The failed step says it all."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`run` does the work. `failed` writes what else a final failure means, in its transaction."""

    run: Callable[[StepContext], StepResult]
    failed: Callable[[Session, Claimed, Mapping[str, Any]], None] = _nothing_more


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "fixity": Kind(fixity.run, fixity.failed),
        "inspect": Kind(inspect.run),
        "plan": Kind(plan_or_inspect.run),
        "encode": Kind(encode.run),
        "audio": Kind(audio.run),
        "join": Kind(join.run, join.failed),
        "measure": Kind(measure.run),
        "package": Kind(package.run),
        "publish": Kind(publish.run),
    }
)
