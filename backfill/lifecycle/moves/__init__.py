"""Moves: the only writer of states.

Every public function is one named move of `backfill.states`, done as guarded statements in the
caller's transaction. Racing and losing is an ordinary answer: what did not move is not returned.
Each also writes one feed row saying what moved, from which counts, live events and rollups follow.
"""

from backfill.lifecycle.moves.births import (
    NewRun,
    create_backfill,
    create_backfill_runs,
    create_plain_runs,
    create_retries,
    create_run,
    create_runs,
)
from backfill.lifecycle.moves.canceling import cancel_pending, cancel_queued, request_cancel
from backfill.lifecycle.moves.claiming import claim, claimed_already, renew
from backfill.lifecycle.moves.deciding import Claim, Report
from backfill.lifecycle.moves.queueing import (
    Admission,
    admit,
    free_holds,
    mark_published_again,
    park_behind,
    publish_soon,
    recall,
    recall_runs,
    wake_due,
    wake_waiting,
)
from backfill.lifecycle.moves.recording import (
    Recorded,
    lose,
    reap,
    record,
    record_in_few_trips,
    release,
    stop,
)
from backfill.lifecycle.moves.skipping import skip_each, skip_pending
from backfill.lifecycle.moves.steering import move_backfill

__all__ = [
    "Admission",
    "Claim",
    "NewRun",
    "Recorded",
    "Report",
    "admit",
    "cancel_pending",
    "cancel_queued",
    "claim",
    "claimed_already",
    "create_backfill",
    "create_backfill_runs",
    "create_plain_runs",
    "create_retries",
    "create_run",
    "create_runs",
    "free_holds",
    "lose",
    "mark_published_again",
    "move_backfill",
    "park_behind",
    "publish_soon",
    "reap",
    "recall",
    "recall_runs",
    "record",
    "record_in_few_trips",
    "release",
    "renew",
    "request_cancel",
    "skip_each",
    "skip_pending",
    "stop",
    "wake_due",
    "wake_waiting",
]
