"""Admission: which pending runs go to the broker next. Few at a time, so that everything acts.

The broker is kept shallow: a few messages per worker slot. Everything else stays pending, where
priorities, fair shares, pause, cancel and changed limits act at once.
"""

from backfill.lifecycle.admission.admitter import RUNS_A_TURN, Admitter
from backfill.lifecycle.admission.lanes import Lane, living_slots, pack_size
from backfill.lifecycle.admission.packing import Message, new_message_id
from backfill.lifecycle.admission.sharing import depth_per_slot, share
from backfill.lifecycle.admission.waiting import backfill_waiting_for, waiting_for

__all__ = [
    "RUNS_A_TURN",
    "Admitter",
    "Lane",
    "Message",
    "backfill_waiting_for",
    "depth_per_slot",
    "living_slots",
    "new_message_id",
    "pack_size",
    "share",
    "waiting_for",
]
