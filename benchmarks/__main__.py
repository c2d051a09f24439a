"""Run every measurement, one after the other: `python -m benchmarks [NAME …]`."""

from __future__ import annotations

import argparse
import subprocess
import sys

NAMES = ("engine", "ingest", "catalogue", "presets")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    chosen = parser.parse_args().names or NAMES
    codes = []
    for name in chosen:
        print(f"== {name}", flush=True)
        codes.append(subprocess.call([sys.executable, "-m", f"benchmarks.{name}"]))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
