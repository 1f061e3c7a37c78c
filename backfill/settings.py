"""Settings, read once from BACKFILL_* environment variables and frozen; units are in the names."""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from backfill.roles import Role

MAX_SOCKET_PATH = 103


class Settings(BaseSettings):
    """Every setting of the product. The environment variable is `BACKFILL_` + the upper name."""

    model_config = SettingsConfigDict(env_prefix="BACKFILL_", frozen=True, extra="ignore")

    home: Path = Field(
        default=Path(".backfill"),
        description="Folder of the embedded database, broker data, outputs and process files.",
    )
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL; empty means SQLite in the home folder. "
        "PostgreSQL: postgresql+psycopg://user:password@host/name.",
    )
    broker_url: str = Field(
        default="",
        description="Celery broker: redis://, rediss://, redis+socket:// or amqp://; empty means "
        "the embedded Valkey in the home folder.",
    )
    storage_url: str = Field(
        default="",
        description="Where step outputs are kept: a folder or any fsspec URL; empty means "
        "`outputs` in the home folder.",
    )
    definitions: str = Field(
        default="",
        description="Comma-separated modules or files that hold the definitions.",
    )
    reload: bool = Field(
        default=False,
        description="Load definitions again when their files change (on in `backfill dev`).",
    )
    host: str = Field(default="127.0.0.1", description="Address the API binds to.")
    port: int = Field(default=8000, description="Port the API binds to.")
    api_url: str = Field(
        default="http://127.0.0.1:8000", description="Where the CLI and the client find the API."
    )
    token: str = Field(default="", description="Bearer token the CLI and the client send.")
    flower_url: str = Field(
        default="", description="Base URL of Flower, for links from runs to their Celery tasks."
    )
    default_queue: str = Field(default="backfill", description="Celery queue of untagged runs.")
    lease_seconds: float = Field(
        default=60.0,
        gt=0,
        description="A worker that says nothing for this long has lost its runs.",
    )
    beat_seconds: float = Field(
        default=15.0, gt=0, description="How often a worker renews its leases."
    )
    worker_nice: int = Field(
        default=10,
        ge=0,
        le=19,
        description="How much the processes that execute steps yield to others on their machine, "
        "such as the coordinator, the API and the database; 0 for not at all.",
    )
    republish_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A queued run nobody claimed is published again after this, up to 10 min.",
    )
    max_crashes: int = Field(
        default=3, ge=1, description="Lost workers a run survives before it fails."
    )
    queued_per_slot: int = Field(
        default=4, ge=1, description="Messages kept queued per worker slot; the rest stay pending."
    )
    pool_slots: int = Field(
        default=1, ge=0, description="Slots of a pool that nobody has given a number."
    )
    schedule_priority: int = Field(
        default=0,
        ge=-1000,
        le=1000,
        description="Priority of a schedule's runs without a `backfill/priority` tag; backfills "
        "have 0 unless they say otherwise.",
    )
    pack_seconds: float = Field(
        default=0.25,
        ge=0,
        description="At most this much work of tiny runs goes into one message; 0: one run each.",
    )
    pack_limit: int = Field(default=128, ge=1, description="At most this many runs per message.")
    expand_chunk: int = Field(
        default=8_000, ge=1, description="Partitions expanded into runs per transaction."
    )
    max_partitions: int = Field(
        default=2_000_000, ge=1, description="A larger selection is refused at submit."
    )
    flush_milliseconds: float = Field(
        default=40.0, ge=0, description="Outcomes of this long are committed in one transaction."
    )
    log_lines_per_run: int = Field(
        default=10_000, ge=1, description="Further log lines of a run are dropped, and it says so."
    )
    call_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Time limit of one call of a partition, config or selector function.",
    )
    cancel_grace_seconds: float = Field(
        default=10.0,
        ge=0,
        description="A canceled step that goes on this long is ended with its worker process.",
    )
    retry_delay_seconds: float = Field(
        default=5.0,
        ge=0,
        description="A failed run with budget left is due again after this, doubling every time.",
    )
    shutdown_seconds: float = Field(
        default=25.0,
        ge=0,
        description="A stopping worker lets its steps finish this long, then hands its runs back.",
    )
    webhook_hosts: str = Field(
        default="",
        description="Comma-separated hosts that webhooks may go to: hooks.slack.com, "
        "*.example.com; empty: webhooks are off.",
    )
    webhook_secret: str = Field(
        default="",
        description="What webhooks are signed with (HMAC-SHA256); the same for API and "
        "coordinator.",
    )
    webhook_private: bool = Field(
        default=False,
        description="Webhooks may also go to private and loopback addresses, and use http.",
    )
    webhook_seconds: float = Field(
        default=10.0, gt=0, description="Time limit of one try to deliver to a webhook."
    )
    sso_header: str = Field(
        default="",
        description="Header in which a proxy names who is logged in, such as X-Forwarded-User; "
        "empty: off. Needs BACKFILL_SSO_PROXIES.",
    )
    sso_proxies: str = Field(
        default="",
        description="Comma-separated addresses or networks of the proxies that may set it.",
    )
    sso_role: Role = Field(
        default=Role.VIEWER,
        description="Role of those whom a proxy names: viewer, operator or admin.",
    )
    ready_file: str = Field(
        default="",
        description="A file that a coordinator or worker makes once it is ready; for supervisors.",
    )

    def definition_sources(self) -> list[str]:
        """Return the modules and files that hold the definitions."""
        return [part.strip() for part in self.definitions.split(",") if part.strip()]

    def effective_database_url(self) -> str:
        """Return the database URL, the embedded SQLite file when none is set."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'backfill.db'}"

    def effective_broker_url(self) -> str:
        """Return the broker URL, the embedded Valkey's socket when none is set."""
        return self.broker_url or f"redis+socket://{self.broker_socket()}"

    def broker_socket(self) -> Path:
        """Return the embedded broker's unix socket.

        It lies in the home folder, or, when that path is too long for a socket (104 bytes on
        macOS, 108 on Linux), in a folder of this user under the system's temporary folder.
        """
        home = self.home.resolve()
        if len(os.fsencode(home / "broker.sock")) <= MAX_SOCKET_PATH:
            return home / "broker.sock"
        name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"backfill-{os.getuid()}-{name}" / "broker.sock"

    def effective_storage_url(self) -> str:
        """Return where outputs are kept, a folder in the home folder when none is set."""
        return self.storage_url or str(self.home.resolve() / "outputs")


@cache
def get_settings() -> Settings:
    """Return the process's settings; tests build their own `Settings`."""
    return Settings()
