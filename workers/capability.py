"""What profiles come to here: proven once for each set of tools, then remembered."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Generator
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path

import pipelines
from pipelines.profiles.capabilities import Capability, proving
from pipelines.profiles.profile import Profile
from pipelines.profiles.profile_key import profile_key
from pipelines.progress import Progress
from pipelines.running.cache_files import is_kept, kept_file, turn_at
from pipelines.running.tools import ffmpeg, versions

_PROCESSOR = ("model name", "flags", "CPU part", "Features")  # of x86, and of ARM


def is_remembered(profile: Profile, remembered: Path | None = None) -> bool:
    """Whether it was proven before on such a machine, with these tools and this code."""
    return is_kept(_name(profile), remembered)


def prove_once(
    profile: Profile, folder: Path, remembered: Path | None = None
) -> Generator[Progress, None, Capability]:
    """Prove it in the empty `folder`, unless it is remembered.

    Only success is remembered, in the folder `remembered`, else in the user's cache: what failed by
    a full disk or for want of a library is proven again the next time.
    """
    if is_remembered(profile, remembered):
        return Capability(profile.name, available=True, reason=None, tools=versions())
    capability = yield from proving(profile, folder)
    if capability.available:
        kept_file(_name(profile), partial(_document, capability), remembered)
    return capability


def turn_to_prove(profile: Profile, remembered: Path | None = None) -> AbstractContextManager[bool]:
    """Whether nobody else on this machine proves it now: who waits will find it remembered."""
    return turn_at(_name(profile), remembered)


def _document(capability: Capability) -> bytes:
    proven = {"profile": capability.profile, "tools": dict(capability.tools)}
    return json.dumps(proven, indent=2).encode()


def _name(profile: Profile) -> str:
    """Another processor, other tools, other code or an edited profile have to be proven anew.

    A build of ffmpeg may lack a library and yet tell the same version: so its file counts too.
    """
    file = os.stat(ffmpeg())  # noqa: PTH116 - the path is text
    build = [ffmpeg(), file.st_size, file.st_mtime_ns]
    here = [_processor(), _code(), profile_key(profile), versions(), build]
    known = json.dumps(here, sort_keys=True)
    return f"proven-{profile.name}-{hashlib.sha256(known.encode()).hexdigest()[:16]}.json"


@cache
def _processor() -> list[str]:
    """What it is and can do, else the machine's name, which each container has of its own."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return sorted({line for line in lines if line.startswith(_PROCESSOR)}) or [platform.node()]


@cache
def _code() -> str:
    """The hash of what makes a proof and checks it: one release may be of many states."""
    files = sorted(Path(pipelines.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
