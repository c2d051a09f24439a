"""Ingest rate ÷ min(disk write rate, SHA-256 rate), and what the client's part of it is.

    .venv/bin/python -m benchmarks.ingest [--gib 2] [--rounds 3] [--json]

The ingest rate is the file's size over the wall time of `kapok upload` against a running
`kapok up`: hashed by the client, sent in signed parts, stored and synced. Interleaved with it, the
same bytes are written and synced to the same disk, and hashed, by nothing but Python's own
`write`, `fsync` and `hashlib`; medians count. Exit status 1 below the bar.

On two idle cores: 0.99 (1 GiB, 3 rounds). On two that other work kept at a load of 4 to 9: 0.54
(0.5 GiB, 3 rounds), 1.17 (2 GiB, 3 rounds), 0.61 (2 GiB, 5 rounds); single rounds spread from 0.20
to 1.29 there, as the disk wrote 0.27 to 1.0 GB/s from one to the next.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.service import Service

BLOCK = 8 << 20
BAR = 0.8  # of what the slower of disk and SHA-256 allows


def make_file(path: Path, size_bytes: int) -> None:
    """Bytes that no file system or network layer can shrink."""
    block = os.urandom(BLOCK)
    with path.open("wb") as out:
        for number in range(size_bytes // BLOCK):
            out.write(number.to_bytes(8, "big") + block[8:])


def write_rate(source: Path, target: Path) -> float:
    started = time.monotonic()
    with source.open("rb") as src, target.open("wb") as out:
        while block := src.read(BLOCK):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    seconds = time.monotonic() - started
    target.unlink()
    return source.stat().st_size / seconds


def hash_rate(source: Path) -> float:
    digest = hashlib.sha256()
    started = time.monotonic()
    with source.open("rb") as src:
        while block := src.read(BLOCK):
            digest.update(block)
    return source.stat().st_size / (time.monotonic() - started)


def ingest_rate(service: Service, source: Path) -> float:
    started = time.monotonic()
    service.upload(source, "--no-resume", wait=False)
    return source.stat().st_size / (time.monotonic() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as name, Service(Path(name)) as up:
        source = Path(name) / "source.bin"
        make_file(source, int(args.gib * (1 << 30)))
        for _ in range(args.rounds):
            ingest = ingest_rate(up, source)
            time.sleep(5)  # the worker's own hash of the stored bytes is not the upload's
            write, sha = write_rate(source, Path(name) / "copy.bin"), hash_rate(source)
            rows.append({"ingest": ingest, "write": write, "sha256": sha})
    ratio = statistics.median(row["ingest"] / min(row["write"], row["sha256"]) for row in rows)
    result = {"ingest_vs_limit": round(ratio, 3), "bar": BAR, "bytes_per_second": rows}
    print(json.dumps(result, indent=2) if args.json else f"ingest ÷ limit = {ratio:.2f}")
    if ratio < BAR:
        print(f"MISSED  ingest ÷ limit {ratio:.2f} < {BAR}", file=sys.stderr)
    return 1 if ratio < BAR else 0


if __name__ == "__main__":
    sys.exit(main())
