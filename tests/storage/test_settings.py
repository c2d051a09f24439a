"""Settings and ids: what a process knows before it opens anything."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from worlds import at_once

from pipelines.running.sandbox import machine_memory_bytes
from storage.database import Database
from storage.errors import InvalidSettings
from storage.ids import ALPHABET, made_at, new_id
from storage.objects import open_store
from storage.objects_local import LocalStore
from storage.objects_minio import MinioStore
from storage.settings import data_signing_key, load_settings

S3 = {
    "KAPOK_S3_ENDPOINT": "http://minio:9000",
    "KAPOK_S3_ACCESS_KEY": "access",
    "KAPOK_S3_SECRET_KEY": "s3cret",
}


def test_without_settings_everything_is_embedded_in_one_folder(tmp_path: Path) -> None:
    """SQLite, a local store, workers in the process."""
    settings = load_settings(tmp_path, {})
    assert settings.database_url == f"sqlite:///{tmp_path / 'kapok.db'}"
    assert settings.scratch == tmp_path / "scratch"
    assert settings.embedded
    assert isinstance(open_store(settings), LocalStore)


@pytest.mark.parametrize("name", ["p%41q", "a?1", "with space", "木棉 #1", "a@b:c"])
def test_the_catalogue_lies_in_the_data_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    """A URL has its own mind about % and ?: two folders could share one catalogue."""
    folder = tmp_path / name

    Database(load_settings(folder, {}).database_url).migrate()

    assert (folder / "kapok.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_data_folder_whose_name_is_not_utf_8_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="not UTF-8"):
        load_settings(Path("/data/\udcff"), {})


def test_half_an_address_is_no_url(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="KAPOK_PUBLIC_URL"):
        load_settings(tmp_path, {"KAPOK_PUBLIC_URL": "http://[::1"})


def test_distributed_mode_is_chosen_by_settings_alone(tmp_path: Path) -> None:
    """Both spellings of PostgreSQL's URL mean psycopg 3; the public address is the internal one."""
    env = {
        **S3,
        "KAPOK_DATABASE_URL": "postgresql://kapok:pw@db/kapok",
        "KAPOK_BROKER_URL": "redis://redis:6379/0",
        "KAPOK_LEASE_S": "2.5",
    }
    settings = load_settings(tmp_path, env)
    assert settings.database_url == "postgresql+psycopg://kapok:pw@db/kapok"
    assert (settings.broker_url, settings.embedded) == ("redis://redis:6379/0", False)
    assert settings.s3_public_endpoint == "http://minio:9000"
    assert settings.lease_s == 2.5
    assert isinstance(open_store(settings), MinioStore)


def test_no_secret_is_in_the_text_of_settings(tmp_path: Path) -> None:
    """They are logged at start."""
    env = {
        **S3,
        "KAPOK_DATABASE_URL": "postgresql://kapok:dbpass@db/kapok",
        "KAPOK_BROKER_URL": "redis://:redispass@redis",
        "KAPOK_SIGNING_KEY": "signpass of sixteen",
    }
    words = repr(load_settings(tmp_path, env))
    for secret in ("dbpass", "redispass", "s3cret", "signpass of sixteen"):
        assert secret not in words
    assert "http://minio:9000" in words


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("KAPOK_DATABASE_URL", "database_url"),
        ("KAPOK_BROKER_URL", "broker_url"),
        ("KAPOK_S3_ACCESS_KEY", "s3_access_key"),
        ("KAPOK_S3_SECRET_KEY", "s3_secret_key"),
        ("KAPOK_SIGNING_KEY", "signing_key"),
    ],
)
def test_every_secret_may_come_from_a_file(tmp_path: Path, name: str, field: str) -> None:
    """As orchestrators mount them, with a newline at the end."""
    file = tmp_path / "secret"
    file.write_text("postgresql+psycopg://x\n")
    settings = load_settings(tmp_path, {f"{name}_FILE": str(file)})
    assert getattr(settings, field) == "postgresql+psycopg://x"


def test_only_the_holder_of_the_data_folder_is_alone(tmp_path: Path) -> None:
    """With another database or a broker, workers elsewhere may hold steps."""
    assert load_settings(tmp_path, {}).alone
    assert not load_settings(tmp_path, {"KAPOK_DATABASE_URL": "sqlite:////srv/kapok.db"}).alone
    assert not load_settings(tmp_path, {"KAPOK_BROKER_URL": "redis://redis:6379/0"}).alone


def test_chunking_can_be_switched_off(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {}).chunk_min_s == 6
    assert load_settings(tmp_path, {"KAPOK_CHUNK_MIN_S": "0"}).chunk_min_s == 0


def test_steps_may_hold_four_fifths_of_the_memory_there_is(tmp_path: Path) -> None:
    """A container's limit counts where it is lower than the machine's."""
    had = machine_memory_bytes()
    assert load_settings(tmp_path, {}).memory_bytes == had * 80 // 100
    assert load_settings(tmp_path, {"KAPOK_MEMORY_BYTES": "5000"}).memory_bytes == 5000
    (tmp_path / "memory.max").write_text("1000\n")
    assert machine_memory_bytes(tmp_path) == 1000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_memory_bytes(tmp_path) >= had


