"""What a profile is known by where its proof is kept: name, version and what it makes."""

from __future__ import annotations

import hashlib
import json

from pipelines.profiles.profile import Profile
from pipelines.records import to_json

_WORDS = ("title_en", "title_zh", "basis")  # what people read changes nothing that is encoded


def profile_key(profile: Profile) -> str:
    """`name@version-hash`: another one after any change that an encode could show.

    Fields that have their default don't count, so that a later version of Kapok, which knows more
    of them, finds what was planned by the same key. A default must therefore never change.
    """
    stated = to_json(profile, defaults=False)
    made = {name: value for name, value in stated.items() if name not in _WORDS}
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    return f"{profile.name}@{profile.version}-{digest[:16]}"
