"""How quick the catalogue is with 100,000 assets and 100,000 waiting steps, on both databases.

    .venv/bin/python -m benchmarks.catalogue [--assets 100000] [--steps 100000] [--json FILE]

Prints one JSON object on stdout and the same in words on stderr. PostgreSQL is started by
`tests/servers.py`, with its defaults. Exit status 1 when a bar is missed: every kind of list and
search p95 <= 50 ms on both databases, a claim p95 <= 10 ms on PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from storage.catalogue import assets, keys, messages, steps
from storage.clock import now
from storage.database import Database
from storage.ids import new_id
from storage.schema import Asset, Job, Step
from storage.text import grams

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import servers

SEARCH_BAR_MS = 50.0
CLAIM_BAR_MS = 10.0
SAMPLES = 60
CLAIMS = 400
STEPS_A_JOB = 10

PROGRAMMES = ("岭南春早", "佛山新闻", "珠江纪事", "非遗匠心", "木棉花开", "湾区观察", "老城故事")
TOPICS = ("龙舟", "醒狮", "陶瓷", "粤剧", "早茶", "骑楼", "潮汕", "客家", "广彩", "端砚", "香云纱")
CREATORS = ("广东广播电视台", "佛山市博物馆", "广州图书馆", "Lingnan Heritage Lab")
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


def batched(numbers: range, size: int) -> Iterator[tuple[int, ...]]:
    """`itertools.batched`, which Python 3.11 does not have."""
    left = iter(numbers)
    while batch := tuple(islice(left, size)):
        yield batch


def make_asset(organisation_id: str, number: int, chance: random.Random) -> Asset:
    """Titles as broadcasters write them; the oldest hundred also carry a word of their own."""
    moment = BEGIN + timedelta(minutes=20 * number, microseconds=number)
    title = f"{chance.choice(PROGRAMMES)} {chance.choice(TOPICS)} 第{number % 400 + 1}集"
    if number < 100:
        title += " 胶片修复 restoration"
    asset = Asset(
        id=new_id("ast"),
        organisation_id=organisation_id,
        state="failed" if number % 997 == 0 else "ready",
        title=title,
        metadata_={"creator": chance.choice(CREATORS), "barcode": f"GD{number:07d}"},
        file_name=f"gdtv_{moment:%Y%m%d}_{number % 72:02d}_2160p50.mxf",
        source_key=f"assets/{number}/source/source.mxf",
        size_bytes=10**10 + number,
        sha256=f"{number:064x}",
        version=1,
        created_at=moment,
        updated_at=moment,
    )
    asset.search_text = " ".join(assets.search_words(asset))
    return asset


def fill_assets(database: Database, organisation_id: str, count: int) -> None:
    chance = random.Random(3)
    for numbers in batched(range(count), 2_000):
        made = [make_asset(organisation_id, number, chance) for number in numbers]
        with database.begin() as session:
            _insert_assets(session, made)


def _insert_assets(session: Session, made: list[Asset]) -> None:
    postgresql = session.get_bind().dialect.name == "postgresql"
    names = [c.key for c in Asset.__mapper__.column_attrs if c.key != "search_grams"]
    rows: list[dict[str, Any]] = []
    for asset in made:
        row = {name: getattr(asset, name) for name in names}
        if postgresql:
            row["search_grams"] = sorted(grams(asset.search_text.split()))
        rows.append(row)
    session.execute(insert(Asset), rows)
    if not postgresql:
        session.execute(assets.INDEX, [assets.index_row(asset) for asset in made])


def fill_steps(database: Database, organisation_id: str, count: int) -> list[str]:
    """Ready steps, ten a job; returns their ids."""
    moment = datetime.now(UTC)
    ids: list[str] = []
    for numbers in batched(range(count // STEPS_A_JOB), 500):
        made = [new_id("job") for _ in numbers]
        job = {"organisation_id": organisation_id, "state": "queued", "request": {}}
        step = {
            "organisation_id": organisation_id,
            "kind": "encode",
            "queue": "encode",
            "name": "encode",
            "payload": {},
            "state": "ready",
            "epoch": 0,
            "attempts": 0,
            "max_attempts": 4,
            "sent_at": moment,
        }
        rows = [
            {**step, "id": new_id("stp"), "job_id": job_id, "created_at": moment}
            for job_id in made
            for _ in range(STEPS_A_JOB)
        ]
        with database.begin() as session:
            session.execute(insert(Job), [{**job, "id": one, "created_at": moment} for one in made])
            session.execute(insert(Step), rows)
        ids += [str(row["id"]) for row in rows]
    return ids


def searches(count: int) -> dict[str, dict[str, Any]]:
    """What people ask for, and what is hard: everywhere, nowhere, only among the oldest."""
    return {
        "list": {},
        "list by state": {"state": "failed"},
        "list by date": {
            "created_after": BEGIN + timedelta(days=30),
            "created_before": BEGIN + timedelta(days=60),
        },
        "in every asset": {"text": "2160p50"},
        "two characters": {"text": "粤剧"},
        "one character": {"text": "狮"},
        "a substring over a word's middle": {"text": "播电视"},
        "two words": {"text": "佛山 香云纱"},
        "one asset": {"text": f"GD{count // 2:07d}"},
        "one old asset": {"text": "GD0000007"},
        "a day": {"text": "20210215"},
        "only the oldest": {"text": "胶片修复"},
        "the oldest, latin": {"text": "restorat"},
        "nowhere": {"text": "敦煌"},
        "nowhere, of common parts": {"text": "佛山故事"},
        "common and rare together": {"text": "2160p50 GD0000050"},
        "text and state": {"text": "龙舟", "state": "failed"},
        "text and date": {"text": "龙舟", "created_before": BEGIN + timedelta(days=20)},
    }


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def timed_ms(calls: Iterator[Callable[[], object]]) -> list[float]:
    found = []
    for call in calls:
        begin = time.perf_counter()
        call()
        found.append(1_000 * (time.perf_counter() - begin))
    return found


def measure_searches(database: Database, organisation_id: str, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, given in searches(count).items():

        def search(given: dict[str, Any] = given) -> int:
            with database.read() as session:
                return len(assets.search_assets(session, organisation_id, **given).data)

        hits = search()
        times = timed_ms(search for _ in range(SAMPLES))
        found[name] = {"p95_ms": p95(times), "median_ms": statistics.median(times), "hits": hits}
    return found


def measure_pages(database: Database, organisation_id: str) -> dict[str, float]:
    """Turning pages by cursor, of a search that finds a great many."""
    times, cursor = [], None
    for _ in range(SAMPLES):
        begin = time.perf_counter()
        with database.read() as session:
            page = assets.search_assets(session, organisation_id, text="粤剧", cursor=cursor)
        times.append(1_000 * (time.perf_counter() - begin))
        cursor = page.next_cursor
    return {"p95_ms": p95(times), "median_ms": statistics.median(times), "hits": SAMPLES * 50}


def measure_steps(database: Database, step_ids: list[str]) -> dict[str, Any]:
    chosen = random.Random(5).sample(step_ids, min(CLAIMS, len(step_ids)))

    def claim(step_id: str) -> None:
        with database.begin() as session:
            assert steps.claim_step(session, step_id, "bench", 30) is not None

    def sweep() -> None:
        with database.read() as session:
            messages.due_steps(session, "encode", now(session), 60, 500)

    claims = timed_ms(lambda one=one: claim(one) for one in chosen)  # type: ignore[misc]
    sweeps = timed_ms(sweep for _ in range(SAMPLES))
    return {
        "claim": {"p95_ms": p95(claims), "median_ms": statistics.median(claims)},
        "due steps": {"p95_ms": p95(sweeps), "median_ms": statistics.median(sweeps)},
    }


def measure(url: str, asset_count: int, step_count: int) -> dict[str, Any]:
    database = Database(url)
    database.migrate()
    with database.begin() as session:
        organisation_id = keys.create_organisation(session, "bench").id
    begin = time.perf_counter()
    fill_assets(database, organisation_id, asset_count)
    step_ids = fill_steps(database, organisation_id, step_count)
    with database.begin() as session:
        session.execute(text("ANALYZE"))
    filled_s = time.perf_counter() - begin
    found = measure_searches(database, organisation_id, asset_count)
    found["pages of a search"] = measure_pages(database, organisation_id)
    result = {"filled_s": filled_s, "searches": found, **measure_steps(database, step_ids)}
    database.close()
    return result


@contextmanager
def database_urls(folder: Path) -> Iterator[dict[str, str]]:
    place = folder / "postgres"
    place.mkdir()
    with servers.postgres(place) as server:
        yield {"sqlite": f"sqlite:///{folder / 'kapok.db'}", "postgresql": server.url("bench")}


def misses(result: dict[str, Any]) -> list[str]:
    found = [
        f"{database}: {name}: p95 {figures['p95_ms']:.1f} ms > {SEARCH_BAR_MS:.0f} ms"
        for database, one in result["databases"].items()
        for name, figures in one["searches"].items()
        if figures["p95_ms"] > SEARCH_BAR_MS
    ]
    claim_ms = result["databases"]["postgresql"]["claim"]["p95_ms"]
    if claim_ms > CLAIM_BAR_MS:
        found.append(f"postgresql: claim: p95 {claim_ms:.1f} ms > {CLAIM_BAR_MS:.0f} ms")
    return found


def say(result: dict[str, Any]) -> None:
    for database, one in result["databases"].items():
        rows = {**one["searches"], "claim": one["claim"], "due steps": one["due steps"]}
        for name, figures in rows.items():
            line = f"{database:<11}{name:<34}p95 {figures['p95_ms']:7.1f} ms"
            hits = f"  {figures['hits']} found" if "hits" in figures else ""
            print(f"{line}  median {figures['median_ms']:6.1f} ms{hits}", file=sys.stderr)
    for miss in result["misses"]:
        print(f"MISSED  {miss}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="also write the JSON to this file")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder,
        database_urls(Path(folder)) as urls,
    ):
        found = {name: measure(url, given.assets, given.steps) for name, url in urls.items()}
    result = {
        "benchmark": "catalogue",
        "assets": given.assets,
        "steps": given.steps,
        "cores": len(os.sched_getaffinity(0)),
        "databases": found,
    }
    result["misses"] = misses(result)
    say(result)
    form = json.dumps(result, indent=2, ensure_ascii=False)
    print(form)
    if given.json is not None:
        given.json.write_text(f"{form}\n", encoding="utf-8")
    return 1 if result["misses"] else 0


if __name__ == "__main__":
    sys.exit(main())