def test_probing_can_be_switched_off(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {}).search_share == 0.07
    assert load_settings(tmp_path, {"KAPOK_SEARCH_SHARE": "0"}).search_share == 0


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"KAPOK_MEMORY_BYTES": "8G"}, "KAPOK_MEMORY_BYTES is '8G': write how many bytes"),
        ({"KAPOK_DATABASE_URL": "mysql://x"}, "KAPOK_DATABASE_URL begins with 'mysql:'"),
        ({"KAPOK_DATABASE_URL": "kapok:secret@db/kapok"}, "KAPOK_DATABASE_URL has no scheme"),
        ({"KAPOK_DATABASE_URL_FILE": "/nonexistent"}, "KAPOK_DATABASE_URL_FILE names /nonexistent"),
        ({"KAPOK_S3_ENDPOINT": "minio:9000"}, "KAPOK_S3_ENDPOINT is 'minio:9000'"),
        ({"KAPOK_S3_ENDPOINT": "http://minio:9000"}, "set KAPOK_S3_ACCESS_KEY"),
        ({"KAPOK_S3_ENDPOINT": "http://minio:9000/s3"}, "KAPOK_S3_ENDPOINT has a path"),
        ({"KAPOK_S3_ENDPOINT": "http://key:secret@minio"}, "KAPOK_S3_ENDPOINT has a path"),
        ({"KAPOK_S3_PUBLIC_ENDPOINT": "https://m?x=1"}, "KAPOK_S3_PUBLIC_ENDPOINT has a path"),
        ({"KAPOK_LEASE_S": "soon"}, "KAPOK_LEASE_S is 'soon'"),
        ({"KAPOK_LEASE_S": "0"}, "KAPOK_LEASE_S is '0'"),
        ({"KAPOK_LEASE_S": "3601"}, "above 0 and at most 3600"),
        ({"KAPOK_SWEEP_S": "nan"}, "KAPOK_SWEEP_S is 'nan'"),
        ({"KAPOK_CHUNK_MIN_S": "-1"}, "KAPOK_CHUNK_MIN_S is '-1': write a number of seconds of at"),
        ({"KAPOK_SIGNING_KEY": "木棉木棉木"}, "KAPOK_SIGNING_KEY has fewer than 16 bytes"),
        ({"KAPOK_SEARCH_SHARE": "all"}, "KAPOK_SEARCH_SHARE is 'all': write a share of at least 0"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, env: dict[str, str], words: str) -> None:
    """The text says which variable, and how to write it."""
    with pytest.raises(InvalidSettings, match=re.escape(words)):
        load_settings(tmp_path, env)


def test_the_signing_key_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    """Eight processes that start at once share one key."""
    settings = load_settings(tmp_path, {})
    found = at_once([lambda: data_signing_key(settings)] * 8)
    assert len(set(found)) == 1
    assert len(found[0]) == 64
    path = tmp_path / "signing.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["signing.key"]
    given = load_settings(tmp_path, {"KAPOK_SIGNING_KEY": "given to all of us"})
    assert data_signing_key(given) == b"given to all of us"


@pytest.mark.parametrize("kept", [b"", b"0123456789abcde", b"  \n" * 16], ids=repr)
def test_a_signing_key_that_can_be_guessed_is_refused(tmp_path: Path, kept: bytes) -> None:
    """In the data folder too, where a full disk or a hand left it: anybody could sign URLs."""
    (tmp_path / "signing.key").write_bytes(kept)
    with pytest.raises(InvalidSettings, match=r"signing\.key has fewer than 16 bytes"):
        data_signing_key(load_settings(tmp_path, {}))
    assert (tmp_path / "signing.key").read_bytes() == kept
    (tmp_path / "signing.key").write_bytes(b"0123456789abcdef")
    assert data_signing_key(load_settings(tmp_path, {})) == b"0123456789abcdef"


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    """What stands for no secret would else be in force: SQLite, or a random key."""
    (tmp_path / "secret").write_text("\n")
    for name in ("KAPOK_SIGNING_KEY", "KAPOK_DATABASE_URL"):
        with pytest.raises(InvalidSettings, match=f"{name}_FILE names .*secret, which is empty"):
            load_settings(tmp_path, {f"{name}_FILE": str(tmp_path / "secret")})


def test_signed_urls_live_as_long_as_their_answer_says(tmp_path: Path) -> None:
    """S3 takes a week at most; a local folder's URLs are Kapok's own."""
    week, more = {"KAPOK_SIGNED_URL_TTL_S": "604800"}, {"KAPOK_SIGNED_URL_TTL_S": "604801"}
    assert load_settings(tmp_path, {**S3, **week}).signed_url_ttl_s == 604_800
    assert load_settings(tmp_path, more).signed_url_ttl_s == 604_801
    with pytest.raises(InvalidSettings, match="KAPOK_SIGNED_URL_TTL_S is 604801: a URL that S3"):
        load_settings(tmp_path, {**S3, **more})


def test_ids_sort_by_time_and_rise_strictly_within_a_process() -> None:
    """Prefix, underscore, 26 characters of Crockford's alphabet."""
    made = [new_id("ast") for _ in range(5_000)]
    assert made == sorted(set(made))
    assert re.fullmatch(f"ast_[{ALPHABET}]{{26}}", made[0])
    time.sleep(0.002)
    assert new_id("ast") > made[-1]
    assert abs(made_at(made[0]).timestamp() - time.time()) < 60


def test_ids_of_many_threads_never_collide() -> None:
    """Twenty threads, a thousand ids each."""
    found = at_once([lambda: [new_id("ast") for _ in range(1_000)]] * 20)
    assert len({one for made in found for one in made}) == 20_000
