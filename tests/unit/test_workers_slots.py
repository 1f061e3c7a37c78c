"""The board: what a worker's parent and its children tell each other."""

from __future__ import annotations

import time

from workers.slots import TOKENS, Board, Left


def test_a_slot_is_occupied_from_the_first_child_on() -> None:
    board = Board()
    assert list(board.occupied()) == []

    slot = board.slot(3)
    assert slot.take(71) == Left([], None)
    assert [s.pid for s in board.occupied()] == [71]


def test_a_new_child_is_told_what_its_predecessor_left() -> None:
    board = Board()
    first = board.slot(0)
    first.take(71)
    assert first.hold(5)
    assert first.hold(6)
    first.run = 12

    second = board.slot(0)
    assert second.take(72) == Left([5, 6], 12)
    assert (second.pid, second.tokens(), second.run) == (72, [], 0)


def test_tokens_are_held_until_dropped_and_only_so_many() -> None:
    slot = Board().slot(0)
    slot.take(71)
    for token in range(1, TOKENS + 1):
        assert slot.hold(token)
    assert not slot.hold(99)

    slot.drop(7)
    assert slot.hold(99)
    assert sorted(slot.tokens()) == sorted({*range(1, TOKENS + 1), 99} - {7})


def test_the_parent_gives_the_slot_of_a_dead_child_back() -> None:
    board = Board()
    child = board.slot(0)
    child.take(71)
    child.hold(5)

    seen = board.slot(0)
    seen.vacate(71, seen.tokens())
    assert list(board.occupied()) == []
    assert seen.tokens() == []


def test_a_successor_keeps_its_slot_and_its_tokens_whatever_the_parent_is_late_with() -> None:
    board = Board()
    dead = board.slot(0)
    dead.take(71)
    dead.hold(5)
    tokens = board.slot(0).tokens()

    successor = board.slot(0)
    successor.take(72)
    successor.hold(8)
    board.slot(0).vacate(71, tokens)
    assert (board.slot(0).pid, board.slot(0).tokens()) == (72, [8])


def test_a_successor_whose_slot_was_vacated_takes_it_again_with_its_next_token() -> None:
    board = Board()
    successor = board.slot(0)
    successor.take(72)
    board.slot(0).vacate(72, [])  # the parent was between its look and its write
    assert list(board.occupied()) == []

    successor.hold(8)
    assert [(s.pid, s.tokens()) for s in board.occupied()] == [(72, [8])]


def test_a_hint_to_look_for_cancels_counts_up() -> None:
    board = Board()
    child = board.slot(0)
    seen = child.cancel_count
    board.slot(0).ask_cancel()
    assert child.cancel_count == seen + 1


def test_a_child_is_told_to_hand_back() -> None:
    board = Board()
    child = board.slot(0)
    assert not child.release
    board.slot(0).release = True
    assert child.release


def test_children_are_unsure_of_their_runs_when_no_lease_was_renewed_for_too_long() -> None:
    board = Board()
    child = board.slot(0)
    assert not child.is_unsure, "nothing was claimed before the first beat"

    board.renewed(asked_at=time.monotonic(), lease_seconds=1000)
    assert not child.is_unsure
    board.renewed(asked_at=time.monotonic() - 61, lease_seconds=60)
    assert child.is_unsure


def test_the_worker_id_is_known_to_all() -> None:
    board = Board()
    assert board.worker_id == 0
    board.worker_id = 7
    assert board.worker_id == 7
