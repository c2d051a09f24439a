"""The whole way of a file, on this machine, through the same HTTP API that everybody uses."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kapok.checksums import declared_checksums
from kapok.client import Client
from kapok.demo_folder import DATA, prepare_folder, remember
from kapok.demo_result import compose
from kapok.errors import ApiError
from kapok.language import t
from kapok.up import Running, whole_service

if TYPE_CHECKING:
    from kapok.demo_screen import Screen

Record = dict[str, Any]
CENTRE = "foshan"
ACCESS = "mobile-540p"  # what every browser plays
PROGRAMME, TAPE = "programme_2160p50_hlg", "tape_1080i25"
ABSENT = ("not_made_yet", "package_not_found")


@dataclass(frozen=True, slots=True)
class Act:
    """One half of the work: a file, what is asked of it, and where its results go."""

    title: str
    file: Path
    keep: Path
    profiles: tuple[str, ...] = ()
    ladder: str | None = None
    source_colour: str | None = None


@dataclass(slots=True)
class Stopwatch:
    """Wall seconds of each stage, in order."""

    began: float = field(default_factory=time.monotonic)
    stages: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.stages[stage] = self.stages.get(stage, 0.0) + time.monotonic() - began

    def record(self) -> dict[str, float]:
        total = {"total": time.monotonic() - self.began}
        return {name: round(value, 3) for name, value in {**total, **self.stages}.items()}


def play(
    screen: Screen,
    keep: Path,
    *,
    file: Path | None = None,
    profiles: Sequence[str] = (),
    chunk_min_s: float | None = None,
    source_colour: str | None = None,
) -> Record:
    """Run the demo and return its JSON object; without a file, two samples are made and played."""
    watch = Stopwatch()
    prepare_folder(keep)
    acts = [Act(file.stem, file, keep)] if file else _samples(screen, watch, keep)
    acts[0] = replace(acts[0], profiles=tuple(profiles), source_colour=source_colour)
    for act in acts:
        remember(keep, act.file)
    _log_into(keep / DATA / "kapok.log")
    with _service(screen, watch, keep / DATA, chunk_min_s) as (running, client):
        results = [_perform(screen, running, client, act) for act in acts]
    result = results[0]
    result["timings_s"] = {**result["timings_s"], **watch.record()}
    if len(results) > 1:
        result["heritage"] = results[1]
    return result


def _samples(screen: Screen, watch: Stopwatch, keep: Path) -> list[Act]:
    """The programme and the tape, made here; the tape comes with the museum's checksum file."""
    from sample_media.generate import generate, samples
    from sample_media.sidecar import write_sidecar

    with watch.time("samples"), screen.stage(t("making the samples", "生成样片")):
        programme = generate(PROGRAMME, keep / "samples")
        tape = generate(TAPE, keep / "samples")
        write_sidecar(tape)
    titles = {name: t(sample.title_en, sample.title_zh) for name, sample in samples().items()}
    return [
        Act(titles[PROGRAMME], programme, keep),
        Act(titles[TAPE], tape, keep / "heritage", ladder="archive"),
    ]


@contextmanager
def _service(
    screen: Screen, watch: Stopwatch, data: Path, chunk_min_s: float | None
) -> Iterator[tuple[Running, Client]]:
    with screen.stage(t("starting the service", "启动服务")) as stage:
        began = time.monotonic()
        with whole_service(data, chunk_min_s=chunk_min_s) as running:
            watch.stages["start"] = time.monotonic() - began
            stage.done(running.url)
            with Client(running.url, running.key_file.read_text().strip()) as client:
                yield running, client


def _perform(screen: Screen, running: Running, client: Client, act: Act) -> Record:
    """Upload, wait, collect, publish, pull: one act from its file to a centre's folder."""
    watch = Stopwatch()
    screen.act(act.title, act.file)
    with watch.time("upload"), screen.stage(t("upload", "上传")), screen.transfers() as view:
        sent = client.upload(
            act.file,
            title=act.title,
            profiles=act.profiles,
            ladder=act.ladder,
            source_colour=act.source_colour,
            resume=False,
            on_progress=view,
        )
    with watch.time("job"), screen.stage(t("job", "处理")), screen.job() as job_view:
        job = client.wait(sent.job_id, on_progress=job_view, poll_s=0.5)
    made = [job, *_access_copy(screen, watch, client, job, act.source_colour)]
    steps = [step for one in made for step in client.steps(one["id"])]
    with watch.time("collect"), screen.stage(t("collecting the files", "收集成品")):
        files = collect(client, sent.asset_id, [one["id"] for one in made], act.keep)
    with watch.time("publish"), screen.stage(t("publish", "发布")):
        publication = publish(client, sent.asset_id, files["renditions"], act.keep)
    with watch.time("pull"), screen.stage(t(f"{CENTRE} pulls", "佛山中心拉取")):
        pulled = _pull(running, client, publication["id"], act.keep)
    asset = client.asset(sent.asset_id)
    stages = {**_step_times(steps), **watch.record()}
    declared = declared_checksums(act.file)
    refused = [refusal for one in made for refusal in one["refused"]]
    return compose(act.file, act.keep, asset, refused, files, publication, pulled, declared, stages)


