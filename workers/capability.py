"""Which profiles this machine can really do: proven once for each set of tools, then remembered."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path

from pipelines.cache_files import is_kept, kept_file
from pipelines.capabilities import Capability, proving
from pipelines.profile import Profile
from pipelines.progress import Progress
from pipelines.tools import versions


def unavailable(
    profiles: Sequence[Profile], scratch: Path, remembered: Path | None = None
) -> Generator[Progress, None, dict[str, str]]:
    """The profiles that cannot be met here, each with its reason.

    Only success is remembered, in the folder `remembered`, else in the user's cache: what failed by
    a full disk or for want of a library is proven again the next time.
    """
    reasons: dict[str, str] = {}
    for profile in profiles:
        name = _name(profile)
        if is_kept(name, remembered):
            continue
        folder = scratch / f"prove-{profile.name}"
        folder.mkdir()
        capability = yield from proving(profile, folder)
        if capability.available:
            kept_file(name, partial(_document, capability), remembered)
        else:
            reasons[profile.name] = capability.reason or "the proof failed"
    return reasons


def _document(capability: Capability) -> bytes:
    proven = {"profile": capability.profile, "tools": dict(capability.tools)}
    return json.dumps(proven, indent=2).encode()


def _name(profile: Profile) -> str:
    """Another machine, other tools or an edited profile have to be proven anew."""
    known = json.dumps([platform.node(), repr(profile), versions()], sort_keys=True)
    return f"proven-{profile.name}-{hashlib.sha256(known.encode()).hexdigest()[:16]}.json"
