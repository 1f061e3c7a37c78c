"""The other spellings of a selection: the flags of the CLI and the fields of the API."""

from __future__ import annotations

import re
from collections.abc import Sequence

from backfill.definitions.selection.parser import parse
from backfill.definitions.selection.syntax import All, Key, Range, Selection, Union
from backfill.errors import SelectionInvalid

_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"\s*|([^",\s][^,]*|))(,|$)', re.DOTALL)


def from_parts(
    from_: str | None = None,
    to: str | None = None,
    partitions: str | Sequence[str] | None = None,
    all_: bool = False,
    select: str | None = None,
) -> Selection:
    """Return the selection that one way of asking means.

    Args:
        from_: First key of a range, `to` the last; both included, either may be left out.
        partitions: Keys, or a text of keys between commas; one with a comma stands in quotes.
        select: A text of the selection language.

    Raises:
        SelectionInvalid: None or several of these ways are given, or the text cannot be parsed.
    """
    ways = {
        "--from/--to": from_ is not None or to is not None,
        "--partitions": partitions is not None,
        "--all": all_,
        "--select": select is not None,
    }
    given = [way for way, is_given in ways.items() if is_given]
    if len(given) != 1:
        asked = f"{' and '.join(given)} were given together" if given else "none was given"
        raise SelectionInvalid(
            f"Say which partitions in one way, by {', '.join(ways)}: {asked}. "
            "A selection combines them: [a...b] & dow:mon-fri ! c."
        )
    if select is not None:
        return parse(select)
    if partitions is not None:
        listed = key_list(partitions) if isinstance(partitions, str) else list(partitions)
        return _of_keys(listed)
    return All() if all_ else Range(from_, to)


def key_list(text: str) -> list[str]:
    """Return the keys of a comma list; spaces around a key do not count, quotes keep commas.

    Raises:
        SelectionInvalid: A key is empty, or text follows a quoted one.
    """
    keys: list[str] = []
    position = 0
    while True:
        match = _ITEM.match(text, position)
        if match is None:
            raise SelectionInvalid(
                f"A comma belongs after the quoted key (column {position + 1}).",
                column=position + 1,
            )
        quoted, bare, separator = match.groups()
        key = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if quoted is not None else bare
        key = key if quoted is not None else key.strip()
        if not key:
            raise SelectionInvalid(
                f"The list of partitions has an empty key (column {position + 1}).",
                column=position + 1,
            )
        keys.append(key)
        position = match.end()
        if not separator:
            return keys


def _of_keys(keys: Sequence[str]) -> Selection:
    if not keys:
        raise SelectionInvalid("The list of partitions is empty.")
    parts = tuple(Key(key) for key in keys)
    return Union(parts) if len(parts) > 1 else parts[0]
