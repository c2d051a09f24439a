"""The real clips of ../shared/media, and any clip inspected."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pipelines.encoding.cut import LocalFile
from pipelines.encoding.join import join
from pipelines.inspection.inspect import inspect
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.plan import Plan, plan
from pipelines.planning.plan_types import Probe
from pipelines.profiles.profile import Profile
from pipelines.progress import finish
from pipelines.quality.steered_encode import encode_steered
from pipelines.quality.steering import in_order
from pipelines.running import tools
from pipelines.sources.probe import probe

MEDIA = Path(__file__).parent.parent.parent / "shared" / "media"
CLIPS = tuple(
    MEDIA / name
    for name in (
        "studio_1080p25_422_stereo96k.mp4",
        "tracks_720p50_422_8xmono.mp4",
        "street_432p_avc.mp4",
    )
)


@dataclass(frozen=True, slots=True)
class Clip:
    path: Path
    info: MediaInfo
    inspection: Inspection

    def planned(self, chosen: Profile, chunk_min_s: float) -> Plan:
        return plan(self.info, self.inspection, [chosen], chunk_min_s=chunk_min_s)


def looked_at(path: Path, folder: Path) -> Clip:
    info = probe(path)
    images = Path(tempfile.mkdtemp(dir=folder))
    return Clip(path, info, finish(inspect(path, info, images, keep_thumbs=True)))


@dataclass(frozen=True, slots=True)
class Encode:
    """A joined rendition, the probes that steered it, and the seconds that they took."""

    path: Path
    probes: tuple[Probe, ...]
    probing_s: float


def encoded(clip: Clip, made: Plan, folder: Path) -> Encode:
    """The plan's only rung as a job makes it: chunk by chunk, and joined."""
    own, (rung,) = Path(tempfile.mkdtemp(dir=folder)), made.rungs
    pieces: dict[int, Path] = {}
    probes: list[Probe] = []
    probing_s = 0.0
    for chunk in chain(*in_order(made)):
        place = own / str(chunk.index)
        place.mkdir()
        source, looked = LocalFile(clip.path), (clip.info, clip.inspection)
        one = finish(encode_steered(source, made, chunk, *looked, probes, place))
        pieces[chunk.index] = one.encoded.files[rung.profile]
        probes += one.probes
        probing_s += one.seconds
    joined = own / "joined.mp4"
    finish(join(rung, [pieces[at] for at in sorted(pieces)], [], joined, made))
    return Encode(joined, tuple(probes), probing_s)


def played_again(path: Path, seconds: float, folder: Path) -> Path:
    """A programme of so many seconds: the clip with its sound, again and again."""
    out = folder / f"{path.stem}-{seconds:g}s.mp4"
    again = ("-stream_loop", "-1", "-i", str(path), "-t", f"{seconds:g}")
    coded = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-c:a", "aac", "-y", str(out))
    subprocess.run([tools.ffmpeg(), "-nostdin", "-v", "error", *again, *coded], check=True)
    return out
