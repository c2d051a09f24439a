"""Clips and running services for the end-to-end stories."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import servers
import stack as stacks


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 320x180 at 25 fps with a tone: through the whole way in seconds."""
    return stacks.make(
        tmp_path_factory.mktemp("clips") / "short.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=2"),
        *(
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-ac",
            "2",
        ),
        *("-shortest",),
    )


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 720p clip, two chunks long, whose encode takes long enough to be killed in the middle."""
    return stacks.make(
        tmp_path_factory.mktemp("clips") / "long.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=12"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=12"),
        *(
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-ac",
            "2",
        ),
        *("-shortest",),
    )


@pytest.fixture
def embedded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[stacks.Stack]:
    """`kapok up`, with settings of the test's own where it has any."""
    stack = stacks.embedded(tmp_path, {**stacks.ALONE, **getattr(request, "param", {})})
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[servers.Redis]:
    """A Redis that this test may kill."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with servers.redis(folder) as server:
        yield server


@pytest.fixture
def distributed(
    tmp_path: Path,
    postgres_server: servers.Postgres,
    minio_server: servers.Minio,
    own_redis: servers.Redis,
) -> Iterator[stacks.Stack]:
    """API and two workers against PostgreSQL, Redis and MinIO."""
    stack = stacks.distributed(
        tmp_path / "stack",
        database_url=postgres_server.url(f"kapok_{secrets.token_hex(6)}"),
        broker_url=own_redis.url,
        minio=minio_server,
        workers=2,
    )
    try:
        yield stack
    finally:
        stack.stop()
