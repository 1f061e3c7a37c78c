"""The tables. Times are integer microseconds since the epoch, UTC, of the database's clock.

CHECKs tie states to the columns that keep a row alive: a queued run has a next publish time, a
running one a lease, a final one a finish time, so a row that no coordinator would ever reach
cannot be stored.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from backfill.roles import Role
from backfill.states import (
    BACKFILL_FINAL,
    RUN_FINAL,
    AttemptEnd,
    BackfillState,
    ReexecutionMode,
    RunState,
    StepState,
    TickState,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Json = JSON(none_as_null=True)
Id = BigInteger().with_variant(Integer, "sqlite")


def _listed(states: type[StrEnum] | frozenset[RunState] | frozenset[BackfillState]) -> str:
    return ", ".join(sorted(f"'{s.value}'" for s in states))


def _id(*, cache: int = 1) -> Column[int]:
    """An id.

    Args:
        cache: Numbers that a session draws at once. Of rows that come by the thousand many, but
            their order then says little about who came first.
    """
    return Column("id", Id, Identity(cache=cache), primary_key=True)


def _partial(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


pipelines = Table(
    "pipelines",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("runs", BigInteger, nullable=False, server_default="0"),
    Column("mean_run_us", BigInteger),  # exponential mean of executed runs; sizes messages
)

partition_sets = Table(
    "partition_sets",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
)

backfills = Table(
    "backfills",
    metadata,
    _id(),
    Column("set_id", BigInteger, nullable=False),
    Column("pipeline_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("selection", Text, nullable=False),
    Column("selected_at", BigInteger, nullable=False),  # the moment the set was looked at
    Column("reprocess", Text, nullable=False, server_default="all"),
    Column("left_out", Json, nullable=False, server_default="{}"),  # partitions by reason
    Column("code_version", Text),  # of the definitions it was submitted with
    Column("total", BigInteger, nullable=False),
    Column("expanded", BigInteger, nullable=False, server_default="0"),
    Column("expanded_at", BigInteger),
    Column("swept_to", BigInteger),  # place reached by key, in a set that changed
    Column("swept_new", BigInteger),  # runs made by this pass
    Column("vanished", BigInteger, nullable=False, server_default="0"),
    Column("retrying", Json),  # which of its runs are being made again, and how far that is
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("max_active_runs", Integer),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("ordering", Text, nullable=False, server_default="oldest"),
    Column("sequential", Boolean, nullable=False, server_default=text("false")),
    Column("depends_on_previous", Boolean, nullable=False, server_default=text("false")),
    Column("stopped_by", Text),  # the partition that its line waits for in vain
    Column("pools", Json),  # slots that each of its runs takes, by pool
    Column("windows", Json),  # when its runs may start; null: at any time
    Column("max_failures", Integer, nullable=False, server_default="0"),
    Column("queue", Text),
    Column("tags", Json, nullable=False, server_default="{}"),
    Column("run_config", Json),  # merged over the partition's
    Column("steps", Json),  # the chosen steps; null means all
    Column("idempotency_key", Text, unique=True),
    Column("request_hash", Text),
    Column("created_by", Text),
    Column("note", Text),
    Column("pause_reason", Text),
    Column("cloned_from", BigInteger),
    Column("run_timeout_seconds", Float),  # of each attempt of its runs
    Column("timeout_seconds", Float),  # of the backfill as a whole
    Column("on_timeout", Text),  # cancel or pause
    Column("deadline_at", BigInteger),
    Column("partitions_per_run", Integer),  # executed together; 0: all that are neighbours
    Column("hooks", Json),  # names of the definitions' hooks to call, by event
    Column("quiet", Boolean, nullable=False, server_default=text("false")),  # no run hooks
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("pending", BigInteger, nullable=False, server_default="0"),
    Column("queued", BigInteger, nullable=False, server_default="0"),
    Column("running", BigInteger, nullable=False, server_default="0"),
    Column("succeeded", BigInteger, nullable=False, server_default="0"),
    Column("failed", BigInteger, nullable=False, server_default="0"),
    Column("canceled", BigInteger, nullable=False, server_default="0"),
    Column("skipped", BigInteger, nullable=False, server_default="0"),
    Column("canary", Integer),  # so many of its partitions run first, alone
    Column("canary_percent", Integer, nullable=False, server_default="100"),
    Column("canary_state", Text),  # null: it has none
    Column("breaker", Json),  # after which failures it pauses
    Column("breaker_state", Json),  # what was counted since it was armed
    Column("armed_at", BigInteger),  # what ended before does not count
    Column("on_conflict", Text, nullable=False, server_default="wait"),
    Column("narrowed", Json),  # how the selection was cut down to a few
    Column("pause_facts", Json),  # what a guard paused it for
    CheckConstraint(f"state IN ({_listed(BackfillState)})", name="state"),
    CheckConstraint(
        f"(state IN ({_listed(BACKFILL_FINAL)})) = (finished_at IS NOT NULL)", name="finished"
    ),
    CheckConstraint("(state = 'paused') = (pause_reason IS NOT NULL)", name="paused"),
    CheckConstraint("ordering IN ('oldest', 'newest', 'listed', 'weight')", name="ordering"),
    CheckConstraint("reprocess IN ('missing', 'failed', 'all', 'stale')", name="reprocess"),
    CheckConstraint("on_timeout IN ('cancel', 'pause')", name="on_timeout"),
    CheckConstraint(
        "canary_state IN ('waiting', 'running', 'passed', 'failed', 'waived')", name="canary"
    ),
    CheckConstraint("on_conflict IN ('wait', 'skip', 'refuse')", name="on_conflict"),
    _partial("ix_backfills_open", "id", where=f"state NOT IN ({_listed(BACKFILL_FINAL)})"),
)

backfill_ranges = Table(
    "backfill_ranges",
    metadata,
    Column("backfill_id", BigInteger, nullable=False),
    Column("first_index", BigInteger, nullable=False),  # of this range within the backfill
    Column("first_key", Text, nullable=False),
    Column("last_key", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("backfill_id", "first_index"),
)

# Partitions that a line which depends on the previous one passes over, by hand.
line_skips = Table(
    "line_skips",
    metadata,
    Column("backfill_id", BigInteger, nullable=False),
    Column("partition", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text),
    PrimaryKeyConstraint("backfill_id", "partition"),
    sqlite_with_rowid=False,
)

# Named limits across everything. Who holds slots is told by the active runs, never kept here.
pools = Table(
    "pools",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slots", Integer),  # null: as the setting says
    Column("changed_at", BigInteger, nullable=False),
    Column("changed_by", Text),
    CheckConstraint("slots >= 0", name="slots"),
)

tag_limits = Table(
    "tag_limits",
    metadata,
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),  # empty: each value has a limit of its own
    Column("max_active_runs", Integer, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("changed_by", Text),
    PrimaryKeyConstraint("key", "value"),
    CheckConstraint("max_active_runs >= 0", name="limit"),
)

# The partitions of a backfill that run first, alone, with their places in the selection.
backfill_canaries = Table(
    "backfill_canaries",
    metadata,
    Column("backfill_id", BigInteger, nullable=False),
    Column("partition", Text, nullable=False),
    Column("place", BigInteger, nullable=False),
    PrimaryKeyConstraint("backfill_id", "partition"),
)

# Keys of dynamic partitions, by the name of their definition, in the order of their ids.
dynamic_partitions = Table(
    "dynamic_partitions",
    metadata,
    _id(),
    Column("definition", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("added_by", Text),
    UniqueConstraint("definition", "key", name="uq_dynamic_partitions_key"),
    Index("ix_dynamic_partitions_definition", "definition", "id"),
    sqlite_autoincrement=True,
)

runs = Table(
    "runs",
    metadata,
    _id(cache=100),
    Column("backfill_id", BigInteger),
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("set_id", BigInteger),
    Column("partition", Text),
    Column("pipeline_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("ready", Boolean, nullable=False),  # admission may take it; false: parked
    Column("sort", BigInteger, nullable=False),  # admission takes the lowest first
    Column("available_at", BigInteger, nullable=False),
    Column("waiting_run", BigInteger),  # parked until this run's holds are freed
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("token", BigInteger),
    Column("worker_id", BigInteger),
    Column("lease_expires_at", BigInteger),
    Column("next_publish_at", BigInteger),
    Column("publish_count", Integer, nullable=False, server_default="0"),
    Column("message_id", Text),
    Column("message_size", Integer, nullable=False, server_default="1"),
    Column("alone", Boolean, nullable=False, server_default=text("false")),  # never packed
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("max_failures", Integer, nullable=False, server_default="0"),
    Column("cancel_requested_at", BigInteger),
    Column("queue", Text),
    Column("tags", Json),
    Column("pools", Json),  # slots it takes while it is queued or running, by pool
    Column("previous", Text),  # the partition that must have succeeded before it starts
    Column("span", BigInteger),  # executed together with those of the same: a range of partitions
    Column("run_config", Json),  # override until it ran, then what was really used
    Column("steps", Json),
    Column("parent_id", BigInteger),
    Column("root_id", BigInteger),  # the first of its lineage
    Column("mode", Text),  # of a re-execution: all, from_failure or steps
    Column("override", Json),  # the config given at launch; run_config becomes what was used
    Column("timeout_seconds", Float),  # of each attempt
    Column("tick_id", BigInteger),  # of the schedule tick that made it
    Column("run_key", Text),  # what tells the runs of one tick apart
    Column("version", Text),
    Column("reason", Text),  # why skipped, failed, canceled or handed back
    Column("failed_step", Text),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("error_key", Text),  # alike for errors that differ in numbers and names only
    Column("on_conflict", Text),  # of a run outside a backfill; null: it waits
    Column("created_at", BigInteger, nullable=False),
    Column("queued_at", BigInteger),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    CheckConstraint(f"state IN ({_listed(RunState)})", name="state"),
    CheckConstraint("(state = 'running') = (lease_expires_at IS NOT NULL)", name="lease"),
    CheckConstraint("(state = 'queued') = (next_publish_at IS NOT NULL)", name="publish"),
    CheckConstraint(
        f"(state IN ({_listed(RUN_FINAL)})) = (finished_at IS NOT NULL)", name="finished"
    ),
    CheckConstraint("state = 'pending' OR NOT ready", name="ready"),
    CheckConstraint("(partition IS NULL) = (set_id IS NULL)", name="partition"),
    CheckConstraint(f"mode IN ({_listed(ReexecutionMode)})", name="mode"),
    CheckConstraint("mode IS NULL OR parent_id IS NOT NULL", name="reexecution"),
    UniqueConstraint("set_id", "partition", "backfill_id", "generation", name="uq_runs_partition"),
    Index(
        "uq_runs_tick",
        "tick_id",
        "run_key",
        unique=True,
        postgresql_where=text("tick_id IS NOT NULL"),
        sqlite_where=text("tick_id IS NOT NULL"),
    ),
    _partial("ix_runs_ready", "backfill_id", "sort", "id", where="state = 'pending' AND ready"),
    _partial(
        "ix_runs_parked", "backfill_id", "available_at", where="state = 'pending' AND NOT ready"
    ),
    _partial("ix_runs_due", "available_at", where="state = 'pending' AND NOT ready"),
    _partial("ix_runs_waiting", "waiting_run", where="waiting_run IS NOT NULL"),
    _partial("ix_runs_parent", "parent_id", where="parent_id IS NOT NULL"),
    _partial("ix_runs_active", "backfill_id", where="state IN ('queued', 'running')"),
    _partial("ix_runs_pools", "id", where="state IN ('queued', 'running') AND pools IS NOT NULL"),
    _partial("ix_runs_publish", "next_publish_at", where="state = 'queued'"),
    _partial("ix_runs_lease", "lease_expires_at", where="state = 'running'"),
    _partial("ix_runs_failed", "backfill_id", "id", where="state IN ('failed', 'canceled')"),
    # For lists: newest first, whatever they are narrowed to. Only the first one costs every move.
    Index("ix_runs_backfill", "backfill_id", "id"),
    _partial("ix_runs_pending", "id", where="state = 'pending'"),
    _partial("ix_runs_unsuccessful", "id", where="state IN ('failed', 'canceled', 'skipped')"),
    _partial("ix_runs_alone_set", "set_id", "id", where="backfill_id IS NULL"),
    _partial("ix_runs_alone_pipeline", "pipeline_id", "id", where="backfill_id IS NULL"),
    _partial("ix_runs_sampled", "created_at", "id", where="id % 128 = 0"),
    postgresql_with={
        "fillfactor": "80",
        # Every run leaves dead versions in the partial indexes of the states it went through.
        "autovacuum_vacuum_scale_factor": "0.01",
        "autovacuum_vacuum_threshold": "20000",
        "autovacuum_analyze_scale_factor": "0.05",
        "autovacuum_vacuum_cost_limit": "2000",
    },
)

# Runs by the tags of their own, each a number made of its name and value; see `storage.tags`.
run_tags = Table(
    "run_tags",
    metadata,
    Column("tag", BigInteger, nullable=False),
    Column("run_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("tag", "run_id"),
    sqlite_with_rowid=False,
)

# Which run a request to launch one made, so that the same request makes no other.
launches = Table(
    "launches",
    metadata,
    Column("idempotency_key", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("run_id", BigInteger, nullable=False),
)

step_outcomes = Table(
    "step_outcomes",
    metadata,
    Column("run_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("reason", Text),
    Column("metadata", Json),
    Column("outputs", Json),
    PrimaryKeyConstraint("run_id", "attempt", "step"),
    CheckConstraint(f"state IN ({_listed(StepState)})", name="state"),
    CheckConstraint("(state IN ('running', 'retrying')) = (finished_at IS NULL)", name="finished"),
    sqlite_with_rowid=False,
)

step_errors = Table(
    "step_errors",
    metadata,
    Column("run_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("step", Text, nullable=False),  # empty for an error of the run itself
    Column("try", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("traceback", Text, nullable=False),
    Column("cause", Json),
    PrimaryKeyConstraint("run_id", "attempt", "step", "try"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("ending", Text, nullable=False),
    Column("worker_id", BigInteger),
    Column("message_id", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("reason", Text),
    PrimaryKeyConstraint("run_id", "attempt"),
    CheckConstraint(f"ending IN ({_listed(AttemptEnd)})", name="ending"),
)

log_lines = Table(
    "log_lines",
    metadata,
    _id(),  # in order: readers follow it
    Column("run_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("step", Text),
    Column("at", BigInteger, nullable=False),
    Column("level", Text, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_log_lines_run", "run_id", "id"),
)

partition_holds = Table(
    "partition_holds",
    metadata,
    Column("set_id", BigInteger, nullable=False),
    Column("partition", Text, nullable=False),
    Column("run_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("set_id", "partition"),
    Index("ix_partition_holds_run", "run_id"),
    sqlite_with_rowid=False,
)

# Partitions that nothing runs until they are unblocked; one block may be of many of them.
blocks = Table(
    "blocks",
    metadata,
    _id(),
    Column("set_id", BigInteger, nullable=False),
    Column("selection", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text),
)

blocked_partitions = Table(
    "blocked_partitions",
    metadata,
    Column("set_id", BigInteger, nullable=False),
    Column("partition", Text, nullable=False),
    Column("block_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("set_id", "partition"),
    Index("ix_blocked_partitions_block", "block_id"),
    sqlite_with_rowid=False,
)

# What an operator says of partitions and boxes, until a run made later says otherwise.
outcome_marks = Table(
    "outcome_marks",
    metadata,
    Column("set_id", BigInteger, nullable=False),
    Column("partition", Text, nullable=False),
    Column("step", Text, nullable=False),  # empty for the whole partition
    Column("status", Text, nullable=False),
    Column("marked_at", BigInteger, nullable=False),
    Column("marked_by", Text),
    Column("note", Text),
    PrimaryKeyConstraint("set_id", "partition", "step"),
    CheckConstraint("status IN ('succeeded', 'missing')", name="status"),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    _id(),
    Column("at", BigInteger, nullable=False),
    Column("backfill_id", BigInteger),
    Column("run_id", BigInteger),
    Column("kind", Text, nullable=False),
    Column("actor", Text),
    Column("message", Text, nullable=False),
    Column("facts", Json),
    Index("ix_events_backfill", "backfill_id", "id"),
    Index("ix_events_run", "run_id", "id"),
)

# One row per transaction that moved something: what counts, live events and rollups follow.
# `xid` orders rows by commit visibility on PostgreSQL (0 on SQLite, where ids already do).
feed = Table(
    "feed",
    metadata,
    _id(),
    Column("xid", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_feed_xid", "xid", "id"),
    sqlite_autoincrement=True,
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("xid", BigInteger, nullable=False),
    Column("id", BigInteger, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("queues", Json, nullable=False),
    Column("code_version", Text),
    Column("load_error", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("beat_at", BigInteger, nullable=False),
    Column("stopped_at", BigInteger),
)

leaders = Table(
    "leaders",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("beat_at", BigInteger, nullable=False),
    Column("facts", Json),
)

queues = Table(
    "queues",
    metadata,
    Column("name", Text, primary_key=True),
    Column("depth", BigInteger),
    Column("seen_at", BigInteger, nullable=False),
    Column("delay_seconds", Float),
)

schedules = Table(
    "schedules",
    metadata,
    Column("name", Text, primary_key=True),
    Column("running", Boolean, nullable=False),
    Column("handled_until", BigInteger, nullable=False),  # what ticked up to here is in `ticks`
    Column("cron", Text),  # with its zone: as last seen in the code
    Column("timezone", Text),
    Column("changed_at", BigInteger, nullable=False),
    Column("changed_by", Text),
)

ticks = Table(
    "ticks",
    metadata,
    _id(),
    Column("schedule", Text, nullable=False),
    Column("tick_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("error", Text),
    Column("run_ids", Json),
    Column("by_hand", Boolean, nullable=False, server_default=text("false")),
    Column("asked_by", Text),  # who ticked by hand
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    UniqueConstraint("schedule", "tick_at", name="uq_ticks_schedule"),
    CheckConstraint(f"state IN ({_listed(TickState)})", name="state"),
    CheckConstraint("(state = 'started') = (finished_at IS NULL)", name="finished"),
    _partial("ix_ticks_started", "schedule", "tick_at", where="state = 'started'"),
)

# -- access: who may do what, and who did -------------------------------------------------------

tokens = Table(
    "tokens",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False, unique=True),  # SHA-256; the token itself is not kept
    Column("role", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("used_at", BigInteger),
    CheckConstraint(f"role IN ({_listed(Role)})", name="role"),
)

sessions = Table(
    "sessions",
    metadata,
    _id(),
    Column("hash", Text, nullable=False, unique=True),
    Column("token_id", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_sessions_expires", "expires_at"),
)

# One row per request that may change something, written before it is carried out.
audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("address", Text),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer),  # null until it was answered
    sqlite_autoincrement=True,
)

# The rollup behind the matrix overview: counts by step and status per block of partitions, and
# the blocks in which something moved since they were computed.
matrix_blocks = Table(
    "matrix_blocks",
    metadata,
    Column("set_id", BigInteger, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("first_key", Text, nullable=False),
    Column("counts", Json, nullable=False),
    Column("computed_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("set_id", "block"),
)

matrix_marks = Table(
    "matrix_marks",
    metadata,
    Column("set_id", BigInteger, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("marked_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("set_id", "block"),
    Index("ix_matrix_marks_marked", "marked_at"),
)

# -- hooks: who wants to be told, and what is still to tell --------------------------------------

webhooks = Table(
    "webhooks",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("url", Text, nullable=False),  # may hold a secret: shown by its host
    Column("format", Text, nullable=False),
    Column("events", Json, nullable=False),
    Column("partition_set", Text),  # only of this set; null: of all
    Column("backfill_id", BigInteger),  # only of this backfill; null: of all
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text),
    CheckConstraint("format IN ('json', 'slack')", name="format"),
)

# The outbox: written with the event, sent after the commit. A delivery is due, done or given up.
deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),  # the same for every try: for de-duplication
    Column("backfill_id", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("hook", Text, nullable=False),  # the webhook's or the function's name
    Column("webhook_id", BigInteger),
    Column("facts", Json, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_try_at", BigInteger),
    Column("delivered_at", BigInteger),
    Column("given_up_at", BigInteger),
    Column("status", Integer),  # of the last answer
    Column("error", Text),  # of the last try
    CheckConstraint("kind IN ('python', 'webhook')", name="kind"),
    CheckConstraint(
        "(next_try_at IS NOT NULL) = (delivered_at IS NULL AND given_up_at IS NULL)", name="due"
    ),
    _partial("ix_deliveries_due", "next_try_at", where="next_try_at IS NOT NULL"),
    Index("ix_deliveries_backfill", "backfill_id", "id"),
    sqlite_autoincrement=True,
)
