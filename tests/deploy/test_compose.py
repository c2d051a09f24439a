"""docker-compose.yml holds to the Compose Specification, and its commands to Kapok's own parser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml
from missing import missing_tool

from kapok.app import app
from storage.database import CONNECTIONS
from storage.settings import load_settings
from workers.broker import QUEUES

ROOT = Path(__file__).parent.parent.parent
# The specification's schema travels inside Docker's own loader; Go's checksum database proves it.
SCHEMA_MODULE = "github.com/compose-spec/compose-go/v2@v2.9.0"
KAPOK_SERVICES = ("migrate", "api", *QUEUES)


def interpolated(text: str) -> str:
    """What Compose does with `${NAME:-default}` and `$$` when no NAME is set."""
    return re.sub(r"\$(?:\$|\{\w+:-([^}]*)\})", lambda found: found[1] or "$", text)


def compose_file() -> dict[str, Any]:
    """docker-compose.yml as Compose reads it with an empty environment."""
    text = interpolated((ROOT / "docker-compose.yml").read_text("utf-8"))
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return compose_file()


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def compose_schema(folder: Path) -> dict[str, Any]:
    """The schema out of Docker's loader; a laptop without Go or network skips, CI fails."""
    unable = "the Compose schema needs Go and its module proxy"
    if shutil.which("go"):
        argv = ["go", "mod", "download", "-json", SCHEMA_MODULE]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            module = Path(json.loads(done.stdout)["Dir"])
            schema: dict[str, Any] = json.loads((module / "schema/compose-spec.json").read_text())
            return schema
        unable = f"{unable}: {done.stderr or done.stdout}"
    return missing_tool(unable)


