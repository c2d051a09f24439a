"""What a profile is known by where its proof is kept: name, version and what it makes."""

from __future__ import annotations

import hashlib
import json

from pipelines.profiles.profile import Profile
from pipelines.records import to_json

_WORDS = ("title_en", "title_zh", "basis")  # what people read changes nothing that is encoded


def profile_key(profile: Profile) -> str:
    """`name@version-hash`: another one after any change that an encode could show."""
    made = {name: value for name, value in to_json(profile).items() if name not in _WORDS}
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    return f"{profile.name}@{profile.version}-{digest[:16]}"
