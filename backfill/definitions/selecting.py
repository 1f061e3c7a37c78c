"""The seam to the selection language: from a selection's text to ranges of indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from backfill.definitions.keys import KeySpace
from backfill.errors import SelectionInvalid


def status_words(selection: str) -> list[str]:  # noqa: ARG001
    """Return the statuses a selection asks for, such as `failed`: their keys go into `select`."""
    return []


def selected_ranges(
    set_name: str,
    keys: KeySpace,
    selection: str,
    at: datetime,  # noqa: ARG001
    *,
    limit: int,
    statuses: Mapping[str, Sequence[str]],  # noqa: ARG001
) -> list[tuple[int, int]]:
    """Return the ranges of indexes (both ends inclusive) that a selection chooses, in order.

    Raises:
        SelectionInvalid: It names unknown keys, or selects nothing, or more than the limit.
    """
    ranges = _joined(sorted(_parts(set_name, keys, selection)))
    count = sum(last - first + 1 for first, last in ranges)
    if not count:
        raise SelectionInvalid(f'"{selection}" selects no partition of set "{set_name}".')
    if count > limit:
        raise SelectionInvalid(
            f'"{selection}" selects {count} partitions of set "{set_name}"; at most {limit} are '
            "taken at once."
        )
    return ranges


def _parts(set_name: str, keys: KeySpace, selection: str) -> Iterator[tuple[int, int]]:
    for part in (part.strip() for part in selection.split(",")):
        if part == "all":
            if len(keys):
                yield 0, len(keys) - 1
        elif part.startswith("[") and part.endswith("]") and "..." in part:
            first, _, last = part[1:-1].partition("...")
            yield _index(set_name, keys, first.strip()), _index(set_name, keys, last.strip())
        elif part:
            index = _index(set_name, keys, part)
            yield index, index


def _index(set_name: str, keys: KeySpace, key: str) -> int:
    index = keys.index_of(key)
    if index is not None:
        return index
    near = " or ".join(f'"{name}"' for name in keys.nearest(key))
    meant = f" Did you mean {near}?" if near else ""
    raise SelectionInvalid(f'Partition set "{set_name}" has no partition "{key}".{meant}')


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        elif first <= last:
            joined.append((first, last))
    return joined