def test_the_file_holds_to_the_compose_specification(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    """Validated by the JSON schema that Docker Compose itself loads."""
    jsonschema.Draft7Validator(compose_schema(tmp_path)).validate(compose)


def test_the_schema_refuses_a_misspelt_key(compose: dict[str, Any], tmp_path: Path) -> None:
    """The validation above is worth something only if it can fail."""
    broken = {**compose, "services": {"api": {"imagee": "kapok"}}}
    with pytest.raises(jsonschema.ValidationError, match="imagee"):
        jsonschema.Draft7Validator(compose_schema(tmp_path)).validate(broken)


def test_there_is_one_worker_service_a_queue(services: dict[str, dict[str, Any]]) -> None:
    """Pools are sized apart: each queue has its own service, of the queue's name."""
    worked = {
        name: service["command"][2]
        for name, service in services.items()
        if service.get("command", [""])[0] == "worker"
    }
    assert worked == {queue: queue for queue in QUEUES}


@pytest.mark.parametrize("name", KAPOK_SERVICES)
def test_each_command_parses(name: str, services: dict[str, dict[str, Any]]) -> None:
    """Every word is one that `kapok … --help` offers; nothing runs."""
    word, *arguments = services[name]["command"]
    root = typer.main.get_command(app)
    with typer.Context(root, info_name="kapok") as parent:
        found = root.get_command(parent, word)  # type: ignore[attr-defined]
        assert found is not None
        found.make_context(word, list(arguments), parent=parent)


def test_each_service_says_when_it_is_healthy(services: dict[str, dict[str, Any]]) -> None:
    """All but the migration, which runs once; whoever waits for another waits for its health."""
    unhealthy = [name for name, service in services.items() if "test" not in service["healthcheck"]]
    assert unhealthy == ["migrate"]
    for service in services.values():
        for other, condition in service.get("depends_on", {}).items():
            once = "test" not in services[other]["healthcheck"]
            wanted = "service_completed_successfully" if once else "service_healthy"
            assert condition == {"condition": wanted}


def test_the_catalogue_is_healthy_where_others_reach_it(
    services: dict[str, dict[str, Any]],
) -> None:
    """While its first start makes it, a server answers at the Unix socket and not by TCP."""
    _, tool, *words = services["postgres"]["healthcheck"]["test"]
    assert tool == "pg_isready"
    assert words[words.index("--host") + 1] == "127.0.0.1"


def test_no_service_has_a_capability_and_only_the_store_is_root(
    services: dict[str, dict[str, Any]],
) -> None:
    """The store's image has no user that could own a fresh volume; it is root without powers."""
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert [name for name, service in services.items() if "user" not in service] == ["store"]
    assert {services[name]["user"] for name in KAPOK_SERVICES} == {"10001:10001"}


def test_no_log_grows_for_ever(services: dict[str, dict[str, Any]]) -> None:
    """Docker's default keeps every line of every container."""
    for service in services.values():
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_postgresql_takes_the_connections_of_scaled_workers(
    services: dict[str, dict[str, Any]],
) -> None:
    """Its default of 100 is less than what API and workers of two hosts may open."""
    *_, limit = services["postgres"]["command"]
    assert limit == f"max_connections={10 * 2 * CONNECTIONS}"  # ten processes, pool and overflow


def test_workers_have_no_way_to_the_internet(compose: dict[str, Any]) -> None:
    """What opens hostile files is on the internal network alone."""
    assert compose["networks"]["inside"]["internal"] is True
    for queue in QUEUES:
        assert compose["services"][queue]["networks"] == ["inside"]


def test_every_volume_and_secret_is_declared_and_used(compose: dict[str, Any]) -> None:
    """Neither a typing error nor a leftover."""
    services = compose["services"].values()
    mounted = {volume.split(":")[0] for s in services for volume in s.get("volumes", [])}
    secrets = {secret for s in services for secret in s.get("secrets", [])}
    assert mounted == set(compose["volumes"])
    assert secrets == set(compose["secrets"])


def test_whatever_must_outlive_a_container_is_on_a_volume(
    services: dict[str, dict[str, Any]],
) -> None:
    """Catalogue, objects, the admin key; and the workers' scratch, which is large."""
    assert services["postgres"]["volumes"] == ["catalogue:/var/lib/postgresql/data"]
    assert services["store"]["volumes"] == ["objects:/data"]
    assert "data:/data" in services["migrate"]["volumes"]


def test_all_workers_of_a_host_share_one_account_of_its_memory(
    services: dict[str, dict[str, Any]],
) -> None:
    """It lies in their scratch root: with one for each, each would give 80 % of the host."""
    assert {tuple(services[queue]["volumes"]) for queue in QUEUES} == {("scratch:/scratch",)}


def test_images_of_others_are_pinned_to_a_version(services: dict[str, dict[str, Any]]) -> None:
    """`latest` changes under an operator's feet; the store is the maintained fork, dated."""
    images = {name: services[name]["image"] for name in ("postgres", "redis", "store")}
    assert images["store"] == "pgsty/silo:RELEASE.2026-08-06T00-00-00Z"
    assert all(re.search(r":[\w.-]*\d", image) for image in images.values())


def test_the_settings_mean_what_the_file_intends(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Kapok reads exactly this environment, the secrets out of files that the script makes."""
    shutil.copy(ROOT / "deploy" / "make-secrets.sh", tmp_path)
    subprocess.run(["bash", tmp_path / "make-secrets.sh"], check=True, capture_output=True)
    secret = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    environment = {
        key: value.replace("/run/secrets", str(tmp_path / "secrets"))
        for key, value in services["encode"]["environment"].items()
    }
    settings = load_settings(tmp_path, environment)
    password = secret["postgres_password"]
    assert settings.database_url == f"postgresql+psycopg://kapok:{password}@postgres:5432/kapok"
    assert settings.broker_url == f"redis://:{secret['redis_password']}@redis:6379/0"
    assert settings.s3_endpoint == "http://store:9000"
    assert settings.s3_public_endpoint == "http://127.0.0.1:9000"
    assert (settings.s3_access_key, settings.s3_secret_key) == ("kapok", secret["s3_secret_key"])
    assert settings.signing_key == secret["signing_key"]
    assert settings.public_url == "http://127.0.0.1:8000"


def test_secrets_are_made_once_and_nobody_else_can_enter_their_folder(tmp_path: Path) -> None:
    """A second run must not change the password of a database that exists."""
    shutil.copy(ROOT / "deploy" / "make-secrets.sh", tmp_path)
    run = ["bash", str(tmp_path / "make-secrets.sh")]
    subprocess.run(run, check=True, capture_output=True)
    first = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    subprocess.run(run, check=True, capture_output=True)
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == first
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert len(set(first.values())) == len(first)
