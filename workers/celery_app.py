"""The Celery application: its configuration, the one task, and the signals around it.

Start it with `celery -A workers worker`. Messages carry run ids; everything else is read from the
database, so a forged, doubled or late message can do no more than claim a run that is queued.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import Any

import structlog
from celery import Celery, signals
from celery.worker import state

from backfill.coordinator.broker import TASK, celery_config
from backfill.lifecycle.fleet import WorkerHello
from backfill.settings import get_settings
from backfill.telemetry import configure_logging
from workers.gate import are_run_ids
from workers.processes import die_with_parent, yield_session
from workers.revoking import cancel_revoked, hear_of_revokes
from workers.runner import Runner
from workers.slots import Board
from workers.warden import Warden

log = structlog.get_logger(__name__)

app = Celery("backfill")
app.conf.update(celery_config(get_settings()))
app.conf.worker_consumer = "workers.consumer:BackfillConsumer"

REGISTRATION_SECONDS = 30.0


class _Worker:
    """What this process keeps: the board of the worker, its warden, its runner."""

    def __init__(self) -> None:
        self.board = Board()
        self.warden: Warden | None = None
        self.runner: Runner | None = None
        self.child_index = 0  # which of the pool's children this is
        self.lock = threading.Lock()


_worker = _Worker()


@app.task(name=TASK, ignore_result=True)
def run(run_ids: list[int]) -> None:
    """Execute the runs of one message that are still queued."""
    if not are_run_ids(run_ids):  # called by hand: what comes by message was looked at before
        raise ValueError("A message carries a list of run ids and nothing else.")
    _runner().handle(run_ids)


def _runner() -> Runner:
    """Return this process's runner; threads and solo pools make it on the first message."""
    with _worker.lock:
        if _worker.runner is None:
            _worker.runner = _start_runner()
        return _worker.runner


def _start_runner() -> Runner:
    settings = get_settings()
    deadline = time.monotonic() + REGISTRATION_SECONDS
    while not _worker.board.worker_id:
        if time.monotonic() > deadline:
            raise RuntimeError("The worker could not register with the database.")
        time.sleep(0.01)
    board = _worker.board
    return Runner(settings, board.slot(_worker.child_index), board.worker_id)


# -- the parent process -------------------------------------------------------------------------


@signals.setup_logging.connect
def _on_logging(**_: Any) -> None:
    """Keep Celery from setting up its own; what it warns of is said beside our own events."""
    configure_logging()
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s"
    )


@signals.worker_init.connect
def _on_init(**_: Any) -> None:
    settings = get_settings()
    yield_session(settings.worker_nice)
    hear_of_revokes(settings)


@signals.worker_ready.connect
def _on_ready(sender: Any, **_: Any) -> None:
    settings = get_settings()

    def hello() -> WorkerHello:
        return WorkerHello(
            name=sender.hostname,
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=_slots(sender.pool),
            queues=sorted(app.amqp.queues.consume_from),
        )

    _worker.warden = Warden(settings, _worker.board, hello, is_ending=_is_ending)
    _worker.warden.start()


def _slots(pool: Any) -> int:
    """Return how many runs a pool executes at a time: none once it was stopped."""
    try:
        return int(pool.num_processes)
    except AttributeError:
        return 0


def _is_ending() -> bool:
    """Tell whether this is a cold shutdown: Celery has sent its children SIGTERM by then."""
    return bool(state.should_terminate)


@signals.worker_shutting_down.connect
def _on_shutting_down(how: str = "Warm", **_: Any) -> None:
    if _worker.warden is not None and how == "Warm":
        _worker.warden.stopping()


@signals.worker_shutdown.connect
def _on_shutdown(**_: Any) -> None:
    if _worker.runner is not None:
        _worker.runner.close()
    if _worker.warden is not None:
        _worker.warden.close()


@signals.task_revoked.connect
def _on_revoked(request: Any = None, **_: Any) -> None:
    """Cancel what a message carried that is discarded because it was revoked before."""
    cancel_revoked(get_settings(), [str(request.id)])


# -- pool children ------------------------------------------------------------------------------


@signals.worker_process_init.connect
def _on_child(**_: Any) -> None:
    from billiard.process import current_process

    die_with_parent()
    os.nice(get_settings().worker_nice)
    _worker.warden = None
    _worker.runner = None
    _worker.child_index = getattr(current_process(), "index", 0) or 0
    threading.Thread(target=_prepare_child, name="prepare", daemon=True).start()


def _prepare_child() -> None:
    """Load the definitions while the worker still connects, so the first message need not wait."""
    with _worker.lock:
        if _worker.runner is not None:
            return
        try:
            _worker.runner = _start_runner()
        except Exception as error:
            log.error("child.not_ready", error=str(error)[:1000])


@signals.worker_process_shutdown.connect
def _on_child_shutdown(**_: Any) -> None:
    if _worker.runner is not None:
        _worker.runner.close()
