"""What the benchmarks compare with: bare Celery, and the task people write by hand."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from celery import Celery, signals
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from backfill.coordinator.broker import celery_config
from backfill.settings import get_settings
from benchmarks.harness import Counter

app = Celery("peers")
app.conf.update(celery_config(get_settings()) | {"task_default_queue": "peers"})

_state: dict[str, object] = {}


class Base(DeclarativeBase):
    """The hand-written tables."""


class PeerRun(Base):
    """A partition's run, as a hand-written backfill keeps it."""

    __tablename__ = "peer_runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    partition: Mapped[str]
    state: Mapped[str] = mapped_column(default="pending")
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class PeerStep(Base):
    """A step of it."""

    __tablename__ = "peer_steps"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("peer_runs.id"))
    name: Mapped[str]
    state: Mapped[str]


@signals.worker_process_init.connect
def _prepare(**_: object) -> None:
    _state["done"] = Counter(Path(os.environ["PEER_COUNTER"]))
    engine = create_engine(os.environ["BACKFILL_DATABASE_URL"])
    _state["session"] = sessionmaker(engine)


def _count() -> None:
    counter = _state["done"]
    assert isinstance(counter, Counter)
    counter.add()


@app.task(name="peers.noop", ignore_result=True)
def noop(partition: str) -> None:
    """Do nothing and record nothing: what Celery alone costs."""
    _count()


@app.task(name="peers.orm", ignore_result=True)
def orm(partition: str) -> None:
    """Record a run and three steps through the ORM, in two commits."""
    factory = _state["session"]
    assert isinstance(factory, sessionmaker)
    session: Session
    with factory() as session:
        run = PeerRun(partition=partition, state="running", started_at=_now())
        session.add(run)
        session.commit()
        for name in ("extract", "transform", "load"):
            session.add(PeerStep(run_id=run.id, name=name, state="succeeded"))
        run.state = "succeeded"
        run.finished_at = _now()
        session.commit()
    _count()


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