def _access_copy(
    screen: Screen,
    watch: Stopwatch,
    client: Client,
    job: Mapping[str, Any],
    source_colour: str | None,
) -> list[Record]:
    """A second job for a picture of which the first made nothing that a browser plays."""
    asset_id = str(job["asset_id"])
    playable = any(one["job_id"] == job["id"] for one in _packages(client, asset_id))
    if playable or not client.asset(asset_id)["source"].get("width"):
        return []
    title = t("access copy, as nothing else plays in a browser", "访问副本（其余成品无法在线播放）")
    with watch.time("access"), screen.stage(title), screen.job() as job_view:
        more = client.start_job(asset_id, profiles=(ACCESS,), source_colour=source_colour)
        return [client.wait(more["id"], on_progress=job_view, poll_s=0.5)]


def collect(client: Client, asset_id: str, job_ids: Sequence[str], keep: Path) -> Record:
    """Copy everything that was made into `keep`, each file proven by its hash where it has one."""
    made = [item for item in client.renditions(asset_id) if item["job_id"] in job_ids]
    ready = [client.rendition(item["id"]) for item in made if item["state"] == "ready"]
    for rendition in ready:
        suffix = Path(str(rendition["file_name"])).suffix
        rendition["path"] = f"renditions/{rendition['profile']}{suffix}"
        (keep / "renditions").mkdir(parents=True, exist_ok=True)
        client.download_rendition(rendition["id"], keep / rendition["path"])
    return {
        "renditions": ready,
        "posters": _collect_posters(client, asset_id, keep),
        "storyboard": _collect_storyboard(client, asset_id, keep),
        "packages": _collect_package(client, asset_id, job_ids, keep),
    }


def _collect_posters(client: Client, asset_id: str, keep: Path) -> list[Record]:
    posters = _unless_absent(lambda: client.posters(asset_id)) or []
    for number, poster in enumerate(posters, start=1):
        poster["path"] = f"posters/poster-{number}.jpg"
        client.download(poster, keep / poster["path"])
    return posters


def _collect_storyboard(client: Client, asset_id: str, keep: Path) -> Record | None:
    board = _unless_absent(lambda: client.storyboard(asset_id))
    if board is None:
        return None
    for link in (board["vtt"], *board["images"]):
        client.download(link, keep / "storyboard" / link["name"])
    return {
        "vtt": f"storyboard/{board['vtt']['name']}",
        "images": [f"storyboard/{image['name']}" for image in board["images"]],
    }


def _packages(client: Client, asset_id: str) -> list[Record]:
    return _unless_absent(lambda: list(client.packages(asset_id))) or []


def _collect_package(client: Client, asset_id: str, job_ids: Sequence[str], keep: Path) -> Record:
    mine = [one for one in _packages(client, asset_id) if one["job_id"] in job_ids]
    if not mine:
        return {"hls": None, "dash": None}
    for file in client.package_files(asset_id, mine[0]["id"]):
        client.download(file, keep / "packages" / file["path"])
    return {kind: f"packages/{mine[0][kind]}" for kind in ("hls", "dash")}


def _unless_absent(ask: Any) -> Any:
    """The answer, or nothing where this asset has no such thing (sound has no poster)."""
    try:
        return ask()
    except ApiError as error:
        if error.code in ABSENT:
            return None
        raise


def publish(
    client: Client, asset_id: str, renditions: Sequence[Mapping[str, Any]], keep: Path
) -> Record:
    """Into the zone that asks for the best of these renditions; its manifest is kept."""
    publication = client.publish(asset_id, choose_zone(client, renditions))
    manifest = keep / "publication" / "manifest.json"
    client.download(publication["manifest"], manifest)
    json.loads(manifest.read_text())
    return {**publication, "manifest_path": "publication/manifest.json"}


def choose_zone(client: Client, renditions: Sequence[Mapping[str, Any]]) -> str:
    """The zone that the best rendition opens; a new one where no zone asks for any of them."""
    zones = client.zones()
    for rendition in renditions:
        for zone in zones:
            if rendition["profile"] in zone["required_profiles"]:
                return str(zone["name"])
    profiles = [str(rendition["profile"]) for rendition in renditions[:1]]
    if not any(zone["name"] == "demo" for zone in zones):
        client.create_zone("demo", title=t("Demonstration", "演示"), required_profiles=profiles)
    return "demo"


def _pull(running: Running, client: Client, publication_id: str, keep: Path) -> list[Record]:
    """As the centre itself: with a key that can do nothing but pull."""
    secret = client.create_key(CENTRE, "centre")["secret"]
    with Client(running.url, secret) as centre:
        pulled = centre.pull(CENTRE, keep / "pulled", since="")
    return [
        {"path": f"pulled/{file.path}", "sha256": file.sha256, "verified": file.verified}
        for file in pulled.files
        if file.publication_id == publication_id
    ]


def _step_times(steps: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds that the steps of each kind took, added up."""
    from datetime import datetime

    times: dict[str, float] = {}
    for step in steps:
        if step["started_at"] and step["finished_at"]:
            began, ended = (datetime.fromisoformat(step[k]) for k in ("started_at", "finished_at"))
            spent = (ended - began).total_seconds()
            times[step["kind"]] = round(times.get(step["kind"], 0.0) + spent, 3)
    return times


def _log_into(path: Path) -> None:
    """The service's log goes to a file: the screen belongs to the demo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the service logs the same requests
