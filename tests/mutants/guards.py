"""The guards, each with the change that takes it out and the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass

LIFECYCLE = "backfill/lifecycle"
PLAIN = "tests/integration/test_succeeding.py"
EXPANDING = "tests/integration/test_expanding.py"
RACES = "tests/integration/test_races.py"
GUARD_RACES = "tests/integration/test_guard_races.py"
ATTEMPTS = "tests/integration/test_lifecycle_attempts.py"
STEERING = "tests/integration/test_lifecycle_steering.py"
ADMISSION = "tests/integration/test_admission.py"
POOLS = "tests/integration/test_pools.py"
ORDER = "tests/integration/test_order.py"
COORDINATOR = "tests/integration/test_lifecycle_coordinator.py"
HOOKS = "tests/integration/test_backfill_hooks.py"


@dataclass(frozen=True)
class Mutant:
    """A guard and how to take it out.

    Attributes:
        name: What the guard is called.
        file: Where it stands.
        old: Its text, once in the file.
        new: What stands there without it.
        tests: Test ids, any of which must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "fence by attempt",
        f"{LIFECYCLE}/moves/recording.py",
        "if row is None or (row.attempt, row.token) != (report.claim.attempt, report.claim.token):",
        "if row is None or row.token != report.claim.token:",
        (f"{ATTEMPTS}::test_a_worker_that_lost_its_lease_writes_nothing_at_all[sqlite]",),
    ),
    Mutant(
        "fence by token",
        f"{LIFECYCLE}/moves/recording.py",
        "if row is None or (row.attempt, row.token) != (report.claim.attempt, report.claim.token):",
        "if row is None or row.attempt != report.claim.attempt:",
        (f"{ATTEMPTS}::test_a_worker_that_lost_its_lease_writes_nothing_at_all[sqlite]",),
    ),
    Mutant(
        "fence of zombies",
        f"{LIFECYCLE}/moves/recording.py",
        "if row is None or (row.attempt, row.token) != (report.claim.attempt, report.claim.token):",
        "if row is None:",
        (f"{ATTEMPTS}::test_a_worker_that_lost_its_lease_writes_nothing_at_all[sqlite]",),
    ),
    Mutant(
        "lock first, then write",
        f"{LIFECYCLE}/moves/recording.py",
        '(in_states([RunState.RUNNING]))} "\n            f"ORDER BY id{db.for_update}"',
        '(in_states([RunState.RUNNING]))} "\n            "ORDER BY id"',
        (f"{RACES}::test_either_the_reaper_or_the_worker_ends_an_attempt[postgresql-in parts]",),
    ),
    Mutant(
        "fence of attempts that went well by token",
        f"{LIFECYCLE}/moves/succeeding.py",
        "AND locked.attempt = f.attempt AND locked.token = f.token",
        "AND locked.attempt = f.attempt",
        (f"{PLAIN}::test_who_lost_the_lease_writes_nothing[postgresql]",),
    ),
    Mutant(
        "fence of attempts that went well by attempt",
        f"{LIFECYCLE}/moves/succeeding.py",
        "AND locked.attempt = f.attempt AND locked.token = f.token",
        "AND locked.token = f.token",
        (f"{PLAIN}::test_who_lost_the_lease_writes_nothing[postgresql]",),
    ),
    Mutant(
        "lock attempts that went well",
        f"{LIFECYCLE}/moves/succeeding.py",
        'ORDER BY id "\n        "FOR UPDATE)"',
        'ORDER BY id)"',
        (f"{PLAIN}::test_a_reaper_that_has_not_committed_yet_is_waited_for[and commits]",),
    ),
    Mutant(
        "a claim takes only what is queued",
        f"{LIFECYCLE}/moves/claiming.py",
        "AND {db.checked(in_states(RunMove.CLAIM.sources))} ",
        "",
        (f"{ATTEMPTS}::test_a_run_is_claimed_once_however_often_its_message_comes[sqlite]",),
    ),
    Mutant(
        "only expired leases are reaped",
        f"{LIFECYCLE}/moves/recording.py",
        "WHERE state = 'running' AND lease_expires_at < {{now}} ",
        "WHERE state = 'running' ",
        (f"{ATTEMPTS}::test_an_expired_lease_is_taken_away_and_charged[sqlite]",),
    ),
    Mutant(
        "runs that shared a message are not charged",
        f"{LIFECYCLE}/moves/deciding.py",
        "if row.message_size > 1 and row.span is None:",
        "if row.message_size > 1_000:",
        (f"{ATTEMPTS}::test_runs_that_shared_a_message_are_not_charged_and_go_on_alone[sqlite]",),
    ),
    Mutant(
        "a final step outcome stays",
        f"{LIFECYCLE}/moves/steps.py",
        " WHERE step_outcomes.state IN ('running', 'retrying')",
        " WHERE true",
        (f"{ATTEMPTS}::test_a_step_that_ended_is_not_told_to_run_again[sqlite]",),
    ),
    Mutant(
        "holds: one run per partition",
        f"{LIFECYCLE}/admission/holds.py",
        "held = free | {row.run_id for row in taken}",
        "held = free | {row.id for row in needing}",
        (f"{ADMISSION}::test_two_backfills_never_run_one_partition_at_once[sqlite]",),
    ),
    Mutant(
        "holds: freed when runs are recalled",
        f"{LIFECYCLE}/moves/queueing.py",
        "    free_holds(db, conn, [row.id for row in rows])\n    moved = Moved()",
        "    moved = Moved()",
        (f"{ADMISSION}::test_a_paused_backfill_leaves_its_queued_partitions_to_others[sqlite]",),
    ),
    Mutant(
        "holds: kept between attempts",
        f"{LIFECYCLE}/moves/endings.py",
        "[e.row.id for e in endings if e.move.target in RUN_FINAL]",
        "[e.row.id for e in endings]",
        (f"{ADMISSION}::test_a_retry_keeps_its_partition[sqlite]",),
    ),
    Mutant(
        "holds: of runs executed together, all or none",
        f"{LIFECYCLE}/admission/holds.py",
        "    if waits_for is None:\n",
        "    if True:\n",
        ("tests/integration/test_spans.py",),
    ),
    Mutant(
        "publish: marked, so that it is sent again",
        f"{LIFECYCLE}/moves/queueing.py",
        "queued_at = {now}, next_publish_at = {now} + :again, publish_count = 1, ",
        "queued_at = {now}, next_publish_at = {now} + :again * 1000, publish_count = 1, ",
        (
            f"{STEERING}::test_a_queued_run_is_published_again_and_again_with_growing_pauses[sqlite]",
        ),
    ),
    Mutant(
        "publish: after the commit",
        "backfill/coordinator/ticks.py",
        "        return self._admitter.turn(conn)\n",
        "        messages = self._admitter.turn(conn)\n        self._send(messages)\n"
        "        return messages\n",
        (f"{COORDINATOR}::test_nothing_is_sent_before_it_is_committed[sqlite]",),
    ),
    Mutant(
        "cancel inside the row update: of a failure",
        f"{LIFECYCLE}/moves/deciding.py",
        "if outcome.end is RunEnd.CANCELED or row.cancel_requested_at is not None:",
        "if outcome.end is RunEnd.CANCELED:",
        (f"{RACES}::test_a_failure_beside_a_cancel_is_never_tried_again[sqlite]",),
    ),
    Mutant(
        "cancel inside the row update: of a lost run",
        f"{LIFECYCLE}/moves/deciding.py",
        'if row.cancel_requested_at is not None:\n        reason = row.reason or "canceled"\n'
        "        return Ending(row, RunMove.STOP, AttemptEnd.CANCELED, reason=reason)\n"
        "    if row.message_size > 1 and row.span is None:",
        "if row.message_size > 1 and row.span is None:",
        (f"{ATTEMPTS}::test_a_run_told_to_stop_whose_worker_dies_is_canceled[sqlite]",),
    ),
    Mutant(
        "settle: only what is expanded",
        f"{LIFECYCLE}/backfills.py",
        "elif row.expanded_at is None or row.retrying is not None:",
        "elif row.retrying is not None:",
        (f"{RACES}::test_a_backfill_is_not_over_while_it_is_expanded[sqlite]",),
    ),
    Mutant(
        "settle: only when a retry is made",
        f"{LIFECYCLE}/backfills.py",
        "elif row.expanded_at is None or row.retrying is not None:",
        "elif row.expanded_at is None:",
        ("tests/integration/test_retrying.py",),
    ),
    Mutant(
        "expansion: the cursor is where it was",
        f"{LIFECYCLE}/expansion.py",
        "if locked is None or locked.expanded != seen.expanded:",
        "if locked is None:",
        (f"{RACES}::test_two_expanders_make_every_run_once[sqlite]",),
    ),
    Mutant(
        "expansion: one at a time",
        f"{LIFECYCLE}/expansion.py",
        '    db.alone(conn, "expand", seen.id)\n',
        "",
        (f"{RACES}::test_two_expanders_make_every_run_once[postgresql]",),
    ),
    Mutant(
        "expansion: not of what was given up meanwhile",
        f"{LIFECYCLE}/expansion.py",
        "if moved.rowcount != 1:",
        "if False:",
        (f"{EXPANDING}::test_a_backfill_given_up_while_its_runs_are_written_has_none_of_them",),
    ),
    Mutant(
        "expansion: kept from who cancels",
        f"{LIFECYCLE}/expansion.py",
        "lock=db.for_key_share",
        'lock=""',
        (f"{EXPANDING}::test_who_cancels_waits_for_runs_that_are_written",),
    ),
    Mutant(
        "limits: summed under the leader's lock",
        f"{LIFECYCLE}/fleet.py",
        "WHERE name = :name{db.for_update}",
        "WHERE name = :name",
        ("tests/integration/test_leader_races.py",),
    ),
    Mutant(
        "limits: the backfill's row is locked by admission",
        f"{LIFECYCLE}/admission/lanes.py",
        'f"ORDER BY b.id{db.for_no_key_update}"',
        '"ORDER BY b.id"',
        (f"{RACES}::test_nothing_is_admitted_past_a_cancel[postgresql]",),
    ),
    Mutant(
        "limits: a backfill's own",
        f"{LIFECYCLE}/admission/lanes.py",
        "return MAX_RUNS_A_TURN if most is None else max(0, most - self.active)",
        "return MAX_RUNS_A_TURN",
        (f"{ADMISSION}::test_a_limit_holds_from_admission_to_the_end_of_a_run[sqlite]",),
    ),
    Mutant(
        "leader: who does not lead admits nothing",
        "backfill/coordinator/ticks.py",
        "if not fleet.still_leading(self._db, conn, self._holder, self._epoch):",
        "if False:",
        (f"{COORDINATOR}::test_a_coordinator_that_lost_its_lead_admits_nothing[sqlite]",),
    ),
    Mutant(
        "leader: of an earlier epoch",
        f"{LIFECYCLE}/fleet.py",
        "(row.holder, row.epoch) == (holder, epoch)",
        "row.holder == holder",
        (f"{COORDINATOR}::test_a_lead_of_an_earlier_epoch_is_over[sqlite]",),
    ),
    Mutant(
        "canary: the rest waits",
        f"{LIFECYCLE}/admission/candidates.py",
        'gate = f" AND sort < {GATE}" if lane.gated else ""',
        'gate = ""',
        (f"{GUARD_RACES}::test_nothing_but_the_canary_starts_before_it_passed[sqlite]",),
    ),
    Mutant(
        "canary: decided under the row's lock",
        f"{LIFECYCLE}/guards.py",
        'f"FROM backfills WHERE id = :id{db.for_update}"',
        '"FROM backfills WHERE id = :id"',
        (f"{GUARD_RACES}::test_a_canary_is_decided_once[postgresql]",),
    ),
    Mutant(
        "breaker: what failed before it was armed",
        f"{LIFECYCLE}/breaker.py",
        "[failed for at, failed in ends if at > armed_at]",
        "[failed for _, failed in ends]",
        (f"{GUARD_RACES}::test_a_resume_is_not_undone_by_what_failed_before_it[sqlite]",),
    ),
    Mutant(
        "breaker: armed anew by a resume",
        f"{LIFECYCLE}/guards.py",
        "armed_at = {now}, breaker_state = NULL, canary_state",
        "armed_at = {now}, canary_state",
        ("tests/integration/test_guards.py::test_a_resume_arms_the_breaker_anew[sqlite]",),
    ),
    Mutant(
        "pools: no more than there are",
        f"{LIFECYCLE}/admission/ledger.py",
        "        if any(name in self.short for name in needs):\n            return False\n",
        "",
        (f"{POOLS}::test_each_value_of_a_tag_has_a_limit_and_others_pass[sqlite]",),
    ),
    Mutant(
        "pools: what active runs take",
        f"{LIFECYCLE}/moves/queueing.py",
        'takes = ", pools = a.pools"',
        'takes = ""',
        (f"{POOLS}::test_a_run_takes_a_slot_of_its_pool_from_admission_to_its_end[sqlite]",),
    ),
    Mutant(
        "lines: one at a time",
        f"{LIFECYCLE}/admission/lanes.py",
        "most = 1 if self.in_line else self.max_active",
        "most = self.max_active",
        (f"{ORDER}::test_a_sequential_backfill_runs_one_at_a_time_in_order[sqlite]",),
    ),
    Mutant(
        "lines: the partition before has succeeded",
        f"{LIFECYCLE}/admission/lines.py",
        "return previous is None or previous.ok",
        "return True",
        (f"{ORDER}::test_a_failure_stops_the_line_and_the_backfill_says_so_once[sqlite]",),
    ),
    Mutant(
        "windows: outside of them nothing is admitted",
        f"{LIFECYCLE}/admission/lanes.py",
        "closed = [row.id for row in rows if not _is_open(row)]",
        "closed: list[int] = []",
        (
            "tests/integration/test_hours.py"
            "::test_outside_its_hours_a_backfill_waits_and_others_do_not[sqlite]",
        ),
    ),
    Mutant(
        "by weight and over ranges: not before all runs are made",
        f"{LIFECYCLE}/admission/lanes.py",
        "(whole and unmade)",
        "(False and unmade)",
        (f"{ORDER}::test_the_heaviest_partition_goes_first_once_all_runs_are_made[sqlite]",),
    ),
    Mutant(
        "blocked partitions are not admitted",
        f"{LIFECYCLE}/admission/holds.py",
        '"WHERE NOT EXISTS (SELECT 1 FROM blocked_partitions b "',
        '"WHERE true OR NOT EXISTS (SELECT 1 FROM blocked_partitions b "',
        (
            "tests/integration/test_blocks_and_marks.py"
            "::test_a_pending_run_of_a_blocked_partition_is_skipped_and_a_running_one_finishes[sqlite]",
        ),
    ),
    Mutant(
        "pause takes back what is queued",
        f"{LIFECYCLE}/backfills.py",
        "        moves.recall(db, conn, backfill_id)\n",
        "",
        (f"{STEERING}::test_a_pause_recalls_what_is_queued_and_lets_run_what_runs[sqlite]",),
    ),
    Mutant(
        "steering locks the backfill's row",
        f"{LIFECYCLE}/backfills.py",
        'f"WHERE id = :id{db.for_update}"',
        '"WHERE id = :id"',
        (
            "tests/integration/test_control_races.py"
            "::test_what_is_added_while_a_backfill_settles_is_run[postgresql]",
        ),
    ),
    Mutant(
        "the feed is added up once",
        f"{LIFECYCLE}/folding.py",
        "FROM cursors WHERE name = :name{db.for_update}",
        "FROM cursors WHERE name = :name",
        (f"{RACES}::test_two_coordinators_add_the_feed_of_any_day_up_once[postgresql]",),
    ),
    Mutant(
        "hooks: told with the event, in its transaction",
        f"{LIFECYCLE}/moves/steering.py",
        "    if event is not None:\n        tell_hooks",
        "    if event is None:\n        tell_hooks",
        (f"{HOOKS}::test_a_canceled_backfill_has_ended[sqlite]",),
    ),
    Mutant(
        "hooks: marked before they are told",
        f"{LIFECYCLE}/outbox.py",
        '"next_try_at = {now} + CAST(:first AS bigint) * "',
        '"next_try_at = {now} + 0 * CAST(:first AS bigint) * "',
        (f"{HOOKS}::test_a_coordinator_that_dies_before_it_sent_tells_it_later[sqlite]",),
    ),
    Mutant(
        "webhooks: to public addresses only",
        "backfill/coordinator/posting.py",
        "    if not private:\n",
        "    if False:\n",
        (f"{HOOKS}::test_a_private_address_is_not_posted_to_unless_allowed[sqlite]",),
    ),
)
