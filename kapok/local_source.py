"""A source of the local commands: a file as it is, or one that is made of a folder's files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from kapok.errors import FileMissing, Usage
from kapok.language import t
from kapok.local import Show, follow
from kapok.names import readable
from pipelines.words import Words

if TYPE_CHECKING:
    from pipelines.sources.wrap import Parts

_FASTEST = 1000


@dataclass(frozen=True, slots=True)
class One:
    """The one file that is read, and what is said of how it came to be."""

    path: Path
    said: tuple[Words, ...] = ()


def one_file(path: Path, rate: str, folder: Path, begin: Callable[[str], Show]) -> One:
    """`path` itself, or the file that is made of what it names, in `folder` (see `sources.wrap`).

    `rate` is a sequence's, and nothing else has one.
    """
    from pipelines.sources.many_files import is_many_files
    from pipelines.sources.wrap import wrap

    if not is_many_files(path):
        if rate:
            text = t("--rate is for images in a folder", "--rate 仅用于图像序列目录")
            raise Usage(f"{readable(path)}: {text}")
        return One(path)
    parts = parts_here(path, rate)
    folder.mkdir(parents=True)
    title = t(f"making one file of {parts.name}", f"把 {parts.name} 合为一个文件")
    wrapped = follow(wrap(parts, folder / f"{parts.name}.mov"), begin(title))
    return One(wrapped.path, said_of(parts))


def parts_here(path: Path, rate: str) -> Parts:
    """What a path consists of, checked."""
    from pipelines.sources.many_files import is_many_files, parts_of

    if not is_many_files(path):
        name = readable(path)
        text = t(f"{name} is not a folder: it needs no wrapping", f"{name} 不是目录：无需合并")
        raise FileMissing(text)
    return parts_of(path, rate_of(rate) if rate else None)


def rate_of(text: str) -> Fraction:
    """`24`, `24000/1001` or `23.976`, which is the same. Raises `Usage`."""
    from pipelines.rates import nearest_standard_rate

    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _FASTEST:
        raise Usage(
            t(
                f"{text!r} is no rate: write --rate 24, 25 or 24000/1001",
                f"{text!r} 不是帧率：请写 --rate 24、25 或 24000/1001",
            )
        )
    return nearest_standard_rate(rate)


def said_of(parts: Parts) -> tuple[Words, ...]:
    """For the decisions of a plan: what was made into one file, and what stayed behind."""
    left_out = tuple(
        Words(f"{name} is in no rendition", f"不在任何成品中：{name.zh}") for name in parts.left_out
    )
    made = Words(
        f"{parts.kind}: made into one file, its packets as they are",
        f"{parts.kind.zh}：已合成一个文件，数据包保持原样",
    )
    return (made, *left_out)
