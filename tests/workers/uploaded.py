"""A small clip, and what the API does for an upload of it that has ended."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine_bench import Bench

from pipelines.running.tools import ffmpeg
from storage.catalogue import uploads
from storage.clock import now
from storage.ids import new_id


def clip(path: Path) -> Path:
    """Two seconds of 320x180 at 25 fps with a cut in the middle and a stereo tone."""
    argv = [ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2"]
    argv += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"]
    argv += ["-vf", "negate=enable='gte(t,1)'", "-ac", "2", "-pix_fmt", "yuv420p"]
    argv += ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-y", str(path)]
    subprocess.run(argv, check=True)
    return path


def uploaded(bench: Bench, path: Path, request: dict[str, Any], **declared: str) -> str:
    """The id of its job."""
    asset_id = new_id("ast")
    key = f"assets/{asset_id}/source/{path.name}"
    bench.objects.put_file(path, key)
    with bench.database.begin() as session:
        upload = uploads.create_upload(
            session,
            organisation_id=bench.organisation_id,
            title="A clip",
            file_name=path.name,
            size_bytes=path.stat().st_size,
            part_size_bytes=uploads.part_size(path.stat().st_size),
            key=key,
            declared=declared,
            request=request,
            expires_at=now(session) + timedelta(days=1),
            actor="test",
            asset_id=asset_id,
        )
        return uploads.complete_upload(session, upload, "test").id
