"""Settings: where things are and how long they live. Distributed mode is chosen here alone."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from pipelines.planning.chunks import CHUNK_MIN_S
from pipelines.planning.plan_types import SEARCH_SHARE
from pipelines.running.sandbox import machine_memory_bytes
from storage.errors import InvalidSettings
from storage.files import need_links

GIB = 1024**3
MOST_LEASE_S = 3600.0  # [P] a lease that ends later was written by a clock that was ahead
MEMORY_PERCENT = 80  # [P] of the machine's: the rest is for the service, its servers and files
LONGEST_S3_URL_S = 7 * 86_400  # AWS Signature Version 4: X-Amz-Expires is 604800 at most
LEAST_SIGNING_KEY_BYTES = 16  # RFC 2104, section 3, advises 32 for SHA-256; 16 cannot be guessed
_SCHEME = re.compile(r"[a-z+]+")  # anything else before "://" may be a password


@dataclass(frozen=True)
class Settings:
    """Everything that a process of Kapok must know; secrets are left out of `repr`.

    `broker_url` empty means workers in this process; `s3_endpoint` empty means a local folder.
    `public_url` is the API's own base as users reach it: local signed URLs start with it.
    """

    data: Path
    database_url: str = field(repr=False)
    scratch: Path
    broker_url: str | None = field(default=None, repr=False)
    s3_endpoint: str | None = None
    s3_public_endpoint: str | None = None
    s3_access_key: str = field(default="", repr=False)
    s3_secret_key: str = field(default="", repr=False)
    s3_bucket: str = "kapok"
    s3_region: str = "us-east-1"
    signing_key: str | None = field(default=None, repr=False)
    public_url: str = "http://127.0.0.1:8000"
    lease_s: float = 30.0
    sweep_s: float = 5.0
    resend_after_s: float = 60.0
    upload_ttl_s: float = 3 * 86_400.0
    unproven_ttl_s: float = 30 * 86_400.0
    work_ttl_s: float = (
        7 * 86_400.0
    )  # a failed job's intermediate files, so that a retry can use them
    signed_url_ttl_s: float = 3_600.0
    max_upload_bytes: int = 5 * 1024 * GIB  # what S3 allows one object
    chunk_min_s: float = CHUNK_MIN_S  # 0 encodes every programme in one piece
    search_share: float = SEARCH_SHARE  # of the encode's time; 0 probes nothing
    # What the steps that run on this machine may hold together.
    memory_bytes: int = field(default_factory=lambda: _memory_bytes({}))
    cores: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))

    @property
    def beat_s(self) -> float:
        """How often a worker says that it lives, whatever it works on."""
        return self.lease_s

    @property
    def embedded(self) -> bool:
        """Workers run in the process of the API."""
        return self.broker_url is None

    @property
    def alone(self) -> bool:
        """Nobody but the holder of the data folder's lock can work on the catalogue."""
        return self.embedded and self.database_url == _database_url(None, self.data)


