"""`python -m sample_media --list | --all | NAME… -o DIR`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sample_media.encode import SampleFailed
from sample_media.generate import UnknownSample, generate, samples


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 when everything was made, 1 when ffmpeg failed, 2 for a wrong command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        _list()
        return 0
    names = list(samples()) if options.all else options.names
    if not names:
        parser.error("name a sample, or give --all or --list")
    try:
        for name in names:
            print(generate(name, options.output, seconds=options.seconds, height=options.height))
    except UnknownSample as error:
        parser.error(str(error))
    except SampleFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sample_media", description="Make sample media."
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="what there is and what it exercises")
    parser.add_argument("--all", action="store_true", help="make every sample")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR")
    parser.add_argument("--seconds", type=float, help="another length")
    parser.add_argument("--height", type=int, help="a smaller copy, in lines")
    return parser


def _list() -> None:
    for sample in samples().values():
        print(f"{sample.name}  ({sample.file}, {float(sample.seconds):g} s)")
        print(f"  {sample.title_en} · {sample.title_zh}")
        for line in sample.exercises:
            print(f"  - {line}")


if __name__ == "__main__":
    sys.exit(main())