def load_settings(data: Path | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; `data` wins over `KAPOK_DATA`, or else `./kapok-data`.

    Each secret may come as `NAME_FILE`, the path of a file that holds it.
    """
    folder = (data or Path(env.get("KAPOK_DATA") or "kapok-data")).absolute()
    s3_endpoint = _s3_endpoint(env, "KAPOK_S3_ENDPOINT")
    access_key, secret_key = (_secret(env, f"KAPOK_S3_{name}_KEY") for name in ("ACCESS", "SECRET"))
    if s3_endpoint and not (access_key and secret_key):
        raise InvalidSettings(
            "KAPOK_S3_ENDPOINT is set: set KAPOK_S3_ACCESS_KEY and KAPOK_S3_SECRET_KEY too"
        )
    return Settings(
        data=folder,
        database_url=_database_url(_secret(env, "KAPOK_DATABASE_URL"), folder),
        broker_url=_secret(env, "KAPOK_BROKER_URL"),
        s3_endpoint=s3_endpoint,
        s3_public_endpoint=_s3_endpoint(env, "KAPOK_S3_PUBLIC_ENDPOINT") or s3_endpoint,
        s3_access_key=access_key or "",
        s3_secret_key=secret_key or "",
        s3_bucket=env.get("KAPOK_S3_BUCKET") or Settings.s3_bucket,
        s3_region=env.get("KAPOK_S3_REGION") or Settings.s3_region,
        signing_key=_signing_key(env),
        public_url=_url(env, "KAPOK_PUBLIC_URL", "http", "https") or Settings.public_url,
        scratch=Path(env.get("KAPOK_SCRATCH") or folder / "scratch").absolute(),
        lease_s=_seconds(env, "KAPOK_LEASE_S", Settings.lease_s, most=MOST_LEASE_S),
        sweep_s=_seconds(env, "KAPOK_SWEEP_S", Settings.sweep_s),
        resend_after_s=_seconds(env, "KAPOK_RESEND_AFTER_S", Settings.resend_after_s),
        upload_ttl_s=_seconds(env, "KAPOK_UPLOAD_TTL_S", Settings.upload_ttl_s),
        unproven_ttl_s=_seconds(env, "KAPOK_UNPROVEN_TTL_S", Settings.unproven_ttl_s),
        work_ttl_s=_seconds(env, "KAPOK_WORK_TTL_S", Settings.work_ttl_s),
        chunk_min_s=_seconds(env, "KAPOK_CHUNK_MIN_S", CHUNK_MIN_S, least=0),
        search_share=_seconds(env, "KAPOK_SEARCH_SHARE", SEARCH_SHARE, 0, "a share"),
        signed_url_ttl_s=_signed_url_ttl_s(env, s3_endpoint),
        memory_bytes=_memory_bytes(env),
    )


def data_signing_key(settings: Settings) -> bytes:
    """The key of signed URLs: `KAPOK_SIGNING_KEY`, else random, kept in DATA/signing.key (0600).

    Several API processes that do not share DATA must be given the same `KAPOK_SIGNING_KEY`. Raises
    `InvalidSettings` for a key that can be guessed: whoever has it can read every file.
    """
    if settings.signing_key:
        return settings.signing_key.encode()
    path = settings.data / "signing.key"
    settings.data.mkdir(parents=True, exist_ok=True)
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return _create_signing_key(path)
    if len(key.strip()) < LEAST_SIGNING_KEY_BYTES:
        raise InvalidSettings(
            f"{path} has fewer than {LEAST_SIGNING_KEY_BYTES} bytes, so that anybody could sign "
            "URLs: delete it, and a new one is made at the next start; URLs that were handed out "
            "then end"
        )
    return key


def _signing_key(env: Mapping[str, str]) -> str | None:
    key = _secret(env, "KAPOK_SIGNING_KEY")
    if key is not None and len(key.strip().encode()) < LEAST_SIGNING_KEY_BYTES:
        raise InvalidSettings(
            f"KAPOK_SIGNING_KEY has fewer than {LEAST_SIGNING_KEY_BYTES} bytes, so that anybody "
            "could sign URLs: write a random one, as `openssl rand -hex 32` makes it"
        )
    return key


def _create_signing_key(path: Path) -> bytes:
    """Write aside and link: whoever comes first wins, and nobody reads half a key."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(32).encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        with need_links(path.parent), suppress(FileExistsError):
            path.hardlink_to(aside)
    finally:
        aside.unlink()
    return path.read_bytes()


def _secret(env: Mapping[str, str], name: str) -> str | None:
    file = env.get(f"{name}_FILE")
    if not file:
        return env.get(name) or None
    try:
        secret = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidSettings(
            f"{name}_FILE names {file}, which cannot be read: {error.strerror}"
        ) from error
    if not secret:  # else what it should have replaced would be in force, without a word
        raise InvalidSettings(f"{name}_FILE names {file}, which is empty: write the secret into it")
    return secret


def _url(env: Mapping[str, str], name: str, *schemes: str) -> str | None:
    value = (env.get(name) or "").rstrip("/")
    if value and not _is_url(value, schemes):
        raise InvalidSettings(f"{name} is {value!r}: write it as {schemes[0]}://host:port")
    return value or None


def _s3_endpoint(env: Mapping[str, str], name: str) -> str | None:
    """Scheme, host and port: the SDK knows nothing else, and would drop it without a word."""
    value = _url(env, name, "http", "https")
    parts = urlsplit(value or "")
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise InvalidSettings(
            f"{name} has a path, a query or a user, which an S3 endpoint cannot have: write it as "
            "http://host:port, and keys into KAPOK_S3_ACCESS_KEY and KAPOK_S3_SECRET_KEY"
        )
    return value


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # half of an IPv6 address's brackets
        return False
    return parts.scheme in schemes and bool(parts.netloc)


def _database_url(given: str | None, data: Path) -> str:
    """SQLAlchemy's spelling; `postgres://` and `postgresql://` both mean psycopg 3 here."""
    if given is None:
        return f"sqlite:///{_quoted(data / 'kapok.db')}"
    scheme, _, rest = given.partition("://")
    if scheme in {"postgres", "postgresql", "postgresql+psycopg"}:
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite":
        return given
    known = f"begins with '{scheme}:'" if _SCHEME.fullmatch(scheme) and rest else "has no scheme"
    raise InvalidSettings(f"KAPOK_DATABASE_URL {known}: use postgresql://… or sqlite:///…")


def _quoted(path: Path) -> str:
    """A `%` or `?` in a path is a character of it, in a URL it is not."""
    try:
        return quote(str(path))
    except UnicodeEncodeError as error:
        name = str(path).encode("utf-8", "backslashreplace").decode()
        raise InvalidSettings(
            f"the data folder's path is not UTF-8 ({name}): give another --data or KAPOK_DATA"
        ) from error


def _memory_bytes(env: Mapping[str, str]) -> int:
    text = env.get("KAPOK_MEMORY_BYTES")
    if not text:
        return machine_memory_bytes() * MEMORY_PERCENT // 100
    if not text.isdigit() or not int(text):
        raise InvalidSettings(
            f"KAPOK_MEMORY_BYTES is {text!r}: write how many bytes the steps of this machine may "
            "hold together, as 17179869184 for 16 GiB"
        )
    return int(text)


def _signed_url_ttl_s(env: Mapping[str, str], s3_endpoint: str | None) -> float:
    ttl_s = _seconds(env, "KAPOK_SIGNED_URL_TTL_S", Settings.signed_url_ttl_s)
    if s3_endpoint and ttl_s > LONGEST_S3_URL_S:
        raise InvalidSettings(
            f"KAPOK_SIGNED_URL_TTL_S is {ttl_s:g}: a URL that S3 signs ends after "
            f"{LONGEST_S3_URL_S} seconds at the latest, so write no more"
        )
    return ttl_s


def _seconds(
    env: Mapping[str, str],
    name: str,
    default: float,
    least: float | None = None,
    what: str = "a number of seconds",
    most: float = float("inf"),
) -> float:
    """Above 0, or at least `least`; at most `most`."""
    text = env.get(name)
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    enough = value > 0 if least is None else value >= least
    if not (enough and value <= most and value < float("inf")):
        bound = "above 0" if least is None else f"of at least {least:g}"
        bound += f" and at most {most:g}" if most < float("inf") else ""
        raise InvalidSettings(f"{name} is {text!r}: write {what} {bound}")
    return value
